"""What is inside attachments: archives by real tools, archives that lie, bombs."""

import bz2
import lzma
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from services.screener.containers.budget import Limits
from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.member import Sign
from services.screener.containers.zip_archive import is_zip
from tests.support import archive_samples as archives
from tests.support.mail_samples import EXE

EXE_TYPE = "application/x-msdownload"


def names(contents: Contents) -> set[str]:
    return {name.removeprefix("./") for inside in contents.inside for name in inside.names}


def types(contents: Contents) -> dict[str, str]:
    return {inside.path.removeprefix("./"): one.type for inside in contents.inside for one in inside.detected}


@pytest.mark.parametrize("tool", archives.TOOLS)
def test_what_real_tools_pack_is_seen_whole_and_without_doubt(tool: str, tmp_path: Path) -> None:
    contents = look_inside(archives.made_by(tool, tmp_path), ("out.tar.gz",))
    assert contents.signs == frozenset()
    assert set(archives.FILES) <= names(contents)
    assert EXE_TYPE in types(contents).values()


ENCRYPTED = {
    "zip": ["zip", "-q", "-r", "-P", "secret", "OUT.zip", "."],
    "7z": ["7z", "a", "-psecret", "OUT.7z", "."],
    "zip-aes": ["7z", "a", "-tzip", "-psecret", "-mem=AES256", "OUT.zip", "."],
}


@pytest.mark.parametrize("tool", ENCRYPTED)
def test_encrypted_members_are_named_and_said(tool: str, tmp_path: Path) -> None:
    contents = look_inside(archives.made_by(tool, tmp_path, {tool: [ENCRYPTED[tool]]}))
    assert contents.signs == {Sign.ENCRYPTED}
    assert set(archives.FILES) <= names(contents)


def test_a_7z_archive_with_encrypted_names_is_said_to_be_encrypted(tmp_path: Path) -> None:
    commands = {"7z": [["7z", "a", "-psecret", "-mhe=on", "OUT.7z", "."]]}
    contents = look_inside(archives.made_by("7z", tmp_path, commands))
    assert contents.signs == {Sign.ENCRYPTED}
    assert contents.inside == ()


UNKNOWN = {
    "7z": ["7z", "a", "-m0=PPMd", "OUT.7z", "."],
    "7z-deflate64": ["7z", "a", "-m0=Deflate64", "OUT.7z", "."],
    "zip": ["7z", "a", "-tzip", "-mm=PPMd", "OUT.zip", "."],
    "zip-deflate64": ["7z", "a", "-tzip", "-mm=Deflate64", "OUT.zip", "."],
}


@pytest.mark.parametrize("tool", UNKNOWN)
def test_an_archive_by_a_method_unknown_here_is_named_and_said(tool: str, tmp_path: Path) -> None:
    contents = look_inside(archives.made_by(tool, tmp_path, {tool: [UNKNOWN[tool]]}))
    assert contents.signs == {Sign.UNREADABLE}
    assert set(archives.FILES) <= names(contents)


def test_an_image_with_a_second_list_of_files_is_listed_and_said(tmp_path: Path) -> None:
    command = ["genisoimage", "-quiet", "-udf", "-J", "-input-charset", "utf-8", "-o", "OUT.iso", "."]
    contents = look_inside(archives.made_by("udf", tmp_path, {"udf": [command]}))
    assert contents.signs == {Sign.UNREADABLE}
    assert set(archives.FILES) <= names(contents)


RAR5 = archives.rar5(("a.txt", b"hello", {}), ("evil.exe", EXE, {}), ("b.exe", b"????", {"method": 3}))
RAR4 = archives.rar4(("a.txt", b"hello", {}), ("evil.exe", EXE, {}), ("b.exe", b"????", {"method": 0x33}))


@pytest.mark.parametrize("archive", [RAR5, RAR4], ids=["rar 5", "rar 4"])
def test_a_rar_archive_is_listed_and_what_is_stored_is_read(archive: bytes) -> None:
    contents = look_inside(archive)
    assert names(contents) == {"a.txt", "evil.exe", "b.exe"}
    assert types(contents) == {"a.txt": "text/plain", "evil.exe": EXE_TYPE}
    assert contents.signs == {Sign.LISTED}


