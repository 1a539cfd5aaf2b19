"""A signature as a header field: its tags folded, and b= filled in last (RFC 6376 section 3.5). Pure."""

import base64
from collections.abc import Callable, Sequence

from shared.mailauth.fields import Field

LINE = 76
"""Octets of a line that no relay on the way will fold."""

Tag = tuple[str, str]


def signature_field(name: str, tags: Sequence[Tag], sign: Callable[[Field], bytes]) -> Field:
    """Return the field with its final CRLF; `sign` is given it with an empty b= and returns the signature's octets."""
    head = f"{name}: " + _folded(tags, len(name) + 2) + "\r\n\tb="
    own = Field(name.lower().encode("ascii"), f"{head}\r\n".encode("ascii"))
    value = base64.b64encode(sign(own)).decode("ascii")
    lines = [value[start : start + LINE - 3] for start in range(0, len(value), LINE - 3)]
    return Field(own.name, (head + "\r\n\t ".join(lines) + "\r\n").encode("ascii"))


def encoded(octets: bytes) -> str:
    """Return octets as a tag has them."""
    return base64.b64encode(octets).decode("ascii")


def _folded(tags: Sequence[Tag], column: int) -> str:
    """Return the tags, each with its semicolon, in lines of LINE octets where they can be parted: h= at any colon."""
    text, width = "", column
    for name, value in tags:
        for index, word in enumerate(_words(f"{name}={value};")):
            space = " " if index == 0 and text else ""
            if text and width + len(space) + len(word) > LINE:
                text += "\r\n\t" + word
                width = 1 + len(word)
            else:
                text += space + word
                width += len(space) + len(word)
    return text


def _words(tag: str) -> list[str]:
    first, *rest = tag.split(":")
    return [first, *(f":{word}" for word in rest)]
