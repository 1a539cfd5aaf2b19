"""Archives that hold themselves: a gzip or zip file that unpacks to its own octets, made of deflate's two operations.

A stored block prints what stands in it, a match repeats what was printed. What is printed is behind the code at first;
"print four operations, repeat them" gains on it, until the last repetition prints itself and what follows. The
checksum of the whole stands in the whole: CRC-32 is linear, so that it is the solution of 32 equations.
"""

import functools
import struct
import zlib
from collections.abc import Callable, Iterator

_NOTHING = {5: b"\0\0\0\xff\xff", 6: b"\x02\0\0\0\xff\xff"}
"""Code that prints nothing, by its length: an empty stored block, and one after an empty block of matches."""
Ends = Callable[[int, int, int], bytes]
"""From packed size, size and checksum to octets before or after the code."""


@functools.cache
def gzip_quine() -> bytes:
    """Return a gzip file that unpacks to itself."""
    return _solved(
        lambda *_: b"\x1f\x8b\x08\x08" + bytes(6) + b"q\0", lambda _, size, crc: struct.pack("<II", crc, size), 5
    )


@functools.cache
def zip_quine(name: bytes = b"r/quine.zip") -> bytes:
    """Return a zip file whose only member is the file itself."""

    def head(packed: int, size: int, crc: int) -> bytes:
        return struct.pack("<4sHHHIIIIHH", b"PK\x03\x04", 20, 0, 8, 0, crc, packed, size, len(name), 0) + name

    def tail(packed: int, size: int, crc: int) -> bytes:
        facts = struct.pack("<HHHHIIII6H2I", 20, 20, 0, 8, 0, crc, packed, size, len(name), 0, 0, 0, 0, 0, 0, 0)
        entry = b"PK\x01\x02" + facts[:-2] + name
        at = 30 + len(name) + packed
        return entry + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(entry), at, 0)

    return _solved(head, tail, 7)


def _solved(head: Ends, tail: Ends, unit: int) -> bytes:
    packed = len(_code(head(0, 0, 0), tail(0, 0, 0), unit))
    size = packed + len(head(0, 0, 0)) + len(tail(0, 0, 0))

    def whole(crc: int) -> bytes:
        before, after = head(packed, size, crc), tail(packed, size, crc)
        return before + _code(before, after, unit) + after

    start = zlib.crc32(whole(0))
    columns = [zlib.crc32(whole(1 << bit)) ^ start ^ (1 << bit) for bit in range(32)]
    return whole(_solution(columns, start))


def _solution(columns: list[int], wanted: int) -> int:
    """Return which columns add up, without carry, to a number; AssertionError if none do."""
    basis: dict[int, tuple[int, int]] = {}
    for bit, column in enumerate(columns):
        value, chosen = _reduced(column, 1 << bit, basis)
        if value:
            basis[value.bit_length()] = (value, chosen)
    value, chosen = _reduced(wanted, 0, basis)
    assert not value
    return chosen


def _reduced(value: int, chosen: int, basis: dict[int, tuple[int, int]]) -> tuple[int, int]:
    for top in sorted(basis, reverse=True):
        if value >> (top - 1) & 1:
            value, chosen = value ^ basis[top][0], chosen ^ basis[top][1]
    return value, chosen


def _code(head: bytes, tail: bytes, unit: int) -> bytes:
    """Return code that prints a head, itself, and a tail; a repetition of four operations takes `unit` octets."""
    four = 2 * unit + 10
    first = len(head) + 5
    again, repeat = _repeat(first, four - 15), _repeat(four, unit)
    nothing = _NOTHING[6] * 2 if unit == 7 else _NOTHING[5] * 2
    end = _repeat(4 + len(tail), 4, last=True) if len(tail) > 8 else _repeat(5 + len(tail), 5, last=True)
    rest = end + tail
    code = _print(head + _head(first)) + again
    code += _print(again) + _print(_head(len(again)))
    code += _print(again + _head(5) + _head(len(again)) + _head(four)) + repeat
    code += _print((repeat + _head(four)) * 2) + repeat
    code += _print(repeat + nothing + _head(len(rest))) + repeat + nothing
    return code + _print(rest) + end


def _head(size: int) -> bytes:
    return struct.pack("<BHH", 0, size, size ^ 0xFFFF)


def _print(octets: bytes) -> bytes:
    return _head(len(octets)) + octets


def _repeat(size: int, octets: int, *, last: bool = False) -> bytes:
    """Return a block of so many octets that repeats the last `size` octets printed; at its end it is whole octets."""
    for lengths in _split(size, 4):
        matches = "".join(_match(length, size) for length in lengths)
        for empty in range(4):
            bits = "".join(["010" + "0" * 7] * empty)
            bits += ("110" if last else "010") + matches + "0" * 7
            if len(bits) == 8 * octets or (last and 8 * octets - 8 < len(bits) <= 8 * octets):
                bits = bits.ljust(8 * octets, "0")
                return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))
    raise AssertionError((size, octets))


def _split(size: int, most: int, largest: int = 258) -> Iterator[tuple[int, ...]]:
    if 3 <= size <= largest:
        yield (size,)
    if most > 1:
        for first in range(min(largest, size - 3), 2, -1):
            for rest in _split(size - first, most - 1, first):
                yield (first, *rest)


def _match(length: int, distance: int) -> str:
    """Return a match as bits in their order in the stream (RFC 1951 section 3.2.5, 3.2.6)."""
    symbol, base, extra = _symbol(length - 3, 2)
    code = format(symbol + 1, "07b") if symbol + 257 < 280 else format(symbol + 257 - 280 + 0xC0, "08b")
    bits = code + (format(length - 3 - base, f"0{extra}b")[::-1] if extra else "")
    symbol, base, extra = _symbol(distance - 1, 1)
    return bits + format(symbol, "05b") + (format(distance - 1 - base, f"0{extra}b")[::-1] if extra else "")


def _symbol(value: int, fine: int) -> tuple[int, int, int]:
    """Return the symbol for a value, the least value of that symbol, and its extra bits; 2**fine symbols an octave."""
    if value < 2 << fine:
        return value, value, 0
    extra = value.bit_length() - 1 - fine
    step = value >> extra
    return (extra << fine) + step, step << extra, extra