@pytest.mark.parametrize(
    ("archive", "sign"),
    [
        (archives.rar5(("a.exe", EXE, {"encrypted": 1})), Sign.ENCRYPTED),
        (archives.rar4(("a.exe", EXE, {"encrypted": 1})), Sign.ENCRYPTED),
        (archives.rar5(header_encrypted=True), Sign.ENCRYPTED),
        (archives.rar4(header_encrypted=True), Sign.ENCRYPTED),
        (archives.rar5(volume=True), Sign.VOLUME),
        (archives.rar4(volume=True), Sign.VOLUME),
        (archives.rar5(("a.txt", b"hello", {}))[:-8] + b"junk" * 9, Sign.MALFORMED),
    ],
)
def test_what_a_rar_archive_says_of_itself(archive: bytes, sign: Sign) -> None:
    assert look_inside(archive).signs == {sign}


@pytest.mark.parametrize(
    ("packed", "outer", "expected"),
    [
        (archives.gzip_of(EXE, "x.exe"), "x.pdf.gz", {"x.exe", "x.pdf"}),
        (archives.gzip_of(EXE), "x.exe.gz", {"x.exe"}),
        (bz2.compress(EXE), "x.exe.bz2", {"x.exe"}),
        (lzma.compress(EXE), "x.exe.xz", {"x.exe"}),
        (lzma.compress(EXE, lzma.FORMAT_ALONE), "x.exe.lzma", {"x.exe"}),
        (archives.gzip_of(EXE, "a.exe") + archives.gzip_of(b"more", "b.txt"), "x.gz", {"a.exe", "x"}),
    ],
)
def test_compressed_files_by_both_names(packed: bytes, outer: str, expected: set[str]) -> None:
    contents = look_inside(packed, (outer,))
    assert names(contents) == expected
    assert set(types(contents).values()) == {EXE_TYPE}
    assert not contents.signs


def _deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush()


LOCAL, ENTRY = archives.zip_entry(b"a.txt", b"harmless")
HIDDEN, HIDDEN_ENTRY = archives.zip_entry(b"evil.exe", EXE)
OTHER_NAME = archives.zip_entry(b"b.exe", b"harmless")[1]
PACKED = _deflated(EXE)
ZOMBIE_LOCAL, ZOMBIE = archives.zip_entry(b"a.txt", PACKED, size=len(EXE), crc=zlib.crc32(EXE))
LYING_LOCAL, LYING = archives.zip_entry(b"a.txt", PACKED, crc=zlib.crc32(EXE))
ORDINARY = archives.zip_with(LOCAL, ENTRY)
JUNK = LOCAL + (b"PK\3\4" + b"\xff" * 26) * 3001
COMMENT = ORDINARY[:-2] + len(archives.zip_with(HIDDEN, HIDDEN_ENTRY)).to_bytes(2, "little")


