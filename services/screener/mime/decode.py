"""Content out of a body's transfer encoding: a head to recognise the type by, or the whole (RFC 2045 section 6)."""

import binascii
from typing import NamedTuple

import pybase64

from services.screener.mime.words import lenient_base64

HEAD = 36 * 1024
"""Octets that recognition looks at: an ISO 9660 image tells itself at 32769."""

IDENTITY = frozenset({"", "7bit", "8bit", "binary", "7-bit", "8-bit", "7 bit", "8 bit"})
KNOWN = IDENTITY | {"base64", "quoted-printable"}

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SPACE = b" \t\r\n"


class Views(NamedTuple):
    """What a body may decode to; more than one where programs differ."""

    octets: tuple[bytes, ...]
    clean: bool
    """False where the encoding's own rules are broken."""


def head(source: bytes, start: int, end: int, encoding: str) -> Views:
    """Return the first HEAD octets of the decoded body, in every reading."""
    if encoding == "base64":
        return _base64(source[start : min(end, start + 2 * HEAD)])
    if encoding == "quoted-printable":
        return Views((binascii.a2b_qp(source[start : min(end, start + 3 * HEAD)])[:HEAD],), clean=True)
    return Views((source[start : min(end, start + HEAD)],), clean=True)


def whole(source: bytes, start: int, end: int, encoding: str) -> bytes:
    """Return the decoded body, of a damaged one the reading that keeps most."""
    body = source[start:end]
    if encoding == "base64":
        return max(_base64(body).octets, key=len)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(body)
    return body


def _base64(body: bytes) -> Views:
    """Decode strictly; failing that, stop at the pad, go on after it, and ignore it (SCREENING 30).

    An incomplete last quantum is decoded as far as it goes.
    """
    text = body.translate(None, _SPACE)
    padded = text.rstrip(b"=")
    if len(text) - len(padded) <= 2 and not padded.translate(None, _ALPHABET):
        usable = padded[: len(padded) - (len(padded) % 4 == 1)]
        decoded = pybase64.b64decode(usable + b"=" * (-len(usable) % 4), validate=True)
        return Views((decoded,), clean=True)
    segments = text.split(b"=")
    joined = b"".join(lenient_base64(segment) for segment in segments[:1000])
    readings = (lenient_base64(segments[0]), joined, lenient_base64(text))
    return Views(tuple(dict.fromkeys(readings)), clean=False)
