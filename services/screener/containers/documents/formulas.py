"""Tables that are text (.csv, .tsv): formulas that start a program when they are opened (DDE, SCREENING 64)."""

import re
from collections.abc import Iterator

from services.screener.containers.documents.texts import is_text, without_nul
from services.screener.containers.member import Found, Sign

_CALL = re.compile(rb"\|(?<=[\w.' ]\|) ?(?:'(?:[^'\r\n]|''){1,4096}+'|[\w.:/\\-]{1,512}+) ?!(?=[\w$'\"*.])")
"""Behind a program, `|'topic'!item`; each octet is looked at by few of its attempts, so that it is safe on anything."""
_CALL_ANYWHERE = re.compile(
    rb"\|(?<=[\w.' ]\|) ?(?:'(?:[^\0-\x1f']|''){3,4096}+'|[\w.:/\\-]{3,512}+) ?!"
    rb"(?=[\w$'\"*.]{1,64}+(?:[\s,;\"|)&+*/^=<>-]|\Z))"
)
"""The same so narrowly that pictures and archives have none, which a table may pretend to be by what stands before."""
_PROGRAM = re.compile(rb"[\w.]{3}[' ]?\Z")
_PRINTABLE = b"\t" + bytes(range(32, 127))
_CELL = re.compile(rb"(?:\A|[\r\n,;\t\"|])[ \t\"']*+[=+@-]")
"""Where a cell begins that a spreadsheet takes for a formula."""
_BEFORE = 512
"""Octets of a formula before the call that are looked at."""


def is_formula(octets: bytes) -> bool:
    """Return whether there may be such a formula; `read_formula` has the last word."""
    return b"|" in octets and _calls(octets).search(without_nul(octets)) is not None


def read_formula(octets: bytes) -> Iterator[Found]:
    """Say whether a cell holds `=program|'topic'!item`, by itself or in a longer formula."""
    text, calls = without_nul(octets), _calls(octets)
    last = 0
    for call in calls.finditer(text):
        before = text[max(last, call.start() - _BEFORE) : call.start()]
        if _CELL.search(before if calls is _CALL else _written(before)) is not None:
            yield Sign.REMOTE
            return
        last = call.start()


def _calls(octets: bytes) -> re.Pattern[bytes]:
    return _CALL if is_text(octets) else _CALL_ANYWHERE


def _written(before: bytes) -> bytes:
    """Return what can be read of a formula, and the octet before it; nothing if it names no program."""
    start = len(before.rstrip(_PRINTABLE))
    return before[max(0, start - 1) :] if _PROGRAM.search(before, len(before) - 4) else b""