@pytest.mark.parametrize(
    ("archive", "seen"),
    [
        pytest.param(archives.zip_with(LOCAL, OTHER_NAME), "b.exe", id="another name in the directory"),
        pytest.param(archives.zip_with(LOCAL + HIDDEN, ENTRY), "evil.exe", id="not in the directory"),
        pytest.param(archives.zip_with(HIDDEN, HIDDEN_ENTRY) + ORDINARY, "evil.exe", id="concatenated"),
        pytest.param(COMMENT + archives.zip_with(HIDDEN, HIDDEN_ENTRY), "evil.exe", id="a zip in the comment"),
        pytest.param(ORDINARY + HIDDEN, "evil.exe", id="appended"),
        pytest.param(ORDINARY + b"something", "a.txt", id="data after the end"),
        pytest.param(LOCAL + ORDINARY, "a.txt", id="data before the beginning"),
        pytest.param(ORDINARY[:-22], "a.txt", id="no end"),
        pytest.param(ORDINARY[:-6] + b"\xff\xff\xff\xff\0\0", "a.txt", id="zip64 without its record"),
        pytest.param(archives.zip_with(LOCAL, ENTRY, ENTRY), "a.txt", id="one block twice"),
        pytest.param(LOCAL + ENTRY + archives.zip_end(2, len(ENTRY), len(LOCAL)), "a.txt", id="another count"),
        pytest.param(archives.zip_with(ZOMBIE_LOCAL, ZOMBIE), EXE_TYPE, id="stored but deflated"),
        pytest.param(
            archives.zip_with(*archives.zip_entry(b"a.txt", PACKED, size=len(EXE))),
            EXE_TYPE,
            id="stored, of another size",
        ),
        pytest.param(JUNK, "a.txt", id="very many marks of members"),
        pytest.param(archives.zip_with(LYING_LOCAL, LYING), EXE_TYPE, id="stored but deflated, sizes alike"),
        pytest.param(
            archives.zip_with(*archives.zip_entry(b"a.txt", b"\xff" * 9, method=8)), "a.txt", id="broken data"
        ),
        pytest.param(
            archives.zip_with(archives.zip_entry(b"a.txt", b"x", flags=1)[0], archives.zip_entry(b"a.txt", b"x")[1]),
            "a.txt",
            id="encrypted by one header only",
        ),
    ],
)
def test_a_zip_that_programs_read_differently_is_malformed_and_all_of_it_is_seen(archive: bytes, seen: str) -> None:
    contents = look_inside(archive)
    assert Sign.MALFORMED in contents.signs
    assert seen in names(contents) | set(types(contents).values())


MASKED = archives.zip_with(LOCAL, archives.zip_entry(b"a.txt", b"harmless", flags=0x2000)[1])
FULL = _deflated(b"text " * 900)


@pytest.mark.parametrize(
    ("archive", "signs"),
    [
        pytest.param(MASKED, {Sign.ENCRYPTED}, id="directory encrypted"),
        pytest.param(
            archives.zip_with(b"", archives.zip_entry(b"a.txt", b"", local=999)[1]),
            {Sign.MALFORMED},
            id="no local header",
        ),
        pytest.param(
            archives.zip_with(*archives.zip_entry(b"a.txt", FULL[:-20], method=8, size=4500)),
            {Sign.MALFORMED},
            id="deflated data cut off",
        ),
        pytest.param(
            archives.zip_with(*archives.zip_entry(b"a.txt", FULL, method=8, size=4000)),
            {Sign.MALFORMED},
            id="more than declared",
        ),
        pytest.param(
            archives.zip_with(*archives.zip_entry(b"a.txt", b"\xff" * 90, method=14, size=90)),
            {Sign.MALFORMED},
            id="lzma without properties",
        ),
        pytest.param(
            archives.zip_with(*archives.zip_entry(b"a.txt", b"\0\0\5\0\x5d\0\0\0\x10" + bytes(90), method=14, size=90)),
            {Sign.OVER_LIMIT},
            id="lzma with a dictionary of 256 MiB",
        ),
    ],
)
def test_other_signs_of_a_zip(archive: bytes, signs: set[Sign]) -> None:
    contents = look_inside(archive)
    assert names(contents) == {"a.txt"}
    assert contents.signs == signs


FILLED = _deflated(b"x") + bytes(1_100_000)
ELSEWISE = archives.zip_entry(b"a.txt", b"harmless", method=97)[0]


@pytest.mark.parametrize(
    ("octets", "signs"),
    [
        pytest.param(b"PK00" + ORDINARY, set(), id="of several pieces, in one"),
        pytest.param(b"PK00PK00" + ORDINARY, {Sign.MALFORMED}, id="more before it"),
        pytest.param(b"PK\1\1" + ORDINARY, {Sign.MALFORMED}, id="something else before it"),
        pytest.param(archives.zip_with(ELSEWISE, ENTRY), {Sign.MALFORMED, Sign.UNREADABLE}, id="by another method"),
        pytest.param(
            archives.zip_with(*archives.zip_entry(b"a.txt", FILLED, method=8, size=1, crc=zlib.crc32(b"x"))),
            {Sign.MALFORMED},
            id="packed into very much more than it is",
        ),
    ],
)
def test_what_a_zip_says_of_itself(octets: bytes, signs: set[Sign]) -> None:
    contents = look_inside(octets)
    assert "a.txt" in names(contents)
    assert contents.signs == signs


