"""Cabinets: what is in MSZIP is read block by block; other methods are named only, and said to be unreadable."""

import struct
import subprocess
from pathlib import Path

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.member import Sign
from tests.support.archive_samples import Cabinet
from tests.support.mail_samples import EXE
from tests.support.programs import needed

EXE_TYPE = "application/x-msdownload"
TEXT = b"".join(b"line %d\n" % number for number in range(9000))
BLOCKS = (TEXT[:32768], TEXT[32768:65536], TEXT[:1000] + EXE)
"""The third refers back to nothing but the second."""
FILES = (("a.txt", 0, 66536), ("sub\\größe.bin", 66536, len(EXE)))
PLAIN = Cabinet(FILES, BLOCKS)


def types(contents: Contents) -> dict[str, str]:
    return {inside.path: one.type for inside in contents.inside for one in inside.detected}


@pytest.mark.parametrize(
    "cabinet",
    [
        pytest.param(PLAIN, id="mszip"),
        pytest.param(PLAIN._replace(method=0), id="stored"),
        pytest.param(PLAIN._replace(reserved=b"signed"), id="reserved octets"),
        pytest.param(PLAIN._replace(reserved=b"signed", folders=3), id="several folders"),
        pytest.param(PLAIN._replace(files=FILES[::-1]), id="files out of order"),
    ],
)
def test_the_content_is_read(cabinet: Cabinet) -> None:
    contents = look_inside(cabinet.octets())
    assert types(contents) == {"a.txt": "text/plain", "sub/größe.bin": EXE_TYPE}
    assert contents.signs == frozenset()


@pytest.mark.parametrize(
    ("cabinet", "signs"),
    [
        pytest.param(PLAIN._replace(before=b"1.cab\0disk\0"), {Sign.VOLUME}, id="one of several"),
        pytest.param(PLAIN._replace(after=b"3.cab\0disk\0"), {Sign.VOLUME}, id="one of several, first"),
        pytest.param(PLAIN._replace(method=0x1503), {Sign.UNREADABLE}, id="lzx"),
        pytest.param(PLAIN._replace(method=2), {Sign.UNREADABLE}, id="quantum"),
        pytest.param(PLAIN._replace(prefix=b"XX"), {Sign.MALFORMED}, id="blocks of another kind"),
        pytest.param(PLAIN._replace(blocks=BLOCKS[:2]), {Sign.MALFORMED}, id="content missing"),
        pytest.param(PLAIN._replace(blocks=(bytes(40_000),)), {Sign.MALFORMED}, id="a block that is too large"),
    ],
)
def test_what_a_cabinet_says_of_itself(cabinet: Cabinet, signs: set[Sign]) -> None:
    contents = look_inside(cabinet.octets())
    assert {inside.path for inside in contents.inside} == {"a.txt", "sub/größe.bin"}
    assert contents.signs == signs
    assert (EXE_TYPE in types(contents).values()) is (signs == {Sign.VOLUME})


def _patched(cabinet: Cabinet, old: bytes, new: bytes) -> bytes:
    octets = cabinet.octets()
    assert octets.count(old) == 1
    return octets.replace(old, new)


LARGE = Cabinet((("a.txt", 0, 10),), (bytes(40_000),))
STORED = Cabinet((("a.txt", 0, 10),), (b"0123456789",), method=0)
BLOCK = struct.pack("<IHH", 0, 10, 10)
LISTED, LISTED_ELSEWHERE = (struct.pack("<IIHHHH", 10, 0, folder, 0, 0, 0x80) for folder in (0, 1))


@pytest.mark.parametrize(
    ("octets", "signs"),
    [
        pytest.param(b"MSCF\0\0\0\0\0\0", {Sign.MALFORMED}, id="no header"),
        pytest.param(PLAIN.octets()[:40], {Sign.MALFORMED}, id="no folders"),
        pytest.param(STORED.octets()[:-15], {Sign.MALFORMED}, id="cut off before a block"),
        pytest.param(PLAIN.octets()[:-15], {Sign.MALFORMED}, id="cut off in a block"),
        pytest.param(
            _patched(PLAIN._replace(blocks=BLOCKS[2:], files=FILES[1:]), b"CK", b"CK\xff"),
            {Sign.MALFORMED},
            id="no deflated data",
        ),
        pytest.param(
            _patched(LARGE, struct.pack("<H", 40_000), struct.pack("<H", 32_768)),
            {Sign.MALFORMED},
            id="more than a block may hold",
        ),
        pytest.param(_patched(STORED, LISTED, LISTED_ELSEWHERE), {Sign.UNREADABLE}, id="no such folder"),
        pytest.param(STORED.octets().partition(b"\0" + BLOCK)[0], {Sign.MALFORMED}, id="a name without an end"),
    ],
)
def test_a_damaged_cabinet(octets: bytes, signs: set[Sign]) -> None:
    assert look_inside(octets).signs == signs


def test_a_file_whose_name_has_no_end_is_none() -> None:
    assert look_inside(STORED.octets().partition(b"\0" + BLOCK)[0]).inside == ()


def test_each_folder_has_a_method_of_its_own() -> None:
    cabinet = PLAIN._replace(folders=2, reserved=b"signed")
    first = struct.pack("<HH", len(BLOCKS), 1) + b"signed"
    octets = cabinet.octets()
    assert octets.count(first) == 2
    contents = look_inside(octets.replace(first, first.replace(b"\1\0signed", b"\2\0signed"), 1))
    assert types(contents) == {"a.txt": "text/plain", "sub/größe.bin": EXE_TYPE}
    assert contents.signs == frozenset()


def test_a_block_of_another_size_than_it_says_is_malformed() -> None:
    said = struct.pack("<HH", 32768, 32768)
    octets = PLAIN._replace(method=0).octets().replace(said, struct.pack("<HH", 32768, 9), 1)
    assert look_inside(octets).signs == {Sign.MALFORMED}


def test_files_that_would_have_the_stream_read_again_and_again_are_over_the_limit() -> None:
    files = tuple((f"{n}", (n + 1) % 2 * 66536, 10) for n in range(100))
    assert look_inside(PLAIN._replace(files=files).octets()).signs == {Sign.OVER_LIMIT}


def test_a_bomb_is_over_the_limit() -> None:
    block = bytes(32768)
    cabinet = Cabinet((("a", 0, 32768 * 3000),), (block,) * 3000)
    assert look_inside(cabinet.octets()).signs == {Sign.OVER_LIMIT}


def test_other_programs_read_what_is_made_here(tmp_path: Path) -> None:
    """So that the samples are cabinets, and not what we take for one."""
    needed("cabextract")
    (tmp_path / "a.cab").write_bytes(PLAIN.octets())
    subprocess.run(["cabextract", "-q", "a.cab"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "sub" / "größe.bin").read_bytes() == EXE
    assert (tmp_path / "a.txt").read_bytes() == b"".join(BLOCKS)[:66536]
