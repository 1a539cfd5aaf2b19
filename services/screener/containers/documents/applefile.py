"""AppleSingle and AppleDouble: a Macintosh file with its name, its content and its resources (RFC 1740)."""

import struct
from collections.abc import Iterator
from functools import partial

from services.screener.containers.member import Found, Member, Sign
from services.screener.containers.streams import stored
from services.screener.mime.words import decode_octets

SINGLE, DOUBLE = b"\x00\x05\x16\x00", b"\x00\x05\x16\x07"
_ENTRIES = 26
"""Octets before the list of entries."""
_DATA, _RESOURCES, _NAME = 1, 2, 3
_LONGEST = 1024


def read_applefile(octets: bytes) -> Iterator[Found]:
    """Yield content and resources as two files of one name; AppleDouble has the content in the next part."""
    count = int.from_bytes(octets[24:_ENTRIES])
    whole = octets[_ENTRIES : _ENTRIES + 12 * count]
    names: list[str] = []
    forks: list[tuple[int, int]] = []
    broken = len(whole) < 12 * count
    for kind, start, length in struct.iter_unpack(">III", whole[: len(whole) // 12 * 12]):
        broken |= start + length > len(octets)
        if kind == _NAME:
            names.append(decode_octets(octets[start : start + min(length, _LONGEST)]))
        elif kind in {_DATA, _RESOURCES} and length:
            forks.append((start, min(start + length, len(octets))))
    if broken:
        yield Sign.MALFORMED
    for start, end in forks or [(0, 0)]:
        yield Member(tuple(names), max(0, end - start), open=partial(stored, octets, start, end))
