"""RAR archives, versions 1.5 to 7: names, and the content of members that are only stored; no decoder is free."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from services.screener.containers.member import ContainerError, Found, Member, Sign
from services.screener.containers.streams import stored
from services.screener.mime.words import decode_octets

OLD, NEW = b"Rar!\x1a\x07\0", b"Rar!\x1a\x07\x01\0"
_MOST = 10_000
"""Blocks that are looked at."""


def read_rar(octets: bytes) -> Iterator[Found]:
    """Yield every file of an archive in the format of RAR 5, or in the one before it."""
    yield from _new(octets) if octets.startswith(NEW) else _old(octets)


def _said(member: Member) -> Iterator[Found]:
    """Yield a member, and that its content is out of sight if it is."""
    if member.open is None and not member.encrypted and member.size:
        yield Sign.LISTED
    yield member


class _Block(NamedTuple):
    kind: int
    flags: int
    body: bytes
    """Of the new format, after the flags and sizes; of the old one, the whole header."""
    data: int
    """Where the block's data begin."""
    size: int
    extra: int = 0
    """Octets of the extra area at the end of the body."""


def _new(octets: bytes) -> Iterator[Found]:
    at = len(NEW)
    for _ in range(_MOST):
        block = _new_block(octets, at)
        if block is None:
            if octets[at:].strip(b"\0"):
                yield Sign.MALFORMED
            return
        if block.kind == 4:
            raise ContainerError(Sign.ENCRYPTED)
        if block.kind == 1 and _number(block.body, 0)[0] & 1:
            yield Sign.VOLUME
        if block.kind == 2:
            yield from _said(_new_file(octets, block))
        if block.kind == 5:
            return
        at = block.data + block.size
    raise ContainerError(Sign.OVER_LIMIT)


def _new_block(octets: bytes, at: int) -> _Block | None:
    if at + 7 > len(octets):
        return None
    size, start = _number(octets, at + 4)
    end = start + size
    if not 0 < size <= 2 * 1024 * 1024 or end > len(octets):
        return None
    header = octets[start:end]
    kind, at = _number(header, 0)
    flags, at = _number(header, at)
    extra = data = 0
    if flags & 1:
        extra, at = _number(header, at)
    if flags & 2:
        data, at = _number(header, at)
    return _Block(kind, flags, header[at:], end, data, extra)


def _new_file(octets: bytes, block: _Block) -> Member:
    body = block.body
    flags, at = _number(body, 0)
    size, at = _number(body, at)
    _, at = _number(body, at)
    at += 4 * bool(flags & 2) + 4 * bool(flags & 4)
    method, at = _number(body, at)
    _, at = _number(body, at)
    length, at = _number(body, at)
    name = body[at : at + length]
    encrypted = _has_encryption(body[len(body) - block.extra :] if block.extra else b"")
    content = None
    if not encrypted and not method >> 7 & 7:
        content = partial(stored, octets, block.data, min(len(octets), block.data + block.size))
    return Member((decode_octets(name),), 0 if flags & 8 else size, encrypted, open=content)


def _has_encryption(extra: bytes) -> bool:
    at = 0
    while at < len(extra):
        size, start = _number(extra, at)
        kind, _ = _number(extra, start)
        if kind == 1:
            return True
        at = start + max(1, size)
    return False


def _number(octets: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits an octet, the lowest first, and where it ends."""
    value = 0
    for place in range(10):
        if at + place >= len(octets):
            raise ContainerError(Sign.MALFORMED)
        octet = octets[at + place]
        value |= (octet & 0x7F) << (7 * place)
        if not octet & 0x80:
            return value, at + place + 1
    raise ContainerError(Sign.MALFORMED)


def _old(octets: bytes) -> Iterator[Found]:
    at = len(OLD)
    for _ in range(_MOST):
        header = octets[at : at + 7]
        if len(header) < 7:
            return
        kind, flags, size = header[2], int.from_bytes(header[3:5], "little"), int.from_bytes(header[5:7], "little")
        if size < 7 or not 0x72 <= kind <= 0x7B:
            yield Sign.MALFORMED
            return
        body = octets[at : at + size]
        at += size
        if kind == 0x73:
            if flags & 0x80:
                raise ContainerError(Sign.ENCRYPTED)
            yield from (Sign.VOLUME,) if flags & 1 else ()
        elif kind == 0x7B:
            return
        added = int.from_bytes(body[7:11], "little") if flags & 0x8000 or kind == 0x74 else 0
        if kind == 0x74:
            added |= int.from_bytes(body[32:36], "little") << 32 if flags & 0x100 else 0
            yield from _said(_old_file(octets, _Block(kind, flags, body, at, added)))
        at += added
    raise ContainerError(Sign.OVER_LIMIT)


def _old_file(octets: bytes, block: _Block) -> Member:
    body = block.body
    if len(body) < 32:
        raise ContainerError(Sign.MALFORMED)
    start = 40 if block.flags & 0x100 else 32
    name = body[start : start + int.from_bytes(body[26:28], "little")]
    encrypted = bool(block.flags & 4)
    content = None
    if not encrypted and body[25] == 0x30:
        content = partial(stored, octets, block.data, min(len(octets), block.data + block.size))
    # where both are there, the plain name comes first and the octets of the Unicode one after a NUL
    return Member(
        (decode_octets(name.partition(b"\0")[0]),), int.from_bytes(body[11:15], "little"), encrypted, open=content
    )
