"""The tree of a message's parts, each with its exact byte range (RFC 2045, 2046).

A part spans `delim_start` (the line end that belongs to its delimiter), `header.start`, `header.body_start`,
`body_end` (before the line end that belongs to the next delimiter). Cutting `delim_start` to `body_end` removes it,
replacing `header.start` to `body_end` exchanges it, and no other octet moves.
"""

from enum import StrEnum
from typing import NamedTuple

from services.screener.mime import decode
from services.screener.mime.anomaly import Anomaly, Limits
from services.screener.mime.delimiters import Delimiters, find_delimiters, looks_like_parts, starts_with_field
from services.screener.mime.describe import Description, describe
from services.screener.mime.header import Header, parse_header
from services.screener.mime.octets import doubtful_line_ends, has_stray_nul

_MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})
_SEALING = frozenset({"multipart/signed", "multipart/encrypted"})
_READINGS = 4
"""Boundaries of one multipart that are followed up."""
_ALL_HEADERS = 4 * 1024 * 1024


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
    """Why nothing inside may be cut: "signed", "encrypted", "encoded", or None."""


class Tree(NamedTuple):
    """Every part in the order of the message, containers before their content, and what is in doubt."""

    parts: tuple[Part, ...]
    anomalies: frozenset[Anomaly]


class _Region(NamedTuple):
    source: bytes
    start: int
    end: int
    delim_start: int | None = None


class _Place(NamedTuple):
    """Where an entity stands in the tree."""

    parent: int | None = None
    prefix: str = ""
    number: int | None = None
    """Among its siblings, from 1; None for the top of a message."""
    depth: int = 0
    messages: int = 0
    sealed: str | None = None
    default_type: str = "text/plain"
    boundaries: tuple[bytes, ...] = ()
    """Of the enclosing multiparts."""

    def path(self, *, is_multipart: bool) -> str:
        if self.number is None and is_multipart:
            return self.prefix
        return f"{self.prefix}.{self.number or 1}".lstrip(".")


def parse(raw: bytes, limits: Limits = Limits()) -> Tree:  # noqa: B008  (a value, never changed)
    """Return the tree of a message. Never raises; what is over a limit is left unparsed and noted."""
    walker = _Walker(limits)
    walker.entity(_Region(raw, 0, len(raw)), _Place())
    anomalies = walker.anomalies | doubtful_line_ends(raw)
    if not walker.delimiters.issuperset(walker.longer):
        anomalies.add(Anomaly.LONGER_DELIMITER)
    return Tree(tuple(walker.parts), frozenset(anomalies))


