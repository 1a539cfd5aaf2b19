"""Reading a message into its tree of parts: the strict reading, and every other one that a program may take.

Pure and bounded: what is over a limit is left unread and noted as Anomaly.LIMIT.
"""

from typing import NamedTuple

from services.screener.mime import decode, delimiters
from services.screener.mime.anomaly import BEYOND, Anomaly, Limits, Remark
from services.screener.mime.delimiters import Delimiters, find_delimiters
from services.screener.mime.describe import Description, describe
from services.screener.mime.embedded import MOST, find_files
from services.screener.mime.header import Header, parse_header
from services.screener.mime.octets import doubtful_line_ends, has_stray_nul
from services.screener.mime.part import Kind, Part, Tree
from services.screener.mime.saved import is_coded_file, is_saved_message
from services.screener.mime.types import is_unknown

_MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})
_SEALING = frozenset({"multipart/signed", "multipart/encrypted"})
_READINGS = 6
"""Boundaries of one multipart that are followed up."""
_ALL_HEADERS = 4 * 1024 * 1024
_ALWAYS_READ = 1024 * 1024
"""Octets that may be read again and again however small the message is."""


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


class _Longer(NamedTuple):
    """A line that begins with a delimiter and goes on: a delimiter to programs that compare its beginning."""

    mark: bytes
    body: _Region
    inside: _Place


def parse(raw: bytes, limits: Limits = Limits()) -> Tree:  # noqa: B008  (a value, never changed)
    """Return the tree of a message. Never raises; what is over a limit is left unparsed and noted."""
    walker = _Walker(limits, len(raw))
    walker.anomalies |= doubtful_line_ends(raw)
    walker.entity(_Region(raw, 0, len(raw)), _Place())
    walker.prefixes()
    return Tree(tuple(walker.parts), frozenset(walker.anomalies), frozenset(walker.remarks))


