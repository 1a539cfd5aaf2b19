"""The records of a zip file: which are whole, which directory counts, and what is in doubt about it."""

import struct

import pytest

from services.screener.containers.zip_records import Directory, directory_entries, find_directory, local_header
from tests.support.archive_samples import zip_end, zip_entry

LOCAL, ENTRY = zip_entry(b"a.txt", b"harmless")
FULL = 0xFFFFFFFF


def ended(*, disk: int = 0, first: int = 0, here: int = 1, count: int = 1, offset: int | None = None) -> bytes:
    """Return a zip file of one member whose end says this."""
    at = len(LOCAL) if offset is None else offset
    return LOCAL + ENTRY + struct.pack("<4sHHHHIIH", b"PK\5\6", disk, first, here, count, len(ENTRY), at, 0)


def with_zip64(count: int = 1, short: int = 1, mark: bytes = b"PK\6\6", size: int = FULL, offset: int = FULL) -> bytes:
    """Return a zip file with a zip64 end record that counts so many, before an end that says `short`."""
    before = LOCAL + ENTRY
    facts = struct.pack("<QQQQ", count, count, len(ENTRY), len(LOCAL))
    record = mark + struct.pack("<QHHII", 44, 45, 45, 0, 0) + facts
    locator = b"PK\6\7" + struct.pack("<IQI", 0, len(before), 1)
    return before + record + locator + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, short, short, size, offset, 0)


def directory(octets: bytes) -> Directory:
    found = find_directory(octets)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("octets", "doubtful"),
    [
        (ended(), False),
        (ended(disk=0xFFFF, first=0xFFFF), False),
        (ended(here=2), True),
        (ended(disk=1, first=1), True),
        (ended(disk=0, first=0xFFFF), True),
        (ended(offset=FULL), True),
        (ended(here=0xFFFF, count=0xFFFF), True),
        (ended()[:-10] + b"\xff\xff\xff\xff" + ended()[-6:], True),
        (with_zip64(), False),
        (with_zip64(short=0xFFFF), False),
        (with_zip64(size=len(ENTRY), offset=len(LOCAL)), False),
        (with_zip64(short=2), True),
        (with_zip64(size=1), True),
        (with_zip64(offset=1), True),
        (with_zip64(mark=b"PK\6\1"), True),
        (b"PK\6\7" + bytes(16) + zip_end(0, 0, 0), False),
        (LOCAL + ENTRY + zip_end(1, len(ENTRY), len(LOCAL), zip_end(1, 0, 0)), True),
    ],
)
def test_whether_an_end_is_the_whole_truth(octets: bytes, doubtful: bool) -> None:
    assert directory(octets).doubtful is doubtful


def test_the_end_that_reaches_the_end_of_the_file_counts() -> None:
    """One in the comment of another does not; where none reaches it, the last one does."""
    comment = zip_end(7, 0, 0) + b"more"
    assert directory(LOCAL + ENTRY + zip_end(1, len(ENTRY), len(LOCAL), comment)).entries == 1
    assert directory(zip_end(2, 0, 0) + zip_end(3, 0, 0) + b"more").entries == 3
    assert directory(b"".join(zip_end(n, 0, 0) for n in range(1, 30)) + b"more").entries == 29
    assert not directory(LOCAL + ENTRY + zip_end(1, len(ENTRY), len(LOCAL), comment)).doubtful


@pytest.mark.parametrize("octets", [b"", b"PK\5\6", zip_end(1, 0, 0)[:21], zip_end(1, 0, 0, b"comment")[:-1]])
def test_an_end_that_is_cut_off_is_none(octets: bytes) -> None:
    assert find_directory(octets) is None


@pytest.mark.parametrize("octets", [b"", LOCAL[:29], LOCAL[:33], b"PK\3\5" + LOCAL[4:]])
def test_a_local_header_that_is_not_whole_is_none(octets: bytes) -> None:
    assert local_header(octets, 0) is None


def test_entries_end_with_the_directory_and_at_what_is_none() -> None:
    def names(octets: bytes, end: int) -> list[bytes]:
        return [entry.name for entry in directory_entries(octets, Directory(0, end, 9, 0, end, doubtful=False))]

    assert names(ENTRY * 3, 3 * len(ENTRY)) == [b"a.txt"] * 3
    assert names(ENTRY * 3, 2 * len(ENTRY)) == [b"a.txt"] * 2
    assert names(ENTRY * 2 + ENTRY[:45], 2 * len(ENTRY) + 45) == [b"a.txt"] * 2
    assert names(ENTRY + b"X" * 99 + ENTRY, 2 * len(ENTRY) + 99) == [b"a.txt"]


def with_extra(extra: bytes, **say: int) -> bytes:
    local, _ = zip_entry(b"a.txt", b"", **say)
    return local[:28] + struct.pack("<H", len(extra)) + local[30:] + extra


def field(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


@pytest.mark.parametrize(
    ("extra", "names"),
    [
        (field(0x7075, bytes(5) + b"x.exe"), (b"x.exe",)),
        (field(1, b"") + field(0x7075, bytes(5) + b"x.exe"), (b"x.exe",)),
        (field(0x7075, bytes(5) + b"x.exe") + field(0x7075, bytes(5)), (b"x.exe",)),
        (field(0x7075, bytes(5)), ()),
        (field(0x7076, bytes(5) + b"x.exe"), ()),
        (field(0x7075, bytes(5) + b"x.exe")[:3], ()),
        (field(0x7075, bytes(5) + b"x.exe") + field(0x7075, bytes(5) + b"x.txt"), (b"x.exe", b"x.txt")),
    ],
)
def test_the_names_in_utf_8(extra: bytes, names: tuple[bytes, ...]) -> None:
    header = local_header(with_extra(extra), 0)
    assert header is not None
    assert header.unicode_names == names


@pytest.mark.parametrize(
    ("say", "extra", "expected"),
    [
        ({"size": FULL, "packed": FULL}, struct.pack("<QQ", 5, 6), (5, 6)),
        ({"size": FULL, "packed": 7}, struct.pack("<QQ", 5, 6), (5, 7)),
        ({"size": 7, "packed": FULL}, struct.pack("<QQ", 5, 6), (7, 5)),
        ({"size": 7, "packed": 8}, struct.pack("<QQ", 5, 6), (7, 8)),
        ({"size": FULL, "packed": FULL}, struct.pack("<Q", 5), (5, FULL)),
        ({"size": FULL, "packed": FULL}, b"", (FULL, FULL)),
    ],
)
def test_sizes_beyond_four_gib(say: dict[str, int], extra: bytes, expected: tuple[int, int]) -> None:
    header = local_header(with_extra(field(1, extra), **say), 0)
    assert header is not None
    assert (header.size, header.packed) == expected


@pytest.mark.parametrize(
    ("say", "encrypted"), [({}, False), ({"flags": 1}, True), ({"method": 99}, True), ({"flags": 8}, False)]
)
def test_what_is_encrypted(say: dict[str, int], encrypted: bool) -> None:
    header = local_header(with_extra(b"", **say), 0)
    assert header is not None
    assert header.is_encrypted is encrypted