class _Walker:
    """Collects parts while it descends."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.parts: list[Part] = []
        self.anomalies: set[Anomaly] = set()
        self.delimiters: set[bytes] = set()
        self.longer: list[bytes] = []
        self.header_octets = 0

    def entity(self, region: _Region, place: _Place) -> None:
        """Read one part and what is inside it."""
        source, start, end, delim_start = region
        header = parse_header(source, start, end, self.limits, is_message=place.number is None)
        description = describe(header, place.default_type, self.limits)
        self.anomalies |= header.anomalies | description.anomalies
        self.header_octets += header.end - header.start
        kind = _kind(description)
        path = place.path(is_multipart=kind is Kind.MULTIPART)
        part = Part(path, kind, place.parent, source, delim_start, header, end, description, place.sealed)
        self.parts.append(part)
        if self._over(place):
            return
        inside = place._replace(parent=len(self.parts) - 1, prefix=path, depth=place.depth + 1)
        if kind is Kind.MESSAGE:
            self._message(part, inside)
        elif kind is Kind.MULTIPART or description.boundaries:
            self._multipart(part, inside)
        if kind is Kind.LEAF:
            self._leaf(part)

    def _over(self, place: _Place) -> bool:
        limits = self.limits
        over = (
            len(self.parts) >= limits.parts
            or place.depth >= limits.depth
            or place.messages > limits.messages
            or self.header_octets > _ALL_HEADERS
        )
        if over:
            self.anomalies.add(Anomaly.LIMIT)
        return over

    def _message(self, part: Part, inside: _Place) -> None:
        inside = inside._replace(number=None, messages=inside.messages + 1, default_type="text/plain")
        body = _Region(part.source, part.header.body_start, part.body_end)
        for region in self._decoded(part, body):
            encoded = region.source is not part.source
            sealed = inside.sealed or ("encoded" if encoded else None)
            self.entity(region, inside._replace(sealed=sealed, boundaries=() if encoded else inside.boundaries))

    def _decoded(self, part: Part, body: _Region) -> list[_Region]:
        """Return a body in each declared encoding, itself where that is none."""
        found = []
        for encoding in part.description.encodings:
            if encoding in decode.IDENTITY:
                found.append(body)
            else:
                octets = decode.whole(body.source, body.start, body.end, encoding)
                found.append(_Region(octets, 0, len(octets)))
        return found

    def _multipart(self, part: Part, inside: _Place) -> None:
        types = part.description.types
        sealing = next((kind for kind in types if kind in _SEALING), None)
        inside = inside._replace(
            sealed=inside.sealed or (sealing.partition("/")[2] if sealing else None),
            default_type="message/rfc822" if types[0] == "multipart/digest" else "text/plain",
        )
        body = _Region(part.source, part.header.body_start, part.body_end)
        found = [self._split(body, boundary, inside) for boundary in part.description.boundaries[:_READINGS]]
        if any(found):
            return
        for region in self._decoded(part, body):
            if region.source is not body.source:
                place = inside._replace(sealed=inside.sealed or "encoded")
                found += [self._split(region, boundary, place) for boundary in part.description.boundaries[:1]]
        if not any(found) and looks_like_parts(*body[:3]):
            self.anomalies.add(Anomaly.HIDDEN_PARTS)

    def _split(self, body: _Region, boundary: bytes, inside: _Place) -> bool:
        """Read the parts between the delimiters of one boundary; False if it occurs nowhere."""
        if boundary in inside.boundaries:
            self.anomalies.add(Anomaly.REUSED_BOUNDARY)
            return False
        found = find_delimiters(*body[:3], boundary, self.limits)
        self.delimiters.add(b"--" + boundary)
        self._note(found, body)
        opening = [line for line in found.lines if not line.closes]
        ends = [*(line.cut for line in found.lines[1:]), body.end][: len(opening)]
        inside = inside._replace(boundaries=(*inside.boundaries, boundary))
        for number, (line, end) in enumerate(zip(opening, ends, strict=True), start=1):
            if len(self.parts) >= self.limits.parts:
                self.anomalies.add(Anomaly.LIMIT)
                break
            region = _Region(body.source, line.after, max(end, line.after), line.cut)
            self.entity(region, inside._replace(number=number))
        return bool(opening)

    def _note(self, found: Delimiters, body: _Region) -> None:
        """Note what lies outside the delimiters and looks like parts."""
        self.longer += found.longer
        if found.over_limit:
            self.anomalies.add(Anomaly.LIMIT)
        if not found.lines:
            return
        last = found.lines[-1]
        outside = looks_like_parts(body.source, body.start, found.lines[0].cut)
        if found.reopened or outside or (last.closes and looks_like_parts(body.source, last.after, body.end)):
            self.anomalies.add(Anomaly.HIDDEN_PARTS)

    def _leaf(self, part: Part) -> None:
        start, end, kind = part.header.body_start, part.body_end, part.description.types[0]
        if (
            not kind.startswith("message/")
            and kind != "text/rfc822-headers"
            and starts_with_field(part.source, start, end)
        ):
            self.anomalies.add(Anomaly.HEADER_IN_BODY)
        odd = "/" not in kind or bool(part.description.boundaries)
        if odd and looks_like_parts(part.source, start, end):
            self.anomalies.add(Anomaly.HIDDEN_PARTS)
        if "binary" not in part.description.encodings and has_stray_nul(part.source, start, end):
            self.anomalies.add(Anomaly.NUL)


def _kind(description: Description) -> Kind:
    if description.is_multipart:
        return Kind.MULTIPART
    return Kind.MESSAGE if _MESSAGES & set(description.types) else Kind.LEAF
