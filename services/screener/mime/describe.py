"""What a part's Content-* fields say: types, boundaries, encodings and names, each in every plausible reading."""

import re
from typing import NamedTuple

from services.screener.mime import decode, filenames
from services.screener.mime.anomaly import Anomaly, Limits
from services.screener.mime.header import Header
from services.screener.mime.value import Flaw, Param, Value, parse_value
from services.screener.mime.words import has_words

LONGEST_VALUE = 64 * 1024
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_BAD_BOUNDARY = re.compile(rb"[\x00-\x1f\x7f-\xff;\"\\<>]")
_STRUCTURED = ("multipart/", "message/")


class Description(NamedTuple):
    """`types` has at least one element, the first is the one most programs take."""

    types: tuple[str, ...]
    boundaries: tuple[bytes, ...]
    encodings: tuple[str, ...]
    names: tuple[str, ...]
    anomalies: frozenset[Anomaly]

    @property
    def is_multipart(self) -> bool:
        """Return whether any reading makes it a multipart."""
        return any(kind.startswith("multipart/") for kind in self.types)


def describe(header: Header, default_type: str, limits: Limits) -> Description:
    """Return the description of the part with this header; `default_type` applies where none is declared."""
    types = [parse_value(value[:LONGEST_VALUE], limits.parameters) for value in header.values("content-type")]
    shown = [parse_value(value[:LONGEST_VALUE], limits.parameters) for value in header.values("content-disposition")]
    declared = tuple(dict.fromkeys(value.main for value in types if value.main)) or (default_type,)
    encodings, anomalies = _encodings(header)
    boundaries = dict.fromkeys(value.rstrip(b" \t")[: limits.boundary] for value in _boundaries(types))
    description = Description(
        declared,
        tuple(boundary for boundary in boundaries if boundary),
        encodings,
        tuple(dict.fromkeys(name for value in (*types, *shown) for name in filenames.names_of(value.params))),
        frozenset(),
    )
    anomalies |= _structure(description, types, limits) | _limits(header, [*types, *shown])
    if _boundary_params(shown):
        anomalies.add(Anomaly.MISPLACED_BOUNDARY)
    if description.is_multipart and not set(encodings) <= decode.IDENTITY | {"quoted-printable"}:
        anomalies.add(Anomaly.ENCODED_MULTIPART)
    return description._replace(anomalies=frozenset(anomalies))


def _boundaries(types: list[Value]) -> list[bytes]:
    """Return every boundary a program may use: as given, and out of RFC 2231's sections."""
    params = _boundary_params(types)
    extended = [param.value.rpartition(b"'")[2] for param in params if param.name != "boundary"]
    return [*(param.value for param in params), *extended, b"".join(extended)]


def _encodings(header: Header) -> tuple[tuple[str, ...], set[Anomaly]]:
    """Return every transfer encoding declared, "" for none, and what is wrong with them."""
    found = [value.decode("latin-1").lower() for value in header.values("content-transfer-encoding")]
    found = list(dict.fromkeys(found)) or [""]
    anomalies = {Anomaly.TWO_ENCODINGS} if len(found) > 1 else set()
    if any(encoding not in decode.KNOWN for encoding in found):
        anomalies.add(Anomaly.UNKNOWN_ENCODING)
        known = [encoding for encoding in found if encoding in decode.KNOWN]
        found = [*known, *(e for e in ("", "base64", "quoted-printable") if e not in known)]
    return tuple(found), anomalies


def _structure(description: Description, types: list[Value], limits: Limits) -> set[Anomaly]:
    found: set[Anomaly] = set()
    structured = any(kind.startswith(_STRUCTURED) for kind in description.types)
    well_formed = all(_TYPE.fullmatch(kind) for kind in description.types)
    if len(types) > 1 and (structured or len(description.types) > 1):
        found.add(Anomaly.TWO_TYPES)
    boundaries = _boundary_params(types)
    if boundaries and not description.is_multipart and not well_formed:
        found.add(Anomaly.MISPLACED_BOUNDARY)
    if structured or boundaries:
        flaws = frozenset().union(*(value.flaws for value in types))
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
