"""File names out of a field's parameters: every reading of plain, quoted, RFC 2231 and RFC 2047 forms."""

import re
from collections.abc import Callable, Iterable, Sequence

from services.screener.mime.value import Param
from services.screener.mime.words import decode_octets, decode_words, percent_decoded

LONGEST = 4096
"""Octets of a name that are looked at; a longer one is over the limit."""
MOST = 32
"""Names of one part that are looked at; a part with more is over the limit."""

_HINTS = ("content-description", "content-location", "content-id")
_HOST = re.compile(rb"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*+://[^/]*+", re.IGNORECASE)
_BASES = ("filename", "name")
_WIDE = re.compile(rb"=\?(utf-?(?:16|32))(?:[lb]e)?\?", re.IGNORECASE)
_OVERLONG = re.compile(rb"\xc0[\x80-\xbf]|\xc1[\x80-\xbf]|\xe0[\x80-\x81][\x80-\xbf]")
"""ASCII in two or three octets of UTF-8, which forgiving decoders still take."""
_SECTION = re.compile(r"(filename|name)[ \t]*\*[^0-9]*([0-9]{0,9})(.*)", re.DOTALL)
"""A section's number, and what follows it; forgiving programs take more than the standard has."""


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
    return list(dict.fromkeys(name for name in found if name))


def hinted(values: Callable[[str], Iterable[bytes]]) -> list[str]:
    """Return names out of the other fields that programs fall back to (SCREENING 56).

    A Content-Id in its usual form is none, nor is the host of a location, nor prose that ends in a domain.
    """
    found: list[str] = []
    for field in _HINTS:
        for value in values(field):
            octets = value[:LONGEST].strip(b" <>")
            if field == "content-id" and b"@" in octets:
                continue
            octets = _HOST.sub(b"", octets, count=1) if field == "content-location" else octets
            if not (b" " in octets and octets.lower().endswith(b".com")):
                found += [name for name in _readings(octets) if name]
    return found


def _readings(octets: bytes) -> list[str]:
    """Return a name as a program with encoded words shows it, as one without does, and in the other byte order."""
    readings = [decode_words(octets)]
    if b"=?" in octets:
        readings.append(decode_octets(octets))
        if "=?" in readings[0]:  # a word without its end, or a word in a word
            readings += [decode_words(octets + b"?="), decode_words(readings[0].encode())]
        if _WIDE.search(octets):
            readings += [decode_words(_WIDE.sub(order, octets)) for order in (b"=?\\1le?", b"=?\\1be?")]
    before, semicolon, _ = octets.partition(b";")
    if semicolon and b"." in before:
        readings.append(decode_words(before))
    overlong = _OVERLONG.sub(lambda match: bytes((match[0][-1] & 0x3F | (match[0][-2] & 1) << 6,)), octets)
    return [*readings, decode_octets(overlong)] if overlong != octets else readings


def _extended(base: str, params: Sequence[Param]) -> list[str]:
    """Return the readings of RFC 2231 sections: alone, joined by number or as they come, each in its own charset."""
    found: list[str] = []
    sections: list[tuple[int, bool, bytes]] = []
    for param in params:
        match = _SECTION.fullmatch(param.name)
        if match is None or match[1] != base:
            continue
        if match[2]:
            sections.append((int(match[2]), "*" in match[3], param.value))
        else:
            found.append(_charset_value([(True, param.value)]))
    if sections:
        ordered = sorted(sections, key=lambda section: section[0])
        orders = (ordered, sections)
        found += [_charset_value([(encoded, value) for _, encoded, value in order]) for order in orders]
        if any(encoded and value.count(b"'") > 1 for _, encoded, value in ordered[1:]):
            found.append("".join(_charset_value([(encoded, value)]) for _, encoded, value in ordered))
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
