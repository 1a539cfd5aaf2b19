"""A raw header section as fields with their byte ranges (RFC 5322 section 2.2).

Lines may end with CRLF or LF, so that files from disk are read as they are. What programs read differently
is reported beside the fields, never repaired.
"""

import re
from typing import NamedTuple

from services.screener.mime.anomaly import Anomaly, Limits

_FIELD = re.compile(rb"([!-9;-~]+)([ \t]*):([^\n]*(?:\n[ \t][^\n]*)*)(?:\n|\Z)")
_BLANK = re.compile(rb"\r?\n")
_PLAIN_NAME = re.compile(r"[a-z0-9-]+")
_DIRTY_NAME = re.compile(r"content-[a-z-]+")
_BARE_CR = re.compile(rb"\r(?![\n])")
_STRUCTURAL = rb"content-(?:type|transfer-encoding|disposition)"
_HIDDEN = re.compile(rb"\n[ \t]+(" + _STRUCTURAL + rb")[ \t]*:([^\n]*)", re.IGNORECASE)
_AFTER_CR = re.compile(rb"\r[ \t]*(" + _STRUCTURAL + rb")[ \t]*:([^\r]*)", re.IGNORECASE)
_DAMAGED = re.compile(
    rb"[^:\n]{0,200}?("
    + _STRUCTURAL
    + rb")[^:\n]{0,200}(?:\n[ \t][^:\n]{0,200})?(?::([^\n]*(?:\n[ \t][^\n]*)*))?(?:\n|\Z)",
    re.IGNORECASE,
)
"""A line that is no field to the grammar and a structural one to a forgiving program."""
_LINES_BETWEEN = 64
"""Lines, fields or not, after which the clock is asked."""
_BLANK_CONTINUATION = re.compile(rb"\n[ \t]+\r?(?:\n|\Z)")
_FOLDED_BOUNDARY = re.compile(rb"boundary[^=;]{0,20}=[ \t]*\"[^\"\n]*+\n", re.IGNORECASE)
_UNFOLD = re.compile(rb"\r?\n")
SIGNED_LISTS = re.compile(r"arc-|.*signature$")
"""Fields whose list of signed fields legitimately folds to a line "Content-Type:..."."""


class Field(NamedTuple):
    """One field; `name` in lower case, `value` unfolded and trimmed, the range with its line ends."""

    name: str
    value: bytes
    start: int
    end: int


class Header(NamedTuple):
    """A header section: fields in order, where it ends, where the body starts, and what is in doubt."""

    fields: tuple[Field, ...]
    start: int
    end: int
    """Past the last field, before the blank line."""
    body_start: int
    anomalies: frozenset[Anomaly]
    stray: int | None = None
    """Where the first line that is no field begins: to some programs, the body."""

    def values(self, name: str) -> list[bytes]:
        """Return the values of every field of that name, without repetitions, in order."""
        return list(dict.fromkeys(field.value for field in self.fields if field.name == name))


def parse_header(raw: bytes, start: int, end: int, limits: Limits, *, is_message: bool) -> Header:
    """Return the header section that starts at `start` in `raw`, reading no further than `end`.

    `is_message` allows the "From " line that mailbox files put first.
    """
    stop, body_start, too_large = _extent(raw, start, end, limits)
    anomalies = {Anomaly.LIMIT} if too_large else set()
    fields: list[Field] = []
    stray: list[int] = []
    position = start
    lines = 0
    while position < stop:
        lines += 1
        if lines % _LINES_BETWEEN == 0 and limits.out_of_time():
            anomalies.add(Anomaly.TIME)
            break
        match = _FIELD.match(raw, position, stop)
        if match is None:
            stray.append(position)
            position = _damaged(raw, position, stop, fields, anomalies)
            continue
        fields += _fields(match, anomalies)
        position = match.end()
        if len(fields) > limits.fields:
            anomalies.add(Anomaly.LIMIT)
            break
    anomalies |= _stray_lines(raw, start, stray, fields, is_message=is_message)
    anomalies |= _octets(raw, start, stop)
    return Header(tuple(fields), start, stop, body_start, frozenset(anomalies), stray[0] if stray else None)


