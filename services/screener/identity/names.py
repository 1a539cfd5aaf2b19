"""File names: the forms of one that decide what opens it, whether it deceives, and how to show it."""

import html
import re
import unicodedata
from collections.abc import Iterable

from services.screener.mime.words import decode_octets, percent_decoded

_IGNORABLE = frozenset({"Cf", "Cc"})
_DOTS = str.maketrans(dict.fromkeys("\u3002\uff61\u2024\ufe52\uff0e\ua4f8", "."))
"""Characters drawn as a dot that NFKC leaves alone, or that programs treat as one."""
_OVERRIDES = ("\u202d", "\u202e")
"""Left-to-right and right-to-left override: no name in any language needs them."""
_TOLERATED = "\u200e\u200f\u061c\u200b\ufeff\u00ad"
"""What stands unseen at the end of names in honest mail: direction marks, and what web pages leave behind."""
_TRAILING = " .\u00a0\t\r\n"
_CLSID = re.compile(r"\.\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?$")


def forms(name: str) -> list[str]:
    """Return the canonical forms of a name: what is left of it where an operating system saves or opens it.

    Compatibility characters folded, lower case, invisible characters gone; cut at NUL, at the last slash or
    backslash, at a stream name's colon; trailing dots and spaces gone (SCREENING 50 to 53). Never empty strings.
    """
    found: list[str] = []
    for reading in dict.fromkeys((name, *_decoded(name))):
        folded = unicodedata.normalize("NFKC", reading).translate(_DOTS).casefold()
        for piece in dict.fromkeys((folded, folded.partition("\0")[0])):
            found += _cut(piece)
    return list(dict.fromkeys(form for form in found if form))


def _decoded(name: str) -> Iterable[str]:
    """Yield what web-minded programs make of a name: percent signs, twice too, entities, UTF-7 (SCREENING 49)."""
    if "%" in name:
        once = percent_decoded(name.encode("utf-8", "replace"))
        yield decode_octets(once)
        yield decode_octets(percent_decoded(once))
    if "&" in name:
        yield html.unescape(name)
    if "+" in name and name.isascii():
        yield decode_octets(name.encode("ascii"), "utf-7")


def _cut(folded: str) -> Iterable[str]:
    visible = "".join(c for c in folded if unicodedata.category(c) not in _IGNORABLE)
    last = re.split(r"[/\\]", visible.rstrip(_TRAILING + "/\\"))[-1]
    for form in (last, last.partition(":")[0], last[: _end_of_word(last)]):
        yield form.rstrip(_TRAILING)


def _end_of_word(text: str) -> int:
    """Return where trailing punctuation begins: `a.exe"` and `a.exe;` open as `a.exe` in some programs."""
    end = len(text)
    while end and not (text[end - 1].isalnum() or text[end - 1] in "_}"):
        end -= 1
    return end


def extension(form: str) -> str | None:
    """Return the extension of a canonical form without its dot, or None; white space goes, as it came from a fold."""
    _, dot, ending = form.rpartition(".")
    return "".join(ending.split()) if dot and ending.strip() else None


def is_deceptive(name: str) -> bool:
    """Return whether a name shows one ending and has another, by an override or by what cannot be seen in the ending.

    Also whether it hides a program behind a class id. Marks that a language needs stand outside the ending.
    """
    if any(mark in name for mark in _OVERRIDES) or any(_CLSID.search(form) for form in forms(name)):
        return True
    ending = name.rpartition(".")[2].rstrip(_TRAILING + _TOLERATED)
    return "." in name and any(unicodedata.category(c) == "Cf" for c in ending)


def for_display(name: str, longest: int = 120) -> str:
    """Return a name that cannot shape the text round it: one line, nothing invisible, no quotation mark."""
    visible = "".join(c if c.isprintable() and c != '"' else " " for c in name)
    short = " ".join(visible.split())
    return short if len(short) <= longest else short[: longest - 1] + "…"
