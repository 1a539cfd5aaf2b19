r"""Structured field values: `type/subtype; attribute=value` (RFC 2045 section 5.1, RFC 2183).

The strict grammar is tried first; what fails it is read again by a forgiving splitter, and the flaws say so.
"""

import re
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

_TOKEN = rb"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]++"
_MAIN = re.compile(rb"[ \t]*+([^;\"()\s]*+)[ \t]*+(?=;|\Z)")
_PARAM = re.compile(
    rb"[ \t]*+(" + _TOKEN + rb")([ \t]*+)=([ \t]*+)(?:\"((?:[^\"\\]++|\\.)*+)\"|([^;\"()\s\\]++))[ \t]*+(?=;|\Z)",
    re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_MARKS = re.compile(rb"[;\"\\]")
_LOST_NAME = re.compile(
    rb"(?<![a-z0-9*_-])((?:file)?name[ \t]*+(?:\*[ \t*0-9]{0,12}+)?)=[ \t]*+(?:\"((?:[^\"\\]|\\.)*+)\"?|([^;,\s\"]++))",
    re.IGNORECASE | re.DOTALL,
)
"""A name anywhere in a value: after a comma or a space for a semicolon, or where the type should stand."""
_COMMENT_MARKS = re.compile(rb"\\.|[()]", re.DOTALL)


class Flaw(StrEnum):
    """How a value departs from the grammar."""

    COMMENT = "comment"
    PARAMETER = "parameter"
    TOO_MANY = "too many"


class Param(NamedTuple):
    """One parameter: `name` in lower case with its RFC 2231 marks; `value` unquoted and unescaped; `raw` as written."""

    name: str
    value: bytes
    raw: bytes
    quoted: bool
    spaced: bool
    """White space round the `=`."""


class Value(NamedTuple):
    """A value: the part before the first semicolon in lower case, its parameters, its flaws."""

    main: str
    params: tuple[Param, ...]
    flaws: frozenset[Flaw]


def parse_value(value: bytes, limit: int) -> Value:
    """Return what an unfolded value says; parameters beyond `limit` are left out and noted."""
    main = _MAIN.match(value)
    if main is None or b"=" in main[1]:
        return _forgiving(value, limit)
    params: list[Param] = []
    position = main.end()
    while position < len(value):
        position += 1
        match = _PARAM.match(value, position)
        if match is None:
            if value[position:].strip(b" \t;"):
                return _forgiving(value, limit)
            break
        if len(params) >= limit:
            return Value(_text(main[1]), tuple(params), frozenset({Flaw.TOO_MANY}))
        params.append(_param(match))
        position = match.end()
    return Value(_text(main[1]), tuple(params), frozenset())


def _param(match: re.Match[bytes]) -> Param:
    raw = match[5] if match[4] is None else match[4]
    return Param(_text(match[1]), _ESCAPE.sub(rb"\1", raw), raw, match[4] is not None, bool(match[2] or match[3]))


def _forgiving(value: bytes, limit: int) -> Value:
    """Split at semicolons outside quotes, take names and values as they come, with and without comments."""
    flaws = {Flaw.PARAMETER}
    readings = [value]
    bare = without_comments(value)
    if bare != value:
        flaws = {Flaw.COMMENT}
        readings.append(bare)
    params: list[Param] = []
    main = ""
    for reading in readings:
        pieces = _pieces(reading)
        main = _text(pieces[0]).strip()
        for piece in pieces[1:]:
            if len(params) >= limit:
                flaws.add(Flaw.TOO_MANY)
                break
            params += _loose_params(piece)
        params += _lost_names(reading, limit)
    return Value(main, tuple(dict.fromkeys(params)), frozenset(flaws))


def without_comments(value: bytes) -> bytes:
    """Return a value without its comments, nested ones too (RFC 5322 section 3.2.2); an open one reaches to the end."""
    kept: list[bytes] = []
    depth = position = 0
    for mark in _COMMENT_MARKS.finditer(value):
        if mark[0] == b"(":
            if depth == 0:
                kept.append(value[position : mark.start()])
            depth += 1
        elif mark[0] == b")" and depth:
            depth -= 1
            position = mark.end()
    return b"".join([*kept, value[position:]] if depth == 0 else kept)


def _pieces(value: bytes) -> list[bytes]:
    """Split at semicolons outside quotes, in linear time; where the quotes do not balance, at every semicolon."""
    cuts: list[int] = []
    quoted = False
    escaped = -1
    for mark in _MARKS.finditer(value):
        at = mark.start()
        if at == escaped:
            continue
        if mark[0] == b"\\":
            escaped = at + 1 if quoted else -1
        elif mark[0] == b'"':
            quoted = not quoted
        elif not quoted:
            cuts.append(at)
    if quoted:
        return value.split(b";")
    edges = [-1, *cuts, len(value)]
    return [value[edges[n] + 1 : edges[n + 1]] for n in range(len(edges) - 1)]


def _loose_params(piece: bytes) -> list[Param]:
    name, equals, raw = piece.partition(b"=")
    if not equals:
        return []
    key = _text(name).strip()
    whole = raw.strip(b" \t\r\n")
    inner = whole.strip(b'"')
    spaced = name != name.rstrip() or raw != raw.lstrip()
    found = [Param(key, _ESCAPE.sub(rb"\1", inner), inner, whole[:1] == b'"', spaced)]
    if whole[:1] != b'"':
        shorter = (inner.split(None, 1)[:1] or [b""])[0], whole.partition(b'"')[0]
        found += [Param(key, first, first, quoted=False, spaced=spaced) for first in shorter if first != inner]
    return found


def _lost_names(value: bytes, limit: int) -> list[Param]:
    found = []
    for match in islice(_LOST_NAME.finditer(value), limit):
        raw = match[3] if match[2] is None else match[2]
        text = raw if match[2] is None else _ESCAPE.sub(rb"\1", raw)
        found.append(Param(_text(match[1]).strip(), text, raw, match[2] is not None, spaced=False))
    return found


def _text(token: bytes) -> str:
    return token.decode("latin-1").lower()