def test_very_many_marks_of_members_are_over_the_limit() -> None:
    assert look_inside(JUNK).signs == {Sign.MALFORMED, Sign.OVER_LIMIT}


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"PK\3\4", True),
        (archives.zip_end(0, 0, 0), True),
        (b"PK00PK\3\4", True),
        (b"PK00PK\1\2", False),
        (b"\xff\xd8" + ORDINARY, True),
        (b"\xff\xd8" + ENTRY + archives.zip_end(0, len(ENTRY), 0), True),
        (b"\xff\xd8" + archives.zip_end(1, 0, 0), False),
        (b"\xff\xd8", False),
    ],
)
def test_what_is_a_zip(octets: bytes, expected: bool) -> None:
    assert is_zip(octets) is expected


def test_a_zip_behind_something_else_is_found_by_its_end() -> None:
    contents = look_inside(b"\xff\xd8\xff\xe0" + bytes(2000) + archives.zip_of({"evil.exe": EXE}))
    assert names(contents) == {"evil.exe"}


def test_zip64_is_read_and_its_lies_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open("evil.exe", "w", force_zip64=True) as member:
        member.write(EXE)
    octets = path.read_bytes()
    assert look_inside(octets).signs == frozenset()
    at = octets.rfind(b"PK\x05\x06")
    start = octets.rfind(b"PK\x01\x02")
    end64 = b"PK\x06\x06" + (44).to_bytes(8, "little") + bytes(12)
    facts = [(1).to_bytes(8, "little"), (1).to_bytes(8, "little"), (at - start).to_bytes(8, "little")]
    end64 += b"".join(facts) + start.to_bytes(8, "little")
    for offset, signs in ((at, frozenset()), (at - 7, frozenset({Sign.MALFORMED}))):
        locator = b"PK\x06\x07" + bytes(4) + offset.to_bytes(8, "little") + (1).to_bytes(4, "little")
        changed = octets[:at] + end64 + locator + octets[at:]
        contents = look_inside(changed)
        assert names(contents) == {"evil.exe"}
        assert contents.signs == signs


def test_a_method_that_cannot_be_undone_is_said() -> None:
    local, entry = archives.zip_entry(b"a.exe", b"x" * 50, method=97)
    contents = look_inside(archives.zip_with(local, entry))
    assert names(contents) == {"a.exe"}
    assert contents.signs == {Sign.UNREADABLE}


def _nested(depth: int, content: bytes = EXE) -> bytes:
    for level in range(depth):
        content = archives.zip_of({f"{level}.zip" if level else "evil.exe": content})
    return content


def test_nested_archives_are_seen_to_the_limit_of_depth() -> None:
    at_limit = look_inside(_nested(5))
    assert "evil.exe" in names(at_limit)
    assert at_limit.signs == frozenset()
    assert look_inside(_nested(6)).signs == {Sign.OVER_LIMIT}


def _bomb_of_bombs() -> bytes:
    layer = archives.zip_of({f"{n}": bytes(4_000_000) for n in range(16)})
    for _ in range(3):
        layer = archives.zip_of({f"{n}.zip": layer for n in range(16)})
    return layer


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(_bomb_of_bombs(), id="nested"),
        pytest.param(archives.overlapping_bomb(2000), id="overlapping"),
        pytest.param(archives.gzip_of(bytes(60_000_000)), id="gzip"),
        pytest.param(archives.gzip_of(archives.gzip_of(archives.tar_of({"a": bytes(70_000_000)}))), id="gzip twice"),
        pytest.param(archives.zip_of({f"{n}": b"" for n in range(3001)}), id="members"),
        pytest.param(
            archives.zip_with(*archives.zip_entry(b"a", b"\0" * 20, method=8, size=2**31)), id="declared only"
        ),
    ],
)
def test_bombs_are_over_the_limit(bomb: bytes) -> None:
    assert Sign.OVER_LIMIT in look_inside(bomb).signs


