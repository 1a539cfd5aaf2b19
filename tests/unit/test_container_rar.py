"""RAR archives, block by block: names in both formats, and what is said of content that nobody here can unpack."""

import struct

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.member import Sign
from services.screener.containers.rar import NEW, OLD
from tests.support.mail_samples import EXE

HUGE = 2 * 1024 * 1024


def number(value: int) -> bytes:
    return bytes((value,)) if value < 128 else bytes((value & 127 | 128,)) + number(value >> 7)


def block(kind: int, body: bytes = b"", data: bytes = b"", flags: int = 0, extra: bytes = b"") -> bytes:
    """Return a block of RAR 5; the flags for data and an extra area are added where there are any."""
    flags |= 1 * bool(extra) | 2 * bool(data)
    header = number(kind) + number(flags) + (number(len(extra)) if extra else b"")
    header += (number(len(data)) if data else b"") + body + extra
    return bytes(4) + number(len(header)) + header + data


def facts(name: bytes, size: int, flags: int = 0, method: int = 0) -> bytes:
    times = bytes(4) * (bool(flags & 2) + bool(flags & 4))
    return number(flags) + number(size) + number(0) + times + number(method << 7) + number(0) + number(len(name)) + name


def file(name: bytes, data: bytes = EXE, flags: int = 0, method: int = 0, extra: bytes = b"") -> bytes:
    return block(2, facts(name, len(data), flags, method), data, extra=extra)


def record(kind: int, body: bytes = b"") -> bytes:
    """Return one of the records of an extra area."""
    return number(len(number(kind)) + len(body)) + number(kind) + body


def old(kind: int, flags: int = 0, body: bytes = b"", data: bytes = b"") -> bytes:
    return struct.pack("<HBHH", 0, kind, flags, 7 + len(body)) + body + data


def old_file(name: bytes, data: bytes = EXE, flags: int = 0x8000, method: int = 0x30) -> bytes:
    high = struct.pack("<II", 0, 0) if flags & 0x100 else b""
    numbers = (len(data), len(data), 2, 0, 0, 29, method, len(name), 0)
    return old(0x74, flags, struct.pack("<IIBIIBBHI", *numbers) + high + name, data)


START, STOP = block(1, number(0)), block(5, number(0))
OLD_START, OLD_STOP = old(0x73, 0, bytes(6)), old(0x7B, 0x4000)


def names(contents: Contents) -> list[tuple[str, ...]]:
    return [inside.names for inside in contents.inside]


def programs(contents: Contents) -> int:
    return sum(one.extension == "exe" for inside in contents.inside for one in inside.detected)


@pytest.mark.parametrize(
    ("blocks", "expected", "seen"),
    [
        pytest.param([START, file(b"a"), file(b"b"), STOP], ["a", "b"], 2, id="two files"),
        pytest.param([START, file(b"a", flags=2), STOP], ["a"], 1, id="a time"),
        pytest.param([START, file(b"a", flags=4), STOP], ["a"], 1, id="a checksum"),
        pytest.param([START, file(b"a", flags=6), STOP], ["a"], 1, id="both"),
        pytest.param([START, block(2, facts(b"a", 5, 8), EXE), STOP], ["a"], 1, id="an unknown size"),
        pytest.param([START, file(b"a", b"", flags=1), STOP], ["a"], 0, id="a folder"),
        pytest.param([START, file(b"a", extra=record(3, b"time") + record(2)), STOP], ["a"], 1, id="other extras"),
        pytest.param([START, block(3, facts(b"CMT", 4), b"note"), file(b"b"), STOP], ["b"], 1, id="a service block"),
        pytest.param([START, file(b"a"), STOP, b"more"], ["a"], 1, id="something behind the end"),
        pytest.param([START, file(b"a"), bytes(50)], ["a"], 1, id="no end, and padding"),
        pytest.param([START, file(b"a"), b"abc"[:0]], ["a"], 1, id="no end"),
    ],
)
def test_files_of_the_new_format(blocks: list[bytes], expected: list[str], seen: int) -> None:
    contents = look_inside(NEW + b"".join(blocks))
    assert names(contents) == [(name,) for name in expected]
    assert programs(contents) == seen
    assert contents.signs == frozenset()


