"""Tables that are text (.csv, .tsv): formulas that start a program when they are opened (DDE, SCREENING 64)."""

import re
from collections.abc import Iterator
from itertools import islice

from services.screener.containers.documents.texts import is_text, without_nul
from services.screener.containers.member import Found, Sign

_CALL = re.compile(rb"\|(?<=[\w.' ]\|) ?(?:'[^'\r\n]{1,4096}+'|[\w.:/\\-]{1,512}+) ?!(?=[\w$'\"*.])")
"""Behind a program, `|'topic'!item`; each octet is looked at by few of its attempts, so that it is safe on anything."""
_CELL = re.compile(rb"(?:\A|[\r\n,;\t\"|])[ \t\"']*+[=+@-]")
"""Where a cell begins that a spreadsheet takes for a formula."""
_BEFORE = 512
"""Octets of a formula before the call that are looked at."""
_MOST = 10_000


def is_formula(octets: bytes) -> bool:
    """Return whether there may be such a formula in a text; `read_formula` has the last word."""
    return b"|" in octets and is_text(octets) and _CALL.search(without_nul(octets)) is not None


def read_formula(octets: bytes) -> Iterator[Found]:
    """Say whether a cell holds `=program|'topic'!item`, by itself or in a longer formula."""
    text = without_nul(octets)
    for call in islice(_CALL.finditer(text), _MOST):
        before = text[max(0, call.start() - _BEFORE) : call.start()]
        if _CELL.search(before) is not None:
            yield Sign.REMOTE
            return