def test_the_budget_is_what_is_unpacked_altogether() -> None:
    limits = Limits(always=100_000, ratio=1)
    small = archives.zip_of({"a": bytes(60_000)})
    assert look_inside(small, limits=limits).signs == frozenset()
    assert look_inside(archives.zip_of({"a": bytes(60_000), "b": bytes(60_000)}), limits=limits).signs == {
        Sign.OVER_LIMIT
    }


TAR = archives.tar_of({"a.txt": b"hello", "b.txt": b"world"})


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(TAR[:1024] + b"junk" * 128 + TAR[1024:], id="tar with something between"),
        pytest.param(TAR[:515], id="tar cut off in a member"),
        pytest.param(b"MSCF\0\0\0\0" + bytes(8) + b"\x24\0\0\0" + bytes(8) + b"\1\0" + bytes(6), id="cab cut off"),
        pytest.param(b"7z\xbc\xaf\x27\x1c\0\4" + bytes(10), id="7z cut off"),
        pytest.param(archives.gzip_of(EXE)[:-9], id="gzip cut off"),
        pytest.param(bz2.compress(EXE)[:-9], id="bzip2 cut off"),
        pytest.param(lzma.compress(EXE)[:-9], id="xz cut off"),
        pytest.param(archives.gzip_of(EXE) + b"more", id="gzip with something after it"),
        pytest.param(archives.rar4(("a", b"b", {}))[:-8] + b"junk" * 9, id="rar with something in it"),
    ],
)
def test_a_damaged_archive_is_malformed(archive: bytes) -> None:
    assert look_inside(archive).signs == {Sign.MALFORMED}


@pytest.mark.parametrize("name", ["a.zip.001", "a.001", "a.r00", "a.part01.rar", "a.z01", "a.a01", "a.c00"])
def test_a_piece_of_an_archive_is_said(name: str) -> None:
    assert Sign.VOLUME in look_inside(b"a later piece", (name,)).signs
    assert Sign.VOLUME in look_inside(archives.zip_of({"a": b""}), (name,)).signs


def test_a_java_archive_is_one_behind_anything_and_in_any_order() -> None:
    jar = archives.zip_of({"A.class": b"x", "META-INF/MANIFEST.MF": b"Manifest-Version: 1.0"})
    for octets in (jar, b"GIF89a" + bytes(50) + jar):
        assert "application/java-archive" in {inside.declared for inside in look_inside(octets).inside}
    sources = archives.zip_of({"src/META-INF/MANIFEST.MF": b"x"})
    assert {inside.declared for inside in look_inside(sources).inside} == {""}


def test_the_end_of_a_very_long_name_is_kept() -> None:
    (inside,) = look_inside(archives.zip_of({"a/" * 600 + "x.js": b"x"})).inside
    assert inside.names[0].endswith("/x.js")


def _summed(archive: bytes, *, signed: bool) -> bytes:
    header = archive[:148] + b" " * 8 + archive[156:512]
    total = sum(octet - 256 * (signed and octet > 127) for octet in header)
    return archive[:148] + b"%06o\0 " % total + archive[156:]


def test_a_tar_of_a_program_that_counts_octets_as_signed_is_read() -> None:
    plain = tarfile.TarInfo("gr\u00fc\u00dfe.js").tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    assert _summed(plain, signed=False) == plain
    contents = look_inside(_summed(plain, signed=True))
    assert contents.inside[0].names == ("gr\u00fc\u00dfe.js",)
    assert not contents.signs


def test_a_tar_goes_on_after_a_header_that_is_damaged() -> None:
    contents = look_inside(b"X" + archives.tar_of({"a.txt": b"x"})[1:] + archives.tar_of({"x.js": b"x"}))
    assert "x.js" in {name for inside in contents.inside for name in inside.names}
    assert contents.signs == {Sign.MALFORMED}


def test_a_line_end_in_a_path_of_a_tar_does_not_hide_its_ending() -> None:
    records = b"20 path=a.txt\nb.js\n\n"
    assert len(records) == 20
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, len(records)
    packed = info.tobuf(tarfile.USTAR_FORMAT) + records.ljust(512, b"\0") + archives.tar_of({"short": b"x"})
    assert any("a.txt\nb.js" in name for inside in look_inside(packed).inside for name in inside.names)
