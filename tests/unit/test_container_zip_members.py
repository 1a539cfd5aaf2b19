"""Members of a zip file: which are read, as far as where, and what may differ between a header and the directory."""

import struct
import zlib

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.member import Sign
from services.screener.containers.zip_archive import is_buried_zip
from tests.support.archive_samples import zip_end, zip_entry, zip_of, zip_with
from tests.support.mail_samples import EXE

LOCAL, ENTRY = zip_entry(b"a.txt", b"harmless")
ORDINARY = zip_with(LOCAL, ENTRY)
PICTURE = b"GIF89a" + bytes(50)
FOLLOWING = b"PK\7\x08" + struct.pack("<III", zlib.crc32(b"harmless"), 8, 8)


def paths(contents: Contents) -> list[str]:
    return [inside.path for inside in contents.inside]


def programs(contents: Contents) -> list[str]:
    return [inside.path for inside in contents.inside if any(one.extension == "exe" for one in inside.detected)]


@pytest.mark.parametrize(
    ("local", "signs"),
    [
        (LOCAL, set()),
        (zip_entry(b"a.txt", b"harmless", flags=8, crc=0, packed=0, size=0)[0] + FOLLOWING, set()),
        (zip_entry(b"a.txt", b"harmless", packed=0, size=0)[0], {Sign.MALFORMED}),
        (zip_entry(b"a.txt", b"harmless", size=9)[0], {Sign.MALFORMED}),
    ],
    ids=["the same sizes", "sizes that follow", "none", "others"],
)
def test_a_member_and_the_directory_agree_on_its_sizes(local: bytes, signs: set[Sign]) -> None:
    assert look_inside(zip_with(local, ENTRY)).signs == signs


def test_where_the_directory_is_encrypted_the_name_before_a_member_is_another() -> None:
    local, _ = zip_entry(b"1", b"harmless")
    _, entry = zip_entry(b"a.txt", b"harmless", flags=0x2000)
    assert look_inside(zip_with(local, entry)).signs == {Sign.ENCRYPTED}


def test_a_folder_has_no_content_by_whatever_method() -> None:
    contents = look_inside(zip_with(*zip_entry(b"a/", b"", method=8)))
    assert contents.signs == frozenset()
    assert [inside.detected for inside in contents.inside] == [()]


def test_a_member_without_a_name_in_the_directory_has_its_own() -> None:
    contents = look_inside(zip_with(zip_entry(b"a.exe", EXE)[0], zip_entry(b"", EXE)[1]))
    assert [inside.names for inside in contents.inside] == [("a.exe",)]


@pytest.mark.parametrize(
    ("name", "say"), [(b"a/", {}), (b"a", {"size": 0})], ids=["called as a folder", "said to be empty"]
)
def test_what_looks_empty_is_read_if_it_has_content(name: bytes, say: dict[str, int]) -> None:
    assert len(programs(look_inside(zip_with(*zip_entry(name, EXE, **say))))) == 1


def test_a_file_that_is_said_to_have_content_and_has_none_is_malformed() -> None:
    contents = look_inside(zip_with(*zip_entry(b"a", b"", size=5)))
    assert contents.signs == {Sign.MALFORMED}
    assert look_inside(zip_with(*zip_entry(b"a", b""))).signs == frozenset()


FIRST, SECOND = (zip_entry(name, EXE)[0] for name in (b"1.exe", b"2.exe"))
DEFLATED = zlib.compress(EXE, wbits=-15)


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [
        (FIRST + SECOND, ["1.exe", "2.exe"]),
        (zip_entry(b"in.zip", zip_of({"x.exe": EXE}))[0], ["in.zip/x.exe"]),
        (zip_entry(b"1.exe", DEFLATED, method=8, flags=8, crc=0, packed=0, size=0)[0], ["1.exe"]),
        (zip_entry(b"", EXE)[0], []),
    ],
    ids=["two", "an archive", "one whose size follows", "one without a name"],
)
def test_members_that_no_directory_names(hidden: bytes, expected: list[str]) -> None:
    """Behind a picture nothing is wrong with them, in an archive they are what programs differ on."""
    contents = look_inside(PICTURE + hidden + ORDINARY)
    assert sorted(programs(contents)) == expected
    assert paths(contents).count("x.exe") == 0
    assert contents.signs == frozenset()


def test_a_member_that_no_directory_names_ends_where_the_next_one_begins() -> None:
    hidden = zip_entry(b"1.exe", EXE, packed=9999, size=0)[0]
    sizes = {inside.size for inside in look_inside(PICTURE + hidden + ORDINARY).inside if inside.path == "1.exe"}
    assert max(sizes) == len(EXE)


@pytest.mark.parametrize(
    ("buried", "expected"),
    [
        (ORDINARY, True),
        (zip_end(1, 0, 0), False),
        (b"PK\5\6" + b"\xff" * 40, False),
        (b"PK\5\6" + b"\xff" * 40 + ORDINARY, True),
        (zip_end(1, 0, 0) * 65, True),
        (zip_end(1, 0, 0) * 64, False),
    ],
    ids=["one", "an end alone", "an end cut off", "one behind an end", "very many ends", "many ends"],
)
def test_an_archive_that_stands_anywhere(buried: bytes, expected: bool) -> None:
    assert is_buried_zip(bytes(99) + buried + bytes(99)) is expected
