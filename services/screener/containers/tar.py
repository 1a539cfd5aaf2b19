"""Tar archives: v7, ustar, GNU long names, pax records (POSIX.1-2001, pax interchange format)."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from services.screener.containers.member import Found, Member, Sign
from services.screener.containers.streams import stored
from services.screener.mime.words import decode_octets

_BLOCK = 512
_LONGEST = 64 * 1024
"""Octets of a long name or of pax records that are looked at."""


class _Entry(NamedTuple):
    name: bytes
    kind: bytes
    start: int
    size: int


def is_tar(octets: bytes) -> bool:
    """Return whether the first block is a header: only its checksum tells the old format, the new one says so."""
    return octets.startswith(b"ustar", 257) or _entry(octets, 0) is not None


def read_tar(octets: bytes) -> Iterator[Found]:
    """Yield every entry, by its own name and by the longer one that an entry before it gives."""
    position = 0
    longer: list[bytes] = []
    while position + _BLOCK <= len(octets):
        entry = _entry(octets, position)
        if entry is None:
            if octets[position : position + _BLOCK].strip(b"\0"):
                yield Sign.MALFORMED  # tar goes on with the next header that it finds
            position += _BLOCK
            continue
        end = entry.start + entry.size
        if end > len(octets):
            yield Sign.MALFORMED
            end = len(octets)
        position = entry.start + -(-entry.size // _BLOCK) * _BLOCK
        body = octets[entry.start : min(end, entry.start + _LONGEST)]
        if entry.kind in b"LK":
            longer += [body.partition(b"\0")[0]] if entry.kind == b"L" else []
        elif entry.kind in b"xgX":
            longer += _pax_paths(body)
        else:
            names = tuple(dict.fromkeys(decode_octets(name) for name in (*longer, entry.name) if name))
            longer = []
            yield Member(names, entry.size, open=partial(stored, octets, entry.start, end))


def _entry(octets: bytes, position: int) -> _Entry | None:
    header = octets[position : position + _BLOCK]
    if len(header) < _BLOCK:
        return None
    checksum = _number(header[148:156])
    total = sum(header) - sum(header[148:156]) + 8 * 32
    signed = total - 256 * sum(octet > 127 for octet in header[:148] + header[156:])  # as some old programs count
    size = _number(header[124:136])
    if checksum not in {total, signed} or size is None:
        return None
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    kind = header[156:157]
    full = prefix + b"/" + name if prefix else name
    return _Entry(full, kind, position + _BLOCK, 0 if kind in b"123456" else size)


def _number(field: bytes) -> int | None:
    """Return a number in octal digits, or in base 256 as GNU tar writes large ones."""
    if field[0] & 0x80:
        return int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:])
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        return None
    return int(digits, 8) if digits else 0


def _pax_paths(records: bytes) -> list[bytes]:
    """Return the paths among records `length key=value LF`."""
    found = []
    at = 0
    for _ in range(1000):
        digits = records[at : at + 20].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        key, _, value = records[at + len(digits) + 1 : at + length].removesuffix(b"\n").partition(b"=")
        at += length
        if key in {b"path", b"GNU.sparse.name"}:
            found.append(value)
    return found
