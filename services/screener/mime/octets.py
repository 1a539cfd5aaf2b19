"""Octets that programs take for line ends, or do not: bare CR, bare LF, NUL (RFC 5321 section 2.3.8)."""

import re
from collections.abc import Iterator

from services.screener.mime.anomaly import Anomaly

_FIELD = rb"(?:type|transfer-encoding|disposition)[ \t]*:"
_STRUCTURE = rb"[ \t]*(?:--|content-" + _FIELD + rb"|(?-i:begin) [0-7]{3})"
_AFTER_CR = re.compile(rb"\r(?!\n)" + _STRUCTURE, re.IGNORECASE)
_AFTER_LF = re.compile(rb"(?<!\r)\n" + _STRUCTURE, re.IGNORECASE)
_HYPHENED = re.compile(
    rb"-(?:(?<=[\r\n\t ]-)(?<!\r\n-)-|(?<=[\r\n\t ]content-)(?<!\r\ncontent-)" + _FIELD + rb")", re.IGNORECASE
)
"""Structure that does not follow CRLF or running text at once."""
_REACH = 64 * 1024


def line_end(raw: bytes) -> bytes:
    r"""Return the line end that a message uses: that of its first line, CRLF if it has none."""
    newline = raw.find(b"\n")
    return b"\n" if newline == 0 or (newline > 0 and raw[newline - 1 : newline] != b"\r") else b"\r\n"


def doubtful_line_ends(raw: bytes) -> set[Anomaly]:
    """Say whether a bare CR or LF stands where a line with structure would begin for some programs.

    Inside running text they are common in real mail and hide nothing.
    """
    found: set[Anomaly] = set()
    if not _has_doubtful_structure(raw):
        return found
    pairs = raw.count(b"\r\n")
    if raw.count(b"\r") != pairs and _AFTER_CR.search(raw):
        found.add(Anomaly.BARE_CR)
    if line_end(raw) == b"\r\n" and raw.count(b"\n") != pairs and _AFTER_LF.search(raw):
        found.add(Anomaly.BARE_LF)
    return found


def _has_doubtful_structure(raw: bytes) -> bool:
    """Return whether structure may follow such a line end: what looks for the line ends themselves costs far more."""
    size = len(raw)
    if any(_HYPHENED.search(raw, start, end) for start, end in around(raw, b"-", 0, size)):
        return True
    return any(raw.find(b"begin ", max(0, start - 5), end) >= 0 for start, end in around(raw, b" ", 0, size))


def around(source: bytes, rare: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of a region that hold every occurrence of an octet, each with two thousand octets to follow it.

    What a large attachment is encoded in has no hyphen and no space: a search for either skips it many times faster
    than one for anything longer.
    """
    at = source.find(rare, start, end)
    while at >= 0:
        stop = at + _REACH
        yield at, min(end, stop + 2000)
        at = source.find(rare, stop, end)


def find_line(source: bytes, mark: bytes, start: int, end: int) -> int:
    """Return where the line end is that a line beginning with `mark` follows, -1 if there is none.

    `mark` begins with a hyphen.
    """
    line = b"\n" + mark
    for first, last in around(source, b"-", start, end):
        found = source.find(line, max(first - 1, start), last)
        if found >= 0:
            return found
    return -1


def has_stray_nul(source: bytes, start: int, end: int) -> bool:
    """Return whether a body that is not declared binary holds NUL."""
    return source.find(b"\0", start, end) >= 0