def _extent(raw: bytes, start: int, end: int, limits: Limits) -> tuple[int, int, bool]:
    """Return where the fields stop, where the body starts, and whether the section is over the limit."""
    blank = _BLANK.match(raw, start, end)
    if blank is not None:
        return start, blank.end(), False
    cap = min(end, start + limits.header_octets)
    crlf = raw.find(b"\n\r\n", start, cap)
    lf = raw.find(b"\n\n", start, cap if crlf < 0 else crlf)
    if lf >= 0:
        return lf + 1, lf + 2, False
    if crlf >= 0:
        return crlf + 1, crlf + 3, False
    if cap == end:
        return end, end, False
    cut = raw.rfind(b"\n", start, cap) + 1 or cap
    return cut, cut, True


def _damaged(raw: bytes, position: int, stop: int, fields: list[Field], anomalies: set[Anomaly]) -> int:
    """Read a line that is no field as the structural field it may be to some programs; return where the next begins."""
    match = _DAMAGED.match(raw, position, stop)
    if match is None:
        newline = raw.find(b"\n", position, stop)
        return stop if newline < 0 else newline + 1
    anomalies.add(Anomaly.BAD_FIELD_NAME)
    fields.append(_hidden(match[1], match[2] or b"", match.start(), match.end()))
    return match.end()


def _hidden(name: bytes, value: bytes, start: int, end: int) -> Field:
    return Field(name.decode("latin-1").lower(), _UNFOLD.sub(b"", value).strip(b" \t\r\n"), start, end)


def _fields(match: re.Match[bytes], anomalies: set[Anomaly]) -> list[Field]:
    """Return a field, and those that some programs find inside its value (SCREENING 16)."""
    value = match[3].removesuffix(b"\r")
    found = [_field(match, value, anomalies)]
    if b"\r" in value:
        found += [_hidden(m[1], m[2], match.start(), match.end()) for m in _AFTER_CR.finditer(value)]
    if b"\n" in value and found[0].name.startswith("content-") and _FOLDED_BOUNDARY.search(value):
        anomalies.add(Anomaly.BAD_BOUNDARY)
    if b"\n" in value and not SIGNED_LISTS.match(found[0].name):
        inside = [_hidden(m[1], m[2], match.start(), match.end()) for m in _HIDDEN.finditer(value)]
        if inside:
            anomalies.add(Anomaly.HIDDEN_FIELD)
        found += inside
    return found


def _field(match: re.Match[bytes], value: bytes, anomalies: set[Anomaly]) -> Field:
    name = match[1].decode("ascii").lower()
    if b"\n" in value:
        value = _UNFOLD.sub(b"", value)
    inside = _DIRTY_NAME.search(name) if match[2] or not _PLAIN_NAME.fullmatch(name) else None
    if inside is not None:
        anomalies.add(Anomaly.BAD_FIELD_NAME)
        name = inside[0]
    return Field(name, value.strip(b" \t\r\n"), match.start(), match.end())


def _stray_lines(raw: bytes, start: int, stray: list[int], fields: list[Field], *, is_message: bool) -> set[Anomaly]:
    """Say whether lines that are no fields matter: some programs end the header there."""
    if is_message and stray and stray[0] == start and raw.startswith((b"From ", b">From "), start):
        stray = stray[1:]
    found = set()
    if stray and (not is_message or any(f.start > stray[0] and f.name.startswith("content-") for f in fields)):
        found.add(Anomaly.NOT_A_FIELD)
    content = [field for field in fields if field.name.startswith("content-")]
    if content:
        blank = _BLANK_CONTINUATION.search(raw, start, content[-1].start)
        if blank is not None:
            found.add(Anomaly.BLANK_CONTINUATION)
    return found


def _octets(raw: bytes, start: int, stop: int) -> set[Anomaly]:
    found = set()
    if raw.find(b"\0", start, stop) >= 0:
        found.add(Anomaly.NUL)
    if raw.find(b"\r", start, stop) >= 0 and _BARE_CR.search(raw, start, stop):
        found.add(Anomaly.BARE_CR)
    if raw[stop - 1 : stop] == b"\n" and raw[stop - 2 : stop - 1] != b"\r" and raw.find(b"\r\n", start, stop) >= 0:
        found.add(Anomaly.BARE_LF)
    return found
