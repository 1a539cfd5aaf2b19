"""Where a multipart's body is cut (RFC 2046 section 5.1.1)."""

import re
from typing import NamedTuple

from services.screener.mime.anomaly import Limits
from services.screener.mime.octets import find_line

_CONTENT = rb"(?:content-(?:type|transfer-encoding|disposition))[ \t]*:"
_OTHERS = rb"(?:(?!" + _CONTENT + rb")(?:[!-9;-~]{1,80}:|[ \t])[^\n]*+\n){0,30}+"
"""Fields before the first of a part that says how it is to be read, folded ones too."""
_PART = re.compile(rb"(?:\A|\n)--[^\n]{1,1000}+\n" + _OTHERS + _CONTENT, re.IGNORECASE)
_FIELD = re.compile(rb"[ \t\r\n]*" + _CONTENT, re.IGNORECASE)
_LINES_BEFORE = re.compile(_OTHERS + _CONTENT, re.IGNORECASE)
_HEADER = re.compile(rb"[ \t\r\n]*+" + _OTHERS + _CONTENT, re.IGNORECASE)
_FIELD_LINE = re.compile(rb"(?:\A|\n)" + _CONTENT, re.IGNORECASE)


class Delimiter(NamedTuple):
    """One delimiter line; `cut` is where the line end that belongs to it begins."""

    cut: int
    line: int
    after: int
    """Past the line's own end."""
    closes: bool


class Delimiters(NamedTuple):
    """The delimiter lines of one boundary in order, up to the closing one."""

    lines: tuple[Delimiter, ...]
    reopened: bool
    """An opening delimiter line was found after the closing one."""
    longer: tuple[bytes, ...]
    """Lines that begin with the delimiter, go on, and are followed by a Content field."""
    over_limit: bool


def find_delimiters(source: bytes, start: int, end: int, boundary: bytes, limits: Limits) -> Delimiters:
    """Return the delimiters of `boundary` in a body that spans `start` to `end`."""
    mark = b"--" + boundary
    lines: list[Delimiter] = []
    longer: list[bytes] = []
    reopened = False
    hits = 0
    position = start
    while (at := _next_line(source, position, start, end, mark)) >= 0:
        hits += 1
        if hits > 4 * limits.parts or len(lines) > limits.parts:
            return Delimiters(tuple(lines), reopened, tuple(longer), over_limit=True)
        newline = source.find(b"\n", at, end)
        after = end if newline < 0 else newline + 1
        line = source[at + len(mark) : min(after, at + len(mark) + 1000)].rstrip(b" \t\r\n")
        rest = line.strip(b" \t")
        if rest not in {b"", b"--"}:
            if _LINES_BEFORE.match(source, after, end):
                longer.append(mark + line)
        elif lines and lines[-1].closes:
            reopened = reopened or not rest
        else:
            lines.append(Delimiter(_cut(source, start, at), at, after, rest == b"--"))
        position = max(after - 1, at + 1)
    return Delimiters(tuple(lines), reopened, tuple(longer), over_limit=False)


def _next_line(source: bytes, position: int, start: int, end: int, mark: bytes) -> int:
    if position == start and source.startswith(mark, start, end):
        return start
    found = find_line(source, mark, position, end)
    return -1 if found < 0 else found + 1


def _cut(source: bytes, start: int, at: int) -> int:
    """Return where the line end before a delimiter begins, not before the body does."""
    if at == start:
        return at
    return at - 2 if at - 2 >= start and source.startswith(b"\r", at - 2) else at - 1


def looks_like_parts(source: bytes, start: int, end: int) -> bool:
    """Return whether a region holds a line `--something` followed by Content fields: parts to a guessing program."""
    return _first_part(source, start, end) is not None


def _first_part(source: bytes, start: int, end: int) -> re.Match[bytes] | None:
    """Search from the first line that begins with two hyphens: most bodies have none, and that is told quickly."""
    before = max(start - 1, 0)
    at = before if source.startswith(b"--", start) else find_line(source, b"--", before, end)
    return None if at < 0 else _PART.search(source, at, end)


def first_boundary(source: bytes, start: int, end: int) -> bytes | None:
    """Return the boundary that a guessing program takes from the first line that looks like a delimiter."""
    found = _first_part(source, start, end)
    return None if found is None else found[0].lstrip(b"\n").partition(b"\n")[0][2:].rstrip(b" \t\r")


def starts_with_parts(source: bytes, start: int, end: int) -> bool:
    """Return whether a body begins with parts, nothing but white space before them."""
    found = _first_part(source, start, end)
    return found is not None and not source[start : found.start()].strip()


def holds_field(source: bytes, start: int, end: int) -> bool:
    """Return whether any line of a region is a Content field."""
    return _FIELD_LINE.search(source, start, end) is not None


def starts_with_header(source: bytes, start: int, end: int) -> bool:
    """Return whether a body begins with a header section that says how it is to be read."""
    return _HEADER.match(source, start, end) is not None


def starts_with_field(source: bytes, start: int, end: int) -> bool:
    """Return whether a body begins with a Content field: a header to a program that saw no blank line."""
    return _FIELD.match(source, start, min(end, start + 1000)) is not None
