"""Encodings from before MIME: uuencode (POSIX), yEnc (1.3) and BinHex 4 (RFC 1741). Mail programs still undo them."""

import binascii
import re

from services.screener.mime.words import lenient_base64

UUENCODE = frozenset({"uuencode", "x-uuencode", "uue", "x-uue", "x-uu"})
YENC = frozenset({"yenc", "x-yenc", "yencode", "x-yencode"})
BINHEX = frozenset({"binhex", "x-binhex", "mac-binhex40", "x-mac-binhex40", "binhex40"})
BASE64_OF_GZIP = frozenset({"gzip64", "x-gzip64"})

_BEGIN = re.compile(rb"begin(-base64)?[ \t]++[0-7]{3,6}[ \t]++[^\n]*(?:\n|\Z)")
_YENC_HEAD = re.compile(rb"=ybegin [^\n]*+\n(?:=ypart [^\n]*+\n)?")
_HQX_DATA = re.compile(rb"(?:\A|\n):([^:]*)(?::|\Z)")
_HQX_ALPHABET = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
_BASE64_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_FROM_HQX = bytes.maketrans(_HQX_ALPHABET, _BASE64_ALPHABET)
_NOT_HQX = bytes(set(range(256)) - set(_HQX_ALPHABET))
_UU = bytes(range(32, 97))
_RUN = 0x90
_LONGEST_OUTPUT = 64 * 1024 * 1024
"""Octets that BinHex runs may unfold to: 255 for every three."""


def uudecode(body: bytes) -> bytes:
    """Return what uuencoded lines hold; the `begin` line may be absent, as may `end`."""
    begin = _BEGIN.search(body)
    data = body[begin.end() :] if begin else body
    if begin and begin[1]:
        return lenient_base64(data.partition(b"\n====")[0])
    pieces = []
    for line in data.split(b"\n"):
        text = line.rstrip(b"\r")
        if text.strip() in {b"end", b"`"}:
            break
        if is_uu_line(text):
            pieces.append(_uu_line(text))
    return b"".join(pieces)


def is_uu_line(text: bytes) -> bool:
    """Return whether a line may be one of uuencoded data: as long as its first character says, give or take."""
    if not text or not 32 < text[0] <= 96 or text.translate(None, _UU):
        return False
    groups = (((text[0] - 32) & 63) + 2) // 3
    return 0 <= len(text.rstrip(b" ")) - 1 <= groups * 4 + 2 and len(text) - 1 >= groups * 3


def _uu_line(text: bytes) -> bytes:
    size = (text[0] - 32) & 63
    width = (size + 2) // 3 * 4
    try:
        return binascii.a2b_uu(text[: 1 + width].ljust(1 + width))
    except binascii.Error:
        return b""


def ydecode(body: bytes) -> bytes:
    """Return what yEnc data holds."""
    begin = body.find(b"=ybegin ")  # the first one or none: no later one has a line end if it has not
    head = _YENC_HEAD.match(body, begin) if begin >= 0 else None
    data = body[head.end() :].partition(b"\n=yend")[0] if head else body
    data = data.translate(None, b"\r\n")
    first, *rest = data.split(b"=")
    unescaped = [first, *(bytes(((piece[0] - 64) & 255,)) + piece[1:] for piece in rest if piece)]
    return b"".join(unescaped).translate(bytes((n - 42) & 255 for n in range(256)))


def unbinhex(body: bytes) -> tuple[bytes, bytes]:
    """Return the name and the data fork of a BinHex 4 file; empty where there is none."""
    found = _HQX_DATA.search(body)
    if found is None:
        return b"", b""
    text = found[1].translate(_FROM_HQX, _NOT_HQX)
    octets = _unrun(lenient_base64(text))
    length = octets[0] if octets else 0
    fork = 1 + length + 1 + 4 + 4 + 2
    size = int.from_bytes(octets[fork : fork + 4], "big")
    start = fork + 10
    return octets[1 : 1 + length], octets[start : start + size]


def _unrun(octets: bytes) -> bytes:
    """Undo the run lengths: 0x90 n repeats the octet before it, 0x90 0 stands for itself."""
    head, *pieces = octets.split(bytes((_RUN,)))
    unfolded = [head]
    last = head[-1:]
    size = 0
    for piece in pieces:
        count = piece[0] if piece else 0
        repeated = last * (count - 1) if count else bytes((_RUN,))
        unfolded += (repeated, piece[1:])
        last = piece[1:][-1:] or repeated[-1:] or last
        size += count
        if size > _LONGEST_OUTPUT:
            break
    return b"".join(unfolded)
