"""S/MIME: the content of what is signed or compressed, nothing verified; what is encrypted is said (RFC 5652, 8551).

Binary (BER of X.690), as PEM, or base64 once more, which some programs make of a .p7m that is saved.
"""

import binascii
import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from services.screener.containers.member import ContainerError, Found, Member, Sign
from services.screener.containers.streams import inflate, stored
from services.screener.identity.magic import content_info
from services.screener.mime.words import lenient_base64

_SIGNED = bytes.fromhex("06092a864886f70d010702")
_COMPRESSED = bytes.fromhex("060b2a864886f70d0109100109")
_ENVELOPED, _ENCRYPTED = (bytes.fromhex(f"06092a864886f70d0107{last}") for last in ("03", "06"))
_AUTH_ENVELOPED = bytes.fromhex("060b2a864886f70d0109100117")
_SEALED = (_ENVELOPED, _ENCRYPTED, _AUTH_ENVELOPED)
_PEM = re.compile(rb"-----BEGIN (?:CMS|PKCS ?#?7(?: SIGNED DATA)?)-----\s+([A-Za-z0-9+/=\s]+)")
_BARE = re.compile(rb"MI[A-Za-z0-9+/]{30}")
_DEPTH = 16
_PIECES = 200_000


class _Element(NamedTuple):
    tag: int
    start: int
    end: int | None
    """Of the content; None if its length is not given, and an end-of-contents ends it."""


def is_cms(octets: bytes) -> bool:
    """Return whether a ContentInfo begins here that holds something of another kind than data."""
    if octets[:1] == b"0":
        return _kind(octets) != b""
    return _kind(lenient_base64(_base64(octets)[:64])) != b""


def read_cms(octets: bytes) -> Iterator[Found]:
    """Yield the content: ContentInfo, [0], SignedData or CompressedData, encapContentInfo, [0], OCTET STRING."""
    if octets[:1] != b"0":
        octets = _decoded(_base64(octets))
    oid = _kind(octets)
    if oid in _SEALED:
        yield Sign.SMIME
        return
    at = content_info(octets) + len(oid)
    explicit = _element(octets, at)
    outer = _element(octets, explicit.start)
    version = _element(octets, outer.start)
    algorithms = _element(octets, _end(octets, version, 0))
    inner = _element(octets, _end(octets, algorithms, 0))
    kind = _element(octets, inner.start)
    after = _end(octets, kind, 0)
    if inner.end is not None and after >= inner.end:
        return  # a detached signature, or certificates only
    content = _element(octets, after)
    if content.tag != 0xA0:
        return
    pieces: list[bytes] = []
    _strings(octets, _element(octets, content.start), 0, pieces)
    text = b"".join(pieces)
    opened = partial(inflate, text, 2) if oid == _COMPRESSED else partial(stored, text, 0)  # past the head of RFC 1950
    yield Member(("smime.eml",), type="message/rfc822", open=partial(opened, len(text)))


def _kind(octets: bytes) -> bytes:
    """Return the object identifier of a ContentInfo, empty if it is none of those known here."""
    at = content_info(octets)
    return next((oid for oid in (_SIGNED, _COMPRESSED, *_SEALED) if at and octets.startswith(oid, at)), b"")


def _base64(octets: bytes) -> bytes:
    """Return what may be a ContentInfo in base64, or nothing."""
    if octets.find(b"-----BEGIN ", 0, 4096) >= 0:
        match = _PEM.search(octets)
        return match[1] if match else b""
    return octets if _BARE.match(octets) else b""


def _decoded(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text)
    except binascii.Error:
        return lenient_base64(text)


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
