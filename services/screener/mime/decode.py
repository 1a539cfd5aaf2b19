"""Content out of a body's transfer encoding: a head to recognise the type by, or the whole (RFC 2045 section 6)."""

import binascii
import re
from io import BytesIO
from typing import NamedTuple

import pybase64

from services.screener.mime import legacy
from services.screener.mime.words import lenient_base64

HEAD = 36 * 1024
"""Octets that recognition looks at: an ISO 9660 image tells itself at 32769."""

IDENTITY = frozenset({"", "7bit", "8bit", "binary", "7-bit", "8-bit", "7 bit", "8 bit"})
KNOWN = IDENTITY | {"base64", "quoted-printable"}
LEGACY = legacy.UUENCODE | legacy.YENC | legacy.BINHEX | legacy.BASE64_OF_GZIP

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SPACE = b" \t\r\n"
_SHIFTED = 4096
_PIECE = 256 * 1024
_SOFT_BREAK = re.compile(rb"=[ \t]*\r?\n")
_SPACED_BREAK = re.compile(rb"=[ \t]+\r?\n")
_BROKEN_QP = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*\r?(?:\n|\Z))")


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
        views = _quoted_printable(source[start : min(end, start + 3 * HEAD)])
    else:
        body = source[start : min(end, start + (HEAD if encoding in IDENTITY else 3 * HEAD))]
        views = Views((_single(body, encoding),), clean=True)
    return Views(tuple(view[:HEAD] for view in views.octets), views.clean)


def whole(source: bytes, start: int, end: int, encoding: str) -> bytes:
    """Return the decoded body, of a damaged one the reading that keeps most."""
    return max(wholes(source, start, end, encoding), key=len)


def wholes(source: bytes, start: int, end: int, encoding: str) -> tuple[bytes, ...]:
    """Return the decoded body in every reading, the most usual first."""
    if encoding == "base64":
        octets = _clean_base64(source, start, end)
        if octets is not None:
            return (octets,)
    body = source[start:end]
    if encoding == "base64":
        return _base64(body).octets
    if encoding == "quoted-printable":
        return _quoted_printable(body).octets
    return (_single(body, encoding),)


def shifted(source: bytes, start: int, end: int) -> list[bytes]:
    """Return what base64 begins with to a program that skips what stands before the data (SCREENING 30, 31).

    Junk of one to three characters, a first line that is none, what precedes the first pad, the ends of lines that are
    no whole quanta.
    """
    lines = source[start : min(end, start + _SHIFTED)].split(b"\n")
    text = b"".join(lines)
    quanta = b"".join(line[: len(line) & ~3] for line in (line.strip(_SPACE) for line in lines))
    readings = [text[1:], text[2:], text[3:], b"".join(lines[1:]), text.partition(b"=")[2].lstrip(b"="), quanta]
    return [lenient_base64(reading) for reading in readings]


def _single(body: bytes, encoding: str) -> bytes:
    """Return a body in an encoding that has one reading."""
    if encoding in legacy.UUENCODE:
        return legacy.uudecode(body)
    if encoding in legacy.YENC:
        return legacy.ydecode(body)
    if encoding in legacy.BINHEX:
        return legacy.unbinhex(body)[1]
    return max(_base64(body).octets, key=len) if encoding in legacy.BASE64_OF_GZIP else body


def _quoted_printable(body: bytes) -> Views:
    """Decode, and where the rules are broken once more with soft breaks taken out first (SCREENING 32)."""
    body = _SPACED_BREAK.sub(b"=\n", body)
    octets = binascii.a2b_qp(body)
    if _BROKEN_QP.search(body) is None:
        return Views((octets,), clean=True)
    return Views(tuple(dict.fromkeys((octets, binascii.a2b_qp(_SOFT_BREAK.sub(b"", body))))), clean=False)


def _clean_base64(source: bytes, start: int, end: int) -> bytes | None:
    """Return what flawless base64 holds, None for any other; by the piece, so that no second copy of it is made."""
    decoded = BytesIO()
    rest = b""
    try:
        for at in range(start, end, _PIECE):
            text = rest + source[at : min(end, at + _PIECE)].translate(None, _SPACE)
            if text and decoded.tell() % 3:  # something after a pad
                return None
            quanta = len(text) & ~3
            rest = text[quanta:]
            decoded.write(pybase64.b64decode(text[:quanta], validate=True))
    except binascii.Error:
        return None
    return None if rest else decoded.getvalue()


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
