"""What a part's Content-* fields say: types, boundaries, encodings and names, each in every plausible reading."""

import re
from typing import NamedTuple

from services.screener.mime import decode, filenames, types
from services.screener.mime.anomaly import Anomaly, Limits, Remark
from services.screener.mime.header import Header
from services.screener.mime.value import Flaw, Param, Value, parse_value
from services.screener.mime.words import decode_words, has_words, percent_decoded

LONGEST_VALUE = 64 * 1024
_BAD_BOUNDARY = re.compile(rb"[\x00-\x1f\x7f-\xff;\"\\<>]")


class Description(NamedTuple):
    """`types` has at least one element, the first is the one most programs take."""

    types: tuple[str, ...]
    boundaries: tuple[bytes, ...]
    encodings: tuple[str, ...]
    names: tuple[str, ...]
    anomalies: frozenset[Anomaly]
    remarks: frozenset[Remark] = frozenset()
    attached: bool = False
    """Whether a disposition makes it a file, named or not: any but `inline` (RFC 2183 section 2.8)."""

    @property
    def is_file(self) -> bool:
        """Return whether programs show it as a file, and not as the text of the message."""
        return self.attached or bool(self.names)

    @property
    def is_multipart(self) -> bool:
        """Return whether any reading makes it a multipart."""
        return any(kind.startswith("multipart/") for kind in self.types)


def describe(header: Header, default_type: str, limits: Limits) -> Description:
    """Return the description of the part with this header; `default_type` applies where none is declared."""
    declared = [parse_value(value[:LONGEST_VALUE], limits.parameters) for value in header.values("content-type")]
    shown = [parse_value(value[:LONGEST_VALUE], limits.parameters) for value in header.values("content-disposition")]
    kinds = tuple(dict.fromkeys(kind for value in declared if value.main for kind in types.readings(value.main)))
    kinds = kinds or (default_type,)
    encodings, anomalies = _encodings(header)
    boundaries = dict.fromkeys(
        value.rstrip(b" \t\r\n")[: limits.boundary] for value in _boundaries([*declared, *shown])
    )
    names = [name for value in (*declared, *shown) for name in filenames.names_of(value.params)]
    attached = any(value.main not in {"", "inline"} for value in shown)
    text = kinds[0].startswith("text/")
    if not kinds[0].startswith(types.STRUCTURED) and (not text or (attached and not names)):
        names += filenames.hinted(header.values)
    description = Description(
        kinds,
        tuple(boundary for boundary in boundaries if boundary),
        encodings,
        tuple(dict.fromkeys(names))[: filenames.MOST],
        frozenset(),
    )
    anomalies |= _structure(description, declared, limits) | _limits(header, [*declared, *shown])
    if len(set(names)) > filenames.MOST:
        anomalies.add(Anomaly.LIMIT)
    if _boundary_params(shown):
        anomalies.add(Anomaly.MISPLACED_BOUNDARY)
    if description.is_multipart and not set(encodings) <= decode.IDENTITY | {"quoted-printable"}:
        anomalies.add(Anomaly.ENCODED_MULTIPART)
    return description._replace(
        anomalies=frozenset(anomalies),
        remarks=_remarks(description, [*declared, *shown]),
        attached=attached,
    )


def _remarks(description: Description, values: list[Value]) -> frozenset[Remark]:
    found = set()
    if description.is_multipart and "quoted-printable" in description.encodings:
        found.add(Remark.QUOTED_PRINTABLE_MULTIPART)
    if any(value.flaws or any(param.spaced for param in value.params) for value in values):
        found.add(Remark.BROKEN_PARAMETER)
    return frozenset(found)


def _boundaries(types: list[Value]) -> list[bytes]:
    """Return every boundary a program may use: as given, and out of RFC 2231's sections."""
    params = _boundary_params(types)
    plain = [param.value for param in params]
    if all(param.name == "boundary" and not has_words(param.value) and param.value == param.raw for param in params):
        return plain
    sections = sorted((param for param in params if param.name != "boundary"), key=lambda param: param.name)
    extended = [percent_decoded(param.value.rpartition(b"'")[2]) for param in sections]
    decoded = [decode_words(value).encode("utf-8") for value in plain]
    return [*plain, *(param.raw for param in params), *extended, b"".join(extended), *decoded]


def _encodings(header: Header) -> tuple[tuple[str, ...], set[Anomaly]]:
    """Return every transfer encoding declared, "" for none, and what is wrong with them."""
    found = [value.decode("latin-1").lower() for value in header.values("content-transfer-encoding")]
    found = list(dict.fromkeys(found)) or [""]
    anomalies = {Anomaly.TWO_ENCODINGS} if len(found) > 1 else set()
    unknown = [encoding for encoding in found if encoding not in decode.KNOWN]
    if unknown:
        anomalies.add(Anomaly.UNKNOWN_ENCODING)
        known = [encoding for encoding in found if encoding in decode.KNOWN]
        old = [encoding for encoding in unknown if encoding in decode.LEGACY]
        found = [*dict.fromkeys((*known, *old, "", "base64", "quoted-printable", "x-uuencode"))]
    return tuple(found), anomalies


def _structure(description: Description, declared: list[Value], limits: Limits) -> set[Anomaly]:
    found: set[Anomaly] = set()
    structured = any(kind.startswith(types.STRUCTURED) for kind in description.types)
    malformed = not all(types.TYPE.fullmatch(kind) for kind in description.types)
    if len(declared) > 1 and (structured or len(description.types) > 1):
        found.add(Anomaly.TWO_TYPES)
    boundaries = _boundary_params(declared)
    if malformed and (structured or boundaries):
        found.add(Anomaly.MALFORMED_TYPE)
    if any(has_words(value.main.encode("latin-1")) for value in declared):
        found.add(Anomaly.ENCODED_WORD)
    if structured or boundaries:
        flaws = frozenset().union(*(value.flaws for value in declared))
        if Flaw.COMMENT in flaws:
            found.add(Anomaly.COMMENT)
        if Flaw.PARAMETER in flaws:
            found.add(Anomaly.BAD_PARAMETER)
    if description.is_multipart:
        if len({param.value for param in boundaries}) > 1:
            found.add(Anomaly.TWO_BOUNDARIES)
        if any(_is_malformed(param, limits) for param in boundaries):
            found.add(Anomaly.BAD_BOUNDARY)
    return found


def _is_malformed(param: Param, limits: Limits) -> bool:
    """Return whether programs differ on what a boundary parameter says (SCREENING 7, 8, 14, 15, 19)."""
    value = param.value
    return (
        param.name != "boundary"
        or param.spaced
        or not value.strip()
        or len(value) > limits.boundary
        or value != value.rstrip(b" \t")
        or value != param.raw
        or _BAD_BOUNDARY.search(value) is not None
        or has_words(value)
    )


def _boundary_params(values: list[Value]) -> list[Param]:
    return [param for value in values for param in value.params if param.name.split("*")[0] == "boundary"]


def _limits(header: Header, values: list[Value]) -> set[Anomaly]:
    longest = max((len(field.value) for field in header.fields if field.name.startswith("content-")), default=0)
    too_many = any(Flaw.TOO_MANY in value.flaws for value in values)
    long_name = any(len(param.value) > filenames.LONGEST for value in values for param in value.params)
    return {Anomaly.LIMIT} if longest > LONGEST_VALUE or too_many or long_name else set()
