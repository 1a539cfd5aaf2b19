"""A message's header section as raw fields, each with its line ends (RFC 5322 section 2.2). Nothing is changed."""

import re
from collections.abc import Sequence
from typing import NamedTuple

MAX_HEADER = 1024 * 1024
"""Octets of a header section; what is longer is no mail, but work for us."""

_FIELD_START = re.compile(rb"\r\n(?![ \t])")
_END = b"\r\n\r\n"


class Field(NamedTuple):
    """One field. Its name is what a lenient reader would take for it."""

    name: bytes
    """Lower case, without the white space before the colon; b"" for a line that is no field."""
    raw: bytes
    """The octets, with every line end."""

    @property
    def value(self) -> bytes:
        """What follows the colon, unfolded, with the white space it has."""
        return self.raw.replace(b"\r\n", b"").partition(b":")[2]


class Parts(NamedTuple):
    """A message as fields and body; `body` is the octets after the empty line, in pieces."""

    fields: tuple[Field, ...]
    body: tuple[bytes, ...]
    rest: bytes
    """What lies between the fields and `body`: the empty line, or nothing where the message ends before it."""


def split(chunks: Sequence[bytes]) -> Parts | None:
    """Split a message that begins with a field or the empty line; None if its header section is too long.

    The pieces of the body are those of `chunks`, but for the one in which the header section ends.
    """
    head, count = _leading(chunks)
    end = 0 if head.startswith(b"\r\n") else head.find(_END) + 2
    if end == 1:  # no empty line
        return Parts(fields_of(head), (), b"") if count == len(chunks) and len(head) <= MAX_HEADER else None
    rest = head[end + 2 :]
    body = (rest, *chunks[count:]) if rest else tuple(chunks[count:])
    return Parts(fields_of(head[:end]), body, b"\r\n") if end <= MAX_HEADER else None


def _leading(chunks: Sequence[bytes]) -> tuple[bytes, int]:
    """Return the first pieces as one, as far as a header section may reach, and how many they are."""
    if not chunks or chunks[0].startswith(b"\r\n") or _END in chunks[0]:
        return b"".join(chunks[:1]), len(chunks[:1])
    octets = count = 0
    while count < len(chunks) and octets <= MAX_HEADER + len(_END):
        octets += len(chunks[count])
        count += 1
    return b"".join(chunks[:count]), count


def fields_of(section: bytes) -> tuple[Field, ...]:
    """Return the fields of a header section, top first; their octets together are the section's."""
    if not section:
        return ()
    found, start = [], 0
    for end in _FIELD_START.finditer(section):
        if end.end() > start:
            found.append(_field(section[start : end.end()]))
            start = end.end()
    if start < len(section):
        found.append(_field(section[start:]))
    return tuple(found)


def _field(raw: bytes) -> Field:
    """Name a field as a reader does that unfolds first and forgives white space before the colon."""
    name, colon, _ = raw.replace(b"\r\n", b"").partition(b":")
    return Field(name.rstrip(b" \t").lower() if colon else b"", raw)
