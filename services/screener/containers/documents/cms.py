"""S/MIME: the content of signed data, without verifying anything (RFC 5652, BER of X.690)."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from services.screener.containers.member import ContainerError, Found, Member, Sign
from services.screener.containers.streams import stored

_SIGNED = bytes.fromhex("06092a864886f70d010702")
"""The object identifier id-signedData."""
_DEPTH = 16
_PIECES = 200_000


class _Element(NamedTuple):
    tag: int
    start: int
    end: int | None
    """Of the content; None if its length is not given, and an end-of-contents ends it."""


def is_signed_data(octets: bytes) -> bool:
    """Return whether a signature with its content begins here."""
    return octets[:1] == b"0" and octets.find(_SIGNED, 0, 20) > 0


def read_cms(octets: bytes) -> Iterator[Found]:
    """Yield the content: ContentInfo, [0], SignedData, encapContentInfo, [0], OCTET STRING."""
    at = octets.find(_SIGNED, 0, 20) + len(_SIGNED)
    explicit = _element(octets, at)
    signed = _element(octets, explicit.start)
    version = _element(octets, signed.start)
    digests = _element(octets, _end(octets, version, 0))
    inner = _element(octets, _end(octets, digests, 0))
    kind = _element(octets, inner.start)
    after = _end(octets, kind, 0)
    if inner.end is not None and after >= inner.end:
        return  # a detached signature
    content = _element(octets, after)
    if content.tag != 0xA0:
        return
    pieces: list[bytes] = []
    _strings(octets, _element(octets, content.start), 0, pieces)
    text = b"".join(pieces)
    yield Member(("smime.eml",), type="message/rfc822", open=partial(stored, text, 0, len(text)))


def _element(octets: bytes, at: int) -> _Element:
    head = octets[at : at + 2]
    if len(head) < 2 or head[0] & 0x1F == 0x1F:
        raise ContainerError(Sign.MALFORMED)
    tag, length, start = head[0], head[1], at + 2
    if length == 0x80:
        return _Element(tag, start, None)
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(octets[start : start + count])
        start += count
    if start + length > len(octets):
        raise ContainerError(Sign.MALFORMED)
    return _Element(tag, start, start + length)


def _end(octets: bytes, element: _Element, depth: int) -> int:
    """Return where the next element begins."""
    if element.end is not None:
        return element.end
    if depth > _DEPTH:
        raise ContainerError(Sign.OVER_LIMIT)
    at = element.start
    for _ in range(_PIECES):
        if octets[at : at + 2] == b"\0\0":
            return at + 2
        at = _end(octets, _element(octets, at), depth + 1)
    raise ContainerError(Sign.OVER_LIMIT)


def _strings(octets: bytes, element: _Element, depth: int, pieces: list[bytes]) -> int:
    """Collect the pieces of a string that may be in pieces; return where the next element begins."""
    if depth > _DEPTH or len(pieces) > _PIECES:
        raise ContainerError(Sign.OVER_LIMIT)
    if not element.tag & 0x20:
        if element.end is None:
            raise ContainerError(Sign.MALFORMED)
        pieces.append(octets[element.start : element.end])
        return element.end
    at = element.start
    while element.end is None or at < element.end:
        if element.end is None and octets[at : at + 2] == b"\0\0":
            return at + 2
        at = _strings(octets, _element(octets, at), depth + 1, pieces)
    return at
