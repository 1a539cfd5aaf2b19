"""Octets that programs take for line ends, or do not: bare CR, bare LF, NUL (RFC 5321 section 2.3.8)."""

import re

from services.screener.mime.anomaly import Anomaly

_STRUCTURE = rb"[ \t]*(?:--|content-(?:type|transfer-encoding|disposition)[ \t]*:|begin [0-7]{3})"
_AFTER_CR = re.compile(rb"\r(?!\n)" + _STRUCTURE, re.IGNORECASE)
_AFTER_LF = re.compile(rb"(?<!\r)\n" + _STRUCTURE, re.IGNORECASE)


def line_end(raw: bytes) -> bytes:
    r"""Return the line end that a message uses: that of its first line, CRLF if it has none."""
    newline = raw.find(b"\n")
    return b"\n" if newline == 0 or (newline > 0 and raw[newline - 1 : newline] != b"\r") else b"\r\n"


def doubtful_line_ends(raw: bytes) -> set[Anomaly]:
    """Say whether a bare CR or LF stands where a line with structure would begin for some programs.

    Inside running text they are common in real mail and hide nothing.
    """
    found = set()
    pairs = raw.count(b"\r\n")
    if raw.count(b"\r") != pairs and _AFTER_CR.search(raw):
        found.add(Anomaly.BARE_CR)
    if line_end(raw) == b"\r\n" and raw.count(b"\n") != pairs and _AFTER_LF.search(raw):
        found.add(Anomaly.BARE_LF)
    return found


def has_stray_nul(source: bytes, start: int, end: int) -> bool:
    """Return whether a body that is not declared binary holds NUL."""
    return source.find(b"\0", start, end) >= 0
