"""Names of a part: every one a program might show or save it under, and the form that decides what opens it."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from services.screener.mime.value import Param
from services.screener.mime.words import decode_octets, decode_words, percent_decoded

LONGEST = 4096
"""Octets of a name that are looked at; a longer one is over the limit."""
MOST = 32
"""Names of one part that are kept."""

_BASES = ("filename", "name")
_SECTION = re.compile(r"(filename|name)\*(\d{0,4})(\*?)")
_IGNORABLE = frozenset({"Cf", "Cc"})
_DOTS = str.maketrans(dict.fromkeys("\u3002\uff61\u2024\ufe52\uff0e\ua4f8", "."))
"""Characters drawn as a dot that NFKC leaves alone, or that programs treat as one."""
_OVERRIDES = ("\u202d", "\u202e")
"""Left-to-right and right-to-left override: no name in any language needs them."""
_TRAILING = " .\u00a0\t\r\n"
_CLSID = re.compile(r"\.\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?$")


def names_of(params: Sequence[Param]) -> list[str]:
    """Return every name that the parameters of one field give, in every reading (SCREENING 45 to 49), each once."""
    found: list[str] = []
    for base in _BASES:
        plain = [param for param in params if param.name == base]
        for param in plain:
            for octets in dict.fromkeys((param.value, param.raw)):
                found += _readings(octets[:LONGEST])
        if len(plain) > 1 and not plain[0].value.startswith(plain[1].value):
            found += _readings(b"".join(param.value for param in plain)[:LONGEST])
        found += _extended(base, params)
    return list(dict.fromkeys(name for name in found if name))[:MOST]


def _readings(octets: bytes) -> list[str]:
    readings = [decode_words(octets)]
    if b"=?" in octets:
        readings.append(decode_octets(octets))
    return readings


def _extended(base: str, params: Sequence[Param]) -> list[str]:
    """Return the readings of RFC 2231 sections: each alone where complete, joined by number, joined as they come."""
    found: list[str] = []
    sections: list[tuple[int, bool, bytes]] = []
    for param in params:
        match = _SECTION.fullmatch(param.name)
        if match is None or match[1] != base:
            continue
        if match[2]:
            sections.append((int(match[2]), bool(match[3]), param.value))
        elif not match[3]:
            found.append(_charset_value([(True, param.value)]))
    if sections:
        ordered = sorted(sections, key=lambda section: section[0])
        orders = (ordered, sections)
        found += [_charset_value([(encoded, value) for _, encoded, value in order]) for order in orders]
    return found


def _charset_value(pieces: Sequence[tuple[bool, bytes]]) -> str:
    """Return the text of sections: the first encoded one begins `charset'language'` (RFC 2231 section 4)."""
    charset = ""
    octets = b""
    for number, (encoded, piece) in enumerate(pieces):
        value = piece
        if encoded:
            head = value.split(b"'", 2)
            if number == 0 and len(head) == 3:
                charset, value = head[0].decode("latin-1"), head[2]
            value = percent_decoded(value)
        octets += value
    octets = octets[:LONGEST]
    return decode_words(octets) if b"=?" in octets else decode_octets(octets, charset)


def forms(name: str) -> list[str]:
    """Return the canonical forms of a name: what is left of it where an operating system saves or opens it.

    Compatibility characters folded, lower case, invisible characters gone; cut at NUL, at the last slash or
    backslash, at a stream name's colon; trailing dots and spaces gone (SCREENING 50 to 53). Never empty strings.
    """
    found: list[str] = []
    decoded = decode_octets(percent_decoded(name.encode("utf-8", "replace"))) if "%" in name else name
    for reading in dict.fromkeys((name, decoded)):
        folded = unicodedata.normalize("NFKC", reading).translate(_DOTS).casefold()
        for piece in dict.fromkeys((folded, folded.partition("\0")[0])):
            found += _cut(piece)
    return list(dict.fromkeys(form for form in found if form))


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
    """Return the extension of a canonical form without its dot, or None."""
    _, dot, ending = form.rpartition(".")
    return ending.strip() if dot and ending.strip() else None


def is_deceptive(name: str) -> bool:
    """Return whether a name shows one ending and has another by an override, or hides a program behind a class id."""
    return any(mark in name for mark in _OVERRIDES) or any(_CLSID.search(form) for form in forms(name))


def for_display(name: str, longest: int = 120) -> str:
    """Return a name that cannot shape the text round it: one line, nothing invisible, no quotation mark."""
    visible = "".join(c if c.isprintable() and c != '"' else " " for c in name)
    short = " ".join(visible.split())
    return short if len(short) <= longest else short[: longest - 1] + "…"