@pytest.mark.parametrize(
    ("blocks", "signs"),
    [
        pytest.param([START, file(b"a", method=3), STOP], {Sign.LISTED}, id="packed"),
        pytest.param([START, file(b"a", b"", method=3), STOP], set(), id="packed, and empty"),
        pytest.param([START, file(b"a", extra=record(1, b"x")), STOP], {Sign.ENCRYPTED}, id="encrypted"),
        pytest.param([START, file(b"a", method=3, extra=record(1)), STOP], {Sign.ENCRYPTED}, id="packed and encrypted"),
        pytest.param([START, file(b"a", extra=record(2) + record(1)), STOP], {Sign.ENCRYPTED}, id="encrypted, second"),
        pytest.param([START, block(4, bytes(20)), file(b"a"), STOP], {Sign.ENCRYPTED}, id="encrypted names"),
        pytest.param([block(1, number(1)), file(b"a"), STOP], {Sign.VOLUME}, id="one of several"),
        pytest.param([block(1, number(2)), file(b"a"), STOP], set(), id="another flag"),
        pytest.param([block(3, number(1)), file(b"a"), STOP], set(), id="a flag of another block"),
        pytest.param([START, file(b"a"), b"junk" * 9], {Sign.MALFORMED}, id="no block"),
        pytest.param([START, bytes(4) + number(HUGE + 1), bytes(HUGE), b"x"], {Sign.MALFORMED}, id="a huge block"),
        pytest.param([START, file(b"a")[:10]], {Sign.MALFORMED}, id="cut off in a block"),
        pytest.param([START, bytes(4) + b"\x02\x02\x80"], {Sign.MALFORMED}, id="cut off in a number"),
        pytest.param([START, bytes(4) + b"\x0f\x02" + b"\x80" * 14], {Sign.MALFORMED}, id="an endless number"),
        pytest.param([START, block(9) * 10_001], {Sign.OVER_LIMIT}, id="very many blocks"),
    ],
)  # fmt: skip
def test_what_an_archive_of_the_new_format_says(blocks: list[bytes], signs: set[Sign]) -> None:
    assert look_inside(NEW + b"".join(blocks)).signs == signs


@pytest.mark.parametrize(
    ("blocks", "expected", "seen"),
    [
        pytest.param([OLD_START, old_file(b"a"), old_file(b"b"), OLD_STOP], ["a", "b"], 2, id="two files"),
        pytest.param([OLD_START, old_file(b"a", flags=0), old_file(b"b")], ["a", "b"], 2, id="no flag for data"),
        pytest.param([OLD_START, old_file(b"a", flags=0x8100), old_file(b"b"), OLD_STOP], ["a", "b"], 2, id="64 bits"),
        pytest.param([OLD_START, old_file(b"a\0wide"), OLD_STOP], ["a"], 1, id="two names"),
        pytest.param([OLD_START, old(0x75, 0x8000, b"\x09\0\0\0", b"x" * 9), old_file(b"b")], ["b"], 1, id="a note"),
        pytest.param([OLD_START, old(0x75, 0, b"abcd"), old_file(b"b")], ["b"], 1, id="a note without data"),
        pytest.param([OLD_START, old_file(b"a"), OLD_STOP, b"something more"], ["a"], 1, id="behind the end"),
        pytest.param([OLD_START, old_file(b"a"), b"short"], ["a"], 1, id="less than a block at the end"),
    ],
)  # fmt: skip
def test_files_of_the_old_format(blocks: list[bytes], expected: list[str], seen: int) -> None:
    contents = look_inside(OLD + b"".join(blocks))
    assert names(contents) == [(name,) for name in expected]
    assert programs(contents) == seen
    assert contents.signs == frozenset()


@pytest.mark.parametrize(
    ("blocks", "signs"),
    [
        pytest.param([OLD_START, old_file(b"a", method=0x33)], {Sign.LISTED}, id="packed"),
        pytest.param([OLD_START, old_file(b"a", b"", method=0x33)], set(), id="packed, and empty"),
        pytest.param([OLD_START, old_file(b"a", flags=0x8004)], {Sign.ENCRYPTED}, id="encrypted"),
        pytest.param([old(0x73, 0x80, bytes(6)), old_file(b"a")], {Sign.ENCRYPTED}, id="encrypted names"),
        pytest.param([old(0x73, 1, bytes(6)), old_file(b"a")], {Sign.VOLUME}, id="one of several"),
        pytest.param([OLD_START, old(0x75, 0x81, bytes(6)), old_file(b"a")], set(), id="flags of another block"),
        pytest.param([OLD_START, old(0x71)], {Sign.MALFORMED}, id="no such block"),
        pytest.param([OLD_START, old(0x7C)], {Sign.MALFORMED}, id="no such block either"),
        pytest.param([OLD_START, struct.pack("<HBHH", 0, 0x75, 0, 0) + bytes(9)], {Sign.MALFORMED}, id="too small"),
        pytest.param([OLD_START, old(0x74, 0, bytes(24))], {Sign.MALFORMED}, id="a file without its facts"),
        pytest.param([OLD_START, old(0x75) * 10_001], {Sign.OVER_LIMIT}, id="very many blocks"),
    ],
)
def test_what_an_archive_of_the_old_format_says(blocks: list[bytes], signs: set[Sign]) -> None:
    assert look_inside(OLD + b"".join(blocks)).signs == signs


@pytest.mark.parametrize(
    "octets",
    [NEW + START + file(b"a", extra=record(1)) + STOP, OLD + OLD_START + old_file(b"a", flags=0x8004) + OLD_STOP],
)
def test_what_is_encrypted_is_taken_for_nothing(octets: bytes) -> None:
    contents = look_inside(octets)
    assert names(contents) == [("a",)]
    assert programs(contents) == 0


def test_a_size_of_64_bits_is_all_of_it() -> None:
    """What follows is behind the data, however much there is said to be: nothing follows."""
    numbers = (1, 1, 2, 0, 0, 29, 0x33, 1, 0)
    beyond = old(0x74, 0x8100, struct.pack("<IIBIIBBHI", *numbers) + struct.pack("<II", 1, 0) + b"a", b"x")
    assert names(look_inside(OLD + OLD_START + beyond + old_file(b"b"))) == [("a",)]
