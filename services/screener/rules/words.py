"""Keywords, and the text of a message that they are looked for in."""

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence

from services.screener.mime.part import Kind, Part
from services.screener.mime.value import parse_value
from services.screener.mime.words import decode_octets, decode_words

LONGEST = 1024 * 1024
"""Octets of one text, and of all texts together four times as many, that are looked at."""

Keyword = re.Pattern[str]
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_TAG = re.compile("<[^<>]*>")
_INLINE = re.compile(
    r"</?(?:!|(?:a|abbr|b|big|code|em|font|i|s|small|span|strong|sub|sup|u|wbr)\b)[^<>]*>", re.IGNORECASE
)
"""Tags that do not end a word."""


def keyword(text: str) -> Keyword:
    """Return the pattern that finds words as whole words, whatever their case and the space between them."""
    return re.compile(rf"(?<!\w){re.escape(plain(text))}(?!\w)")


def plain(text: str) -> str:
    """Return text as keywords are compared: compatibility forms and case folded, nothing invisible, single spaces."""
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold().split())


def subjects(parts: Sequence[Part]) -> list[str]:
    """Return every Subject of the message as text."""
    return [plain(decode_words(value[:LONGEST])) for value in parts[0].header.values("subject")]


def bodies(parts: Sequence[Part]) -> Iterator[str]:
    """Yield the texts that people read in the message itself, also without the tags of HTML."""
    left = 4 * LONGEST
    for part in parts:
        description = part.description
        if part.kind is not Kind.LEAF or description.names:
            continue
        if not any(kind.startswith("text/") for kind in description.types):
            continue
        for reading in part.readings():
            octets = reading[: min(left, LONGEST)]
            left -= len(octets)
            text = decode_octets(octets, _charset(part))
            yield plain(text)
            if "<" in text or "&" in text:
                yield plain(html.unescape(_TAG.sub(" ", _INLINE.sub("", text))))


def _charset(part: Part) -> str:
    for value in part.header.values("content-type"):
        for param in parse_value(value[:1000], 16).params:
            if param.name == "charset":
                return param.value.decode("latin-1")
    return ""
