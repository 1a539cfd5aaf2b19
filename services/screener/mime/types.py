"""The type a Content-Type says, in every plausible reading (RFC 2045 section 5.1)."""

import re

from services.screener.mime.words import decode_words, has_words

TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_INSIDE = re.compile(r"(?<![a-z0-9.+-])[a-z0-9.+-]++/[a-z0-9_.+-]+")
_DECORATION = re.compile(r"[\\\"']|(?<!\s)\s++(?=/)|(?<=/)\s+")
_COMMENT = re.compile(r"\([^()]*\)")
_KNOWN = frozenset(
    {"text", "image", "audio", "video", "application", "message", "multipart", "font", "model", "chemical"}
)
STRUCTURED = ("multipart/", "message/")


def readings(main: str) -> tuple[str, ...]:
    """Return a type as written, and what forgiving programs make of a malformed one."""
    if TYPE.fullmatch(main):
        return (main,)
    octets = main.encode("latin-1")
    decoded = decode_words(octets).lower() if has_words(octets) else main
    plain = (_DECORATION.sub("", _COMMENT.sub("", text)) for text in (main, decoded))
    return tuple(dict.fromkeys([main, *(kind for text in plain for kind in _INSIDE.findall(text))]))


def is_unknown(kind: str) -> bool:
    """Return whether no program knows what to do with a type, so that a forgiving one looks for parts in it."""
    return kind.partition("/")[0] not in _KNOWN or not TYPE.fullmatch(kind)
