"""Files that stand in a text without MIME: uuencode, yEnc and BinHex, which mail programs show as attachments."""

import re
from typing import NamedTuple

from services.screener.mime.legacy import is_uu_line, unbinhex
from services.screener.mime.words import decode_octets, decode_words

MOST = 100
"""Files of one text that are looked at; a text with more is over the limit."""

_LONGEST = 1000
_MARK = re.compile(
    rb"(?<![^\r\n])(?:begin(?P<base64>-base64)?[ \t]++[0-7]{3,6}[ \t]++(?P<uu>[^\r\n]++)\r?\n(?=(?P<line>[^\n]*+))"
    rb"|=ybegin (?P<yenc>[^\r\n]++)|\(This file must be converted with BinHex)"
)
_WORDS = (b"begin", b"BinHex")
_END = re.compile(rb"\n(?:end|====)[ \t]*\r?(?:\n|\Z)")
_YEND = re.compile(rb"\n=yend[^\n]*(?:\n|\Z)")
_HQX_END = re.compile(rb"(?:\A|\n)[ \t\r]*+:[^:]*+(?::|\Z)")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]{4,}\s*")


class Embedded(NamedTuple):
    """One file in a text; `start` to `end` are its lines with their first and last."""

    start: int
    end: int
    names: tuple[str, ...]
    encoding: str
    """"x-uuencode", "x-yenc" or "binhex"."""


def find_files(source: bytes, start: int, end: int) -> list[Embedded]:
    """Return the files in a region of a text, in order, at most MOST; one may begin before the last has ended."""
    found: list[Embedded] = []
    position = start
    if all(source.find(word, start, end) < 0 for word in _WORDS):
        return found
    while len(found) < MOST:
        mark = _MARK.search(source, position, end)
        if mark is None:
            break
        position = mark.end()
        one = _file(source, mark, end)
        if one is not None:
            found.append(one)
    return found


def _file(source: bytes, mark: re.Match[bytes], end: int) -> Embedded | None:
    if mark["uu"] is not None:
        valid = _BASE64.fullmatch(mark["line"]) if mark["base64"] else is_uu_line(mark["line"].rstrip(b"\r"))
        if not valid:
            return None
        return Embedded(mark.start(), _past(_END, source, mark.end("line"), end), _names(mark["uu"]), "x-uuencode")
    if mark["yenc"] is not None:
        _, named, name = mark["yenc"].partition(b"name=")
        stop = _past(_YEND, source, mark.end(), end)
        return Embedded(mark.start(), stop, _names(name) if named else (), "x-yenc")
    stop = _past(_HQX_END, source, mark.end(), end)
    return Embedded(mark.start(), stop, _names(unbinhex(source[mark.end() : stop])[0]), "binhex")


def _past(pattern: re.Pattern[bytes], source: bytes, start: int, end: int) -> int:
    found = pattern.search(source, start, end)
    return found.end() if found else end


def _names(octets: bytes) -> tuple[str, ...]:
    text = octets.strip(b' \t\r\n"')[-_LONGEST:]  # its end tells what opens it
    return tuple(dict.fromkeys(name for name in (decode_octets(text), decode_words(text)) if name))
