"""Old Office documents: compound files that are damaged or odd, and what Office keeps in them."""

import struct

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.documents.compound import Compound
from services.screener.containers.member import Sign
from tests.support.document_samples import END, FREE, compound, native
from tests.support.mail_samples import EXE

NATIVE = "\x01Ole10Native"
SMALL = compound({NATIVE: native(b"x.exe", EXE)})
LARGE = compound({NATIVE: native(b"x.exe", EXE * 9)})
DIRECTORY_AT, MINI_TABLE_AT, FURTHER_AT, LISTS_AT = 48, 60, 68, 76


def number(octets: bytes, at: int) -> int:
    return int.from_bytes(octets[at : at + 4], "little")


def changed(octets: bytes, *changes: tuple[int, int]) -> bytes:
    """Return a file with numbers of four octets changed."""
    new = bytearray(octets)
    for at, value in changes:
        new[at : at + 4] = value.to_bytes(4, "little")
    return bytes(new)


def sector(octets: bytes, wanted: int) -> int:
    """Return where a sector begins."""
    return (wanted + 1) << octets[30]


def entry(octets: bytes, wanted: int) -> int:
    """Return where an entry of the directory begins."""
    return sector(octets, number(octets, DIRECTORY_AT)) + 128 * wanted


def has_program(contents: Contents) -> bool:
    return any(one.extension == "exe" for inside in contents.inside for one in inside.detected)


def with_lists_elsewhere(octets: bytes, last: int) -> bytes:
    """Return a file that says where its table is in a sector of its own, at the end, and not in the header."""
    size = 1 << octets[30]
    mine = len(octets) // size - 1
    lists = octets[LISTS_AT : LISTS_AT + 436]
    further = (lists + struct.pack("<I", FREE) * size)[: size - 4] + struct.pack("<I", mine if last < 0 else last)
    return changed(octets, (FURTHER_AT, mine))[:LISTS_AT] + b"\xff" * 436 + octets[LISTS_AT + 436 :] + further


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(SMALL, id="mini stream"),
        pytest.param(LARGE, id="sectors"),
        pytest.param(compound({NATIVE: native(b"x.exe", EXE)}, sector=4096), id="large sectors, mini stream"),
        pytest.param(compound({NATIVE: native(b"x.exe", EXE * 9)}, sector=4096), id="large sectors"),
        pytest.param(compound({"a": b"x", f"b/c/{NATIVE}": native(b"x.exe", EXE)}), id="in a storage"),
        pytest.param(compound({"a/CONTENTS": EXE}), id="contents"),
        pytest.param(compound({"a/Package": EXE}), id="package"),
        pytest.param(changed(LARGE, (entry(LARGE, 1) + 124, FREE)), id="a size beyond four octets"),
        pytest.param(with_lists_elsewhere(LARGE, END), id="its table elsewhere"),
        pytest.param(with_lists_elsewhere(LARGE, -1), id="a list that leads to itself"),
        pytest.param(changed(LARGE, (FURTHER_AT, 99_999)), id="further lists behind the end"),
        pytest.param(changed(LARGE, (entry(LARGE, 1) + 72, 1)), id="an entry that is its own neighbour"),
    ],
)  # fmt: skip
def test_the_file_inside_is_found(octets: bytes) -> None:
    contents = look_inside(octets)
    assert has_program(contents)
    assert contents.signs == frozenset()


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(changed(LARGE, (30, 0x0006_000A)), id="sectors of another size"),
        pytest.param(LARGE[:511], id="cut off"),
        pytest.param(LARGE[:LISTS_AT] + b"\xff" * 436 + LARGE[LISTS_AT + 436 :], id="no table"),
        pytest.param(changed(LARGE, (DIRECTORY_AT, END)), id="no directory"),
    ],
)
def test_a_file_that_nobody_can_read_is_malformed(octets: bytes) -> None:
    assert look_inside(octets).signs == {Sign.MALFORMED}


