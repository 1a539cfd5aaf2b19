"""The fast path: messages that are one readable text and nothing else, told without reading their parts.

Sound, not complete: whatever is told here parses without an anomaly into one text whose content is text, in which
no program finds a file. A doubt of any kind leaves the message to the full parse, and costs only time. Each step is
one pass of a C function over the octets; the order is that of what they cost.
"""

import binascii
import re

from services.screener.identity.magic import is_readable
from services.screener.mime.addresses import may_hold_data
from services.screener.mime.header import SIGNED_LISTS

_FOLD = bytes(
    0 if (n < 32 and n not in b"\t\r\n") or n == 127 else ord(chr(n).lower()) if n < 128 else n for n in range(256)
)
"""Lower case; a control character becomes NUL, so that one search finds any of them."""
_LONGEST = 1024 * 1024
_LONGEST_HEADER = 64 * 1024
_MOST_LINES = 900

_PARAMETER = rb"charset=\"?[a-z0-9_-]{1,40}\"?|format=\"?flowed\"?|delsp=\"?(?:yes|no)\"?"
_BAD_LINE = re.compile(
    rb"\r(?!\n(?:(?!content-)[a-z0-9-]+:"
    rb"|[ \t]+(?!content-)[^ \t\r]"
    rb"|content-(?:type: text/(?:plain|html)(?:; ?(?:\r\n[ \t])?(?:" + _PARAMETER + rb")){0,3}"
    rb"|transfer-encoding: (?:7bit|8bit|quoted-printable)"
    rb"|language: [a-z]{2}(?:-[a-z]{2})?"
    rb"|disposition: inline)(?:\r\n(?![ \t])|\Z)))"
)
"""A bare CR, a header line that the grammar does not have, or a Content field that says more than that this is text."""
_LISTED = re.compile(rb"\r\n[ \t]+content-[a-z-]+")
_FIRST_FIELD = re.compile(rb"(?!content-)[a-z0-9-]+:")
_MARK = re.compile(rb"\r(?!\n(?![ \t]*(?:content-|begin[ \t:-]|=ybegin |\(this file must)))")
"""A bare CR in a body, or a line that may begin a header, or a file by uuencode, yEnc or BinHex."""
_BROKEN_QP = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r\n)")
_ACTIVE = (b"<script", b"<hta", b"<svg", b"data:", b"base64,", b"mssave", b"createobjecturl")


def is_only_text(raw: bytes) -> bool:
    """Return whether a message is one text that people read in the message, and holds nothing else."""
    if len(raw) > _LONGEST:
        return False
    low = raw.translate(_FOLD)
    end = low.find(b"\r\n\r\n", 0, _LONGEST_HEADER)
    if end < 0 or b"\0" in low or _FIRST_FIELD.match(low) is None:
        return False
    lines = low.count(b"\n")
    if lines != low.count(b"\r"):
        return False
    bad = _BAD_LINE.search(low, 0, end)
    if bad is not None and not all(_is_signed_list(low, line.start()) for line in _BAD_LINE.finditer(low, 0, end)):
        return False
    if lines > _MOST_LINES and low.count(b"\n", 0, end) > _MOST_LINES:
        return False
    return _holds_nothing(low, end + 2) and (low.find(b"\ncontent-t", 0, end) < 0 or _is_simple(raw, low, end))


def _is_signed_list(low: bytes, at: int) -> bool:
    """Return whether a line that begins with a Content field's name is that of a signature's list of fields."""
    if _LISTED.match(low, at) is None:
        return False
    start = at + 1
    while start > 0 and low[start + 1 : start + 2] in {b" ", b"\t"}:
        start = low.rfind(b"\n", 0, start)
    return SIGNED_LISTS.match(low[start + 1 : low.find(b":", start + 1)].decode("latin-1")) is not None


def _is_simple(raw: bytes, low: bytes, end: int) -> bool:
    """Return whether there is one type at most and one encoding, and what is encoded holds nothing either."""
    first = low.find(b"\ncontent-t", 0, end)
    second = low.find(b"\ncontent-t", first + 1, end)
    if second >= 0 and (low.startswith(b"r", first + 10) == low.startswith(b"r", second + 10)):
        return False
    if second >= 0 and low.find(b"\ncontent-t", second + 1, end) >= 0:
        return False
    encoding = first if low.startswith(b"r", first + 10) else second
    if encoding < 0 or not low.startswith(b"q", encoding + 28):
        return True
    coded = raw[end + 4 :]
    decoded = b"\r\n" + binascii.a2b_qp(coded).translate(_FOLD)
    plain = b"\0" not in decoded and decoded.count(b"\n") == decoded.count(b"\r")
    return plain and _BROKEN_QP.search(coded) is None and _holds_nothing(decoded, 0)


def _holds_nothing(low: bytes, before: int) -> bool:
    """Return whether a text in lower case that follows the CRLF at `before` has no mark of files or of programs."""
    if _MARK.search(low, before) is not None:
        return False
    is_page = low.find(b"<", before) >= 0
    if is_page and (any(low.find(word, before) >= 0 for word in _ACTIVE) or may_hold_data(low[before:])):
        return False
    return is_readable(low, before + 2)
