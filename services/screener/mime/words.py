"""Text out of header octets: encoded words (RFC 2047), percent sections (RFC 2231), charsets of any spelling.

Names are decoded the way mail programs do, also where the standards forbid it: encoded words inside quotes, raw
8-bit octets, charsets that do not exist. Nothing here raises on any input.
"""

import binascii
import re

_WORD = re.compile(rb"=\?([^?\s]{0,60})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN = re.compile(rb"(\?=)[ \t\r\n]+(=\?)")
_NO_CHARSETS = frozenset({"unicode_escape", "raw_unicode_escape", "idna", "punycode"})
"""Python's codecs that decode text but are no charsets of mail."""
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


def decode_octets(octets: bytes, charset: str = "") -> str:
    """Return text in `charset`, or in UTF-8, or in Latin-1, whichever works first; it can always be encoded again."""
    if charset.lower().replace("-", "_") in _NO_CHARSETS:
        charset = ""
    for name in (charset, "utf-8"):
        try:
            text = octets.decode(name)
        except (LookupError, ValueError):  # no such charset, or octets that are not in it
            continue
        return text if text.isascii() else text.encode("utf-8", "replace").decode()  # lone surrogates out of UTF-7
    return octets.decode("latin-1")


def decode_words(octets: bytes) -> str:
    """Return text with its encoded words decoded; what is no encoded word stays as it is."""
    joined = _BETWEEN.sub(rb"\1\2", octets)
    pieces: list[str] = []
    end = 0
    for match in _WORD.finditer(joined):
        pieces.append(decode_octets(joined[end : match.start()]))
        charset = match[1].decode("latin-1").partition("*")[0]  # RFC 2231 section 5: charset*language
        pieces.append(decode_octets(_word_octets(match), charset))
        end = match.end()
    pieces.append(decode_octets(joined[end:]))
    return "".join(pieces)


def has_words(octets: bytes) -> bool:
    """Return whether an encoded word, or what may be read as one, stands in `octets`."""
    return _WORD.search(octets) is not None


def percent_decoded(octets: bytes) -> bytes:
    """Return `octets` with %XX replaced; a stray percent sign stays."""
    return _PERCENT.sub(lambda match: bytes((int(match[1], 16),)), octets)


def _word_octets(match: re.Match[bytes]) -> bytes:
    if match[2] in b"qQ":
        return binascii.a2b_qp(match[3].replace(b"_", b" "))
    return lenient_base64(match[3])


def lenient_base64(text: bytes) -> bytes:
    """Return what base64 `text` holds, foreign characters skipped, padding not required."""
    clean = re.sub(rb"[^A-Za-z0-9+/]", b"", text)
    clean = clean[: len(clean) - (len(clean) % 4 == 1)]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))