def test_a_stream_ends_where_the_file_has_no_more_of_it() -> None:
    for octets in (changed(SMALL, (MINI_TABLE_AT, END)), changed(LARGE, (entry(LARGE, 1) + 116, 99_999))):
        (stream,) = Compound(octets).streams()
        assert Compound(octets).read(stream) == b""


def test_a_chain_that_leads_to_itself_ends() -> None:
    first = number(LARGE, entry(LARGE, 1) + 116)
    round_in_circles = changed(LARGE, (sector(LARGE, number(LARGE, LISTS_AT)) + 4 * first, first))
    (stream,) = Compound(round_in_circles).streams()
    assert len(Compound(round_in_circles).read(stream)) == stream.size


def test_no_more_is_read_than_asked() -> None:
    for octets in (SMALL, LARGE):
        (stream,) = Compound(octets).streams()
        assert Compound(octets).read(stream, 12) == Compound(octets).read(stream)[:12]


def test_a_storage_that_is_called_as_a_package_is_none() -> None:
    assert look_inside(compound({f"{NATIVE}/a": b"x"})).inside == ()


def test_a_package_has_only_the_names_that_it_says() -> None:
    (inside,) = look_inside(compound({NATIVE: native(b"", EXE)})).inside
    assert inside.names == ("C:\\tmp\\",)


WORKBOOK = bytes.fromhex("0908100000060500") + bytes(12)
SHEET = b"\x85\0\7\0\0\0\0\0\0\1a"


@pytest.mark.parametrize(
    ("streams", "signs"),
    [
        ({"A/_VBA_PROJECT": b"x"}, {Sign.MACRO}),
        ({"_VBA_PROJECT_CUR/A": b"x"}, {Sign.MACRO}),
        ({"Macros/VBA/A": b"x"}, {Sign.MACRO}),
        ({"VBAX/A": b"x"}, set()),
        ({"Workbook": WORKBOOK + SHEET}, {Sign.MACRO}),
        ({"Book": WORKBOOK + SHEET}, {Sign.MACRO}),
        ({"Other": WORKBOOK + SHEET}, set()),
        ({"Workbook": WORKBOOK + SHEET.replace(b"\x85", b"\x86")}, set()),
        ({"Workbook": WORKBOOK + SHEET.replace(b"\1a", b"\0a")}, set()),
        ({"Workbook": WORKBOOK + b"\x2f\0\2\0\0\0" + SHEET}, {Sign.ENCRYPTED}),
        ({"Workbook": WORKBOOK + b"\x0a\0\0\0\x2f"}, set()),
        ({"WordDocument": bytes(11) + b"\1"}, {Sign.ENCRYPTED}),
        ({"WordDocument": bytes(11) + b"\2"}, set()),
        ({"WordDocument": bytes(5)}, set()),
        ({"A/WordDocument": bytes(11) + b"\1"}, set()),
        ({"Current User": bytes(12) + b"\xdf\xc4\xd1\xf3"}, {Sign.ENCRYPTED}),
        ({"Current User": bytes(12) + b"\x5f\xc0\x91\xe3"}, set()),
        ({"Other": bytes(12) + b"\xdf\xc4\xd1\xf3"}, set()),
        ({"EncryptedPackage": b"x"}, {Sign.ENCRYPTED}),
    ],
)
def test_what_office_keeps_in_it(streams: dict[str, bytes], signs: set[Sign]) -> None:
    assert look_inside(compound(streams)).signs == signs


@pytest.mark.parametrize(("kind", "signs"), [(0x40, {Sign.MACRO}), (0x100, {Sign.MACRO}), (0x10, set()), (0x20, set())])
def test_sheets_from_before_compound_files(kind: int, signs: set[Sign]) -> None:
    assert look_inside(b"\x09\x04\x06\0\0\0" + struct.pack("<HH", kind, 0)).signs == signs