class _Walker:
    """Collects parts while it descends."""

    def __init__(self, limits: Limits, size: int) -> None:
        self.limits = limits
        self.budget = limits.rereads * size + _ALWAYS_READ
        self.parts: list[Part] = []
        self.anomalies: set[Anomaly] = set()
        self.remarks: set[Remark] = set()
        self.delimiters: set[bytes] = set()
        self.longer: list[_Longer] = []
        self.header_octets = 0

    def entity(self, region: _Region, place: _Place) -> None:
        """Read one part and what is inside it."""
        source, start, end, delim_start = region
        header = parse_header(source, start, end, self.limits, is_message=place.number is None)
        description = describe(header, place.default_type, self.limits)
        self.anomalies |= header.anomalies | description.anomalies
        self.remarks |= description.remarks
        self.header_octets += header.end - header.start
        kind = _kind(description)
        path = place.path(is_multipart=kind is Kind.MULTIPART)
        part = Part(path, kind, place.parent, source, delim_start, header, end, description, place.sealed)
        self.parts.append(part)
        if self._over(place, end - start):
            return
        inside = place._replace(parent=len(self.parts) - 1, prefix=path, depth=place.depth + 1)
        if kind is Kind.MESSAGE:
            self._message(part, inside)
        elif kind is Kind.MULTIPART or description.boundaries:
            self._multipart(part, inside)
        if kind is Kind.LEAF:
            self._leaf(part, inside)

    def prefixes(self) -> None:
        """Follow up the longer delimiters that belong to no multipart (SCREENING 21)."""
        for longer in self.longer:
            if longer.mark not in self.delimiters:
                self.anomalies.add(Anomaly.LONGER_DELIMITER)
                self._split(longer.body, longer.mark[2:], longer.inside._replace(sealed="guessed"))

    def _over(self, place: _Place, octets: int) -> bool:
        limits = self.limits
        self.budget -= octets
        if self._late():
            return True
        over = (
            len(self.parts) >= limits.parts
            or place.depth >= limits.depth
            or place.messages > limits.messages
            or self.header_octets > _ALL_HEADERS
            or self.budget < 0
        )
        if over:
            self.anomalies.add(Anomaly.LIMIT)
        return over

    def _late(self) -> bool:
        late = self.limits.out_of_time()
        if late:
            self.anomalies.add(Anomaly.TIME)
        return late

    def _message(self, part: Part, inside: _Place) -> None:
        inside = inside._replace(number=None, messages=inside.messages + 1, default_type="text/plain")
        for region in self._decoded(part):
            encoded = region.source is not part.source
            if encoded and "message/rfc822" in part.description.types:
                self.anomalies.add(Anomaly.ENCODED_MESSAGE)
            sealed = inside.sealed or ("encoded" if encoded else None)
            self.entity(region, inside._replace(sealed=sealed, boundaries=() if encoded else inside.boundaries))

    def _decoded(self, part: Part) -> list[_Region]:
        """Return a body in each declared encoding, itself where that is none or changes nothing."""
        source, start, end = part.source, part.header.body_start, part.body_end
        found: list[_Region] = []
        for encoding in part.description.encodings:
            self.budget -= end - start
            octets = None
            if encoding in decode.IDENTITY:
                pass
            elif self.budget > 0:
                octets = decode.whole(source, start, end, encoding)
            else:
                self.anomalies.add(Anomaly.LIMIT)
            if octets and octets != source[start:end]:
                found.append(_Region(octets, 0, len(octets)))
            else:
                found.append(_Region(source, start, end))
        return list(dict.fromkeys(found))

    def _multipart(self, part: Part, inside: _Place) -> None:
        kinds = part.description.types
        sealing = next((kind for kind in kinds if kind in _SEALING), None)
        inside = inside._replace(
            sealed=inside.sealed or (sealing.partition("/")[2] if sealing else None),
            default_type="message/rfc822" if kinds[0] == "multipart/digest" else "text/plain",
        )
        body = _Region(part.source, part.header.body_start, part.body_end)
        found = [self._split(body, boundary, inside) for boundary in part.description.boundaries[:_READINGS]]
        for region in self._decoded(part):
            if region.source is not body.source:
                self._reread(part, region, inside)
        if any(found) or part.kind is not Kind.MULTIPART:
            return
        self._files(part, body, inside)
        if delimiters.holds_field(*body[:3]):
            self._guess(body, inside)

    def _reread(self, part: Part, region: _Region, inside: _Place) -> None:
        """Read an encoded multipart decoded: few programs do, so that what is odd there says nothing."""
        anomalies, remarks = set(self.anomalies), set(self.remarks)
        for boundary in part.description.boundaries[:1]:
            self._split(region, boundary, inside._replace(sealed=inside.sealed or "encoded", boundaries=()))
        beyond = self.anomalies & BEYOND
        self.anomalies, self.remarks = anomalies | beyond, remarks

    def _guess(self, body: _Region, inside: _Place) -> None:
        """Note parts that no declared boundary reaches, and read them (SCREENING 17, 24, 25)."""
        self.anomalies.add(Anomaly.HIDDEN_PARTS)
        boundary = delimiters.first_boundary(*body[:3])
        if boundary:
            self._split(body, boundary, inside._replace(sealed=inside.sealed or "guessed", boundaries=()))

    def _split(self, body: _Region, boundary: bytes, inside: _Place) -> bool:
        """Read the parts between the delimiters of one boundary; False if it occurs nowhere."""
        if boundary in inside.boundaries:
            self.anomalies.add(Anomaly.REUSED_BOUNDARY)
            return False
        if self._over(inside._replace(depth=0), body.end - body.start):
            return False
        found = find_delimiters(*body[:3], boundary, self.limits)
        self.delimiters.add(b"--" + boundary)
        self._outside(found, body, inside)
        opening = [line for line in found.lines if not line.closes]
        ends = [*(line.cut for line in found.lines[1:]), body.end][: len(opening)]
        inside = inside._replace(boundaries=(*inside.boundaries, boundary))
        for number, (line, end) in enumerate(zip(opening, ends, strict=True), start=1):
            if len(self.parts) >= self.limits.parts:
                self.anomalies.add(Anomaly.LIMIT)
                break
            if self._late():
                break
            region = _Region(body.source, line.after, max(end, line.after), line.cut)
            self.entity(region, inside._replace(number=number))
        return bool(opening)

    def _outside(self, found: Delimiters, body: _Region, inside: _Place) -> None:
        """Read what lies before the first delimiter and after the closing one (SCREENING 24)."""
        self.longer += [_Longer(mark, body, inside) for mark in found.longer]
        if found.over_limit:
            self.anomalies.add(Anomaly.LIMIT)
        if not found.lines:
            return
        last = found.lines[-1]
        regions = [_Region(body.source, body.start, found.lines[0].cut)]
        if last.closes:
            regions.append(_Region(body.source, last.after, body.end))
        else:
            self.remarks.add(Remark.UNCLOSED)
        if found.reopened:
            self._guess(_Region(body.source, last.after, body.end), inside)
        for region in regions:
            if region.start >= region.end:
                continue
            self._files(self.parts[-1 if inside.parent is None else inside.parent], region, inside)
            if delimiters.holds_field(*region[:3]):
                self._guess(region, inside)

    def _leaf(self, part: Part, inside: _Place) -> None:
        source, start, end, kind = part.source, part.header.body_start, part.body_end, part.description.types[0]
        if is_saved_message(part):
            self._message(part, inside)
        elif kind == "text/rfc822-headers":  # a header by itself is no header in a body; files may follow it
            for region in self._decoded(part):
                self._files(part, region, inside)
        elif not kind.startswith("message/"):
            self._disguised(part, inside)
        if "binary" not in part.description.encodings and has_stray_nul(source, start, end):
            self.anomalies.add(Anomaly.NUL)

    def _disguised(self, part: Part, inside: _Place) -> None:
        """Look for a header, parts or files in a body that is declared to hold none (SCREENING 25, 27, 28, 33)."""
        kind = part.description.types[0]
        body = _Region(part.source, part.header.body_start, part.body_end)
        is_text = kind.startswith("text/") or is_unknown(kind) or is_coded_file(part)
        for region in self._decoded(part) if is_text else [body]:
            blank_first = part.delim_start is None and not part.header.fields
            if delimiters.starts_with_field(*region[:3]) or (
                blank_first and delimiters.starts_with_header(*region[:3])
            ):
                self.anomalies.add(Anomaly.HEADER_IN_BODY)
            odd = is_unknown(kind) or part.description.boundaries or not is_text
            if delimiters.looks_like_parts(*region[:3]):
                if odd or delimiters.starts_with_parts(*region[:3]):
                    self._guess(region, inside)
                else:
                    self.remarks.add(Remark.PARTS_IN_TEXT)
            if is_text:
                start = region.start if region.source is not body.source else part.header.stray or region.start
                self._files(part, region._replace(start=start), inside)
                self._wide_files(part, region, inside)

    def _wide_files(self, part: Part, region: _Region, inside: _Place) -> None:
        """Add the files of a text in UTF-16 or UTF-32: what they are written in differs from ASCII by NULs only."""
        if region.source.find(0, region.start, region.end) >= 0:
            plain = region.source[region.start : region.end].translate(None, b"\0\xff\xfe")
            self._files(part, _Region(plain, 0, len(plain)), inside)

    def _files(self, part: Part, region: _Region, inside: _Place) -> None:
        """Add the files of a text as parts that cannot be cut (SCREENING 33 to 35)."""
        sealed = inside.sealed or ("embedded" if region.source is part.source else "encoded")
        for number, found in enumerate(find_files(*region[:3]), start=1):
            if found.encoding != "x-uuencode":
                self.anomalies.add(Anomaly.YENC if found.encoding == "x-yenc" else Anomaly.BINHEX)
            if number == MOST or len(self.parts) >= self.limits.parts:
                self.anomalies.add(Anomaly.LIMIT)
                return
            header = Header((), found.start, found.start, found.start, frozenset())
            kinds, encodings = ("application/octet-stream",), (found.encoding,)
            description = Description(kinds, (), encodings, found.names, frozenset())
            path = f"{inside.prefix}.u{number}".lstrip(".")
            entry = Part(path, Kind.LEAF, inside.parent, region.source, None, header, found.end, description, sealed)
            self.parts.append(entry)


def _kind(description: Description) -> Kind:
    if description.is_multipart:
        return Kind.MULTIPART
    return Kind.MESSAGE if _MESSAGES & set(description.types) else Kind.LEAF
