"""Lists of tag=value, as in DKIM signatures and keys and in DMARC records (RFC 6376 section 3.2)."""

import re

_NAME = re.compile(r"[a-z][a-z0-9_]*", re.IGNORECASE | re.ASCII)
_SPACE = " \t\r\n"


def read_tags(text: str) -> dict[str, str] | None:
    """Return the tags in their order, values without the white space around them; None if this is no such list."""
    tags: dict[str, str] = {}
    parts = text.split(";")
    if not parts[-1].strip(_SPACE):
        parts.pop()
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip(_SPACE)
        if not equals or not _NAME.fullmatch(name) or name in tags:
            return None
        tags[name] = value.strip(_SPACE)
    return tags


def without_space(value: str) -> str:
    """Return a value without any white space, as base64 is read."""
    return value.translate({ord(char): None for char in _SPACE})
