"""A part of a message with its exact byte range, and the tree of them (RFC 2045, 2046).

A part spans `delim_start` (the line end that belongs to its delimiter), `header.start`, `header.body_start`,
`body_end` (before the line end that belongs to the next delimiter). Cutting `delim_start` to `body_end` removes it,
replacing `header.start` to `body_end` exchanges it, and no other octet moves.
"""

from enum import StrEnum
from typing import NamedTuple

from services.screener.mime import decode
from services.screener.mime.anomaly import Anomaly, Remark
from services.screener.mime.describe import Description
from services.screener.mime.header import Header


class Kind(StrEnum):
    """What a part holds."""

    LEAF = "leaf"
    MULTIPART = "multipart"
    MESSAGE = "message"


class Part(NamedTuple):
    """One part. Ranges are offsets into `source`: the message, or what an encoded message inside it decodes to."""

    path: str
    """Section number as in IMAP (RFC 3501 section 6.4.5); "" for a multipart that is the whole message."""
    kind: Kind
    parent: int | None
    """Index of the enclosing part in Tree.parts."""
    source: bytes
    delim_start: int | None
    """None for the top of a message: no delimiter precedes it."""
    header: Header
    body_end: int
    description: Description
    sealed: str | None
    """Why it may not be cut: "signed", "encrypted", "encoded", "embedded" in a text, "guessed", or None."""

    @property
    def encodings(self) -> tuple[str, ...]:
        """Return the encodings to read its body in: a container's body is read as it is."""
        return self.description.encodings if self.kind is Kind.LEAF else ("",)

    def heads(self) -> list[decode.Views]:
        """Return what its decoded body begins with, one for each encoding."""
        return [decode.head(self.source, self.header.body_start, self.body_end, one) for one in self.encodings]

    def readings(self) -> tuple[bytes, ...]:
        """Return its decoded body in every reading, each once, the most usual first."""
        start, end = self.header.body_start, self.body_end
        found = [view for one in self.encodings for view in decode.wholes(self.source, start, end, one)]
        return tuple(dict.fromkeys(found) if len(found) > 1 else found)

    def content(self) -> bytes:
        """Return its decoded body as most programs have it; of a damaged one the reading that keeps most."""
        return decode.whole(self.source, self.header.body_start, self.body_end, self.encodings[0])


class Tree(NamedTuple):
    """Every part in the order of the message, containers before their content, and what is in doubt."""

    parts: tuple[Part, ...]
    anomalies: frozenset[Anomaly]
    remarks: frozenset[Remark]
