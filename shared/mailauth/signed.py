"""Which octets a signature covers, for whoever makes or checks one (RFC 6376 section 3.7). No I/O."""

import hashlib
import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shared.mailauth.canonical import Body, header
from shared.mailauth.fields import Field


class BodyHash(NamedTuple):
    """The SHA-256 of a canonical body, or of its first octets, and how many octets it has in all."""

    digest: bytes
    octets: int


def hash_body(
    body: Sequence[bytes], *, relaxed: bool, length: int | None = None, given_up: threading.Event | None = None
) -> BodyHash:
    """Return the hash of a body given in pieces, of `length` octets of it at most; once given up on, it is any hash."""
    digest = hashlib.sha256()
    left = length

    def sink(octets: bytes) -> None:
        nonlocal left
        if left is None:
            digest.update(octets)
        elif left > 0:
            digest.update(octets[:left])
            left -= min(left, len(octets))

    canonical = Body(sink, relaxed=relaxed)
    for piece in body:
        if given_up is not None and given_up.is_set():
            break
        canonical.feed(piece)
    canonical.finish()
    return BodyHash(digest.digest(), canonical.octets)


def covered(fields: Sequence[Field], names: Iterable[bytes], own: Field, *, relaxed: bool) -> bytes:
    """Return what is signed: the fields of `names`, each name's from the bottom up, then the signature `own`.

    A name listed more often than there are such fields adds nothing (section 5.4.2). The value of b= in `own` does not
    count, nor does its line end.
    """
    below: dict[bytes, list[Field]] = {}
    for field in fields:
        below.setdefault(field.name, []).append(field)
    chosen = [below[name].pop() for name in names if below.get(name)]
    canonical = [header(field, relaxed=relaxed) for field in chosen]
    last = header(Field(own.name, without_b(own.raw)), relaxed=relaxed)
    return b"".join((*canonical, last.removesuffix(b"\r\n")))


def without_b(raw: bytes) -> bytes:
    """Empty the b= tag of a signature field."""
    name, colon, value = raw.partition(b":")
    specs = value.removesuffix(b"\r\n").split(b";")
    for index, spec in enumerate(specs):
        tag, equals, _ = spec.partition(b"=")
        if equals and tag.strip() == b"b":
            specs[index] = tag + equals
    return name + colon + b";".join(specs) + b"\r\n"
