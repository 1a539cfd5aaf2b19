"""Validate the ARC chain that a message came with: every seal, and the newest signature (RFC 8617 section 5.2).

What delivery seals later goes by this: when it does, the screener may have changed the message.
"""

import asyncio
import hashlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from enum import StrEnum
from typing import NamedTuple

from services.ingress.mailauth.dkim import INLINE_OCTETS, Candidate, is_signed, judge, key_of
from services.ingress.mailauth.dkim_record import Dkim, Key, Signature, Unusable, signature_of
from shared.dns.port import Resolver
from shared.mailauth.arc import SEAL, ArcSet, BadChain, canonical_set, read_chain
from shared.mailauth.canonical import header
from shared.mailauth.fields import Field, Parts
from shared.mailauth.signed import without_b
from shared.mailauth.tags import read_tags


class Arc(StrEnum):
    """What is said of a chain (section 4.4)."""

    PASS = "pass"  # noqa: S105  (a result, not a password)
    FAIL = "fail"


class ArcFinding(NamedTuple):
    """What is said of the chain; `result` is None where there is none, or where nobody can tell now."""

    result: Arc | None = None
    reason: str = ""


async def validate(resolver: Resolver, parts: Parts, now: float, executor: Executor) -> ArcFinding:
    """Return what the chain is worth; a key that DNS does not answer for says nothing about it."""
    chain = read_chain(parts.fields)
    if isinstance(chain, BadChain):
        return ArcFinding(Arc.FAIL, chain.reason)
    if not chain:
        return ArcFinding()
    if chain[-1].claimed == "fail":
        return ArcFinding(Arc.FAIL, "its last seal says so")
    signatures = [*(_seal(one.seal, now) for one in chain), _newest(chain[-1].signature, now)]
    keys = await asyncio.gather(*(key_of(resolver, signature) for signature in signatures))
    usable = _usable(signatures, keys)
    if isinstance(usable, ArcFinding):
        return usable
    given_up = threading.Event()
    if sum(map(len, parts.body)) <= INLINE_OCTETS:
        return _judged(chain, usable, parts, given_up)
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, _judged, chain, usable, parts, given_up)
    finally:
        given_up.set()  # a thread that nobody waits for any more must not keep the octets


def _usable(
    signatures: Sequence[Signature | Unusable], keys: Sequence[Key | Unusable]
) -> list[tuple[Signature, Key]] | ArcFinding:
    """Return each signature with its key, or what is to be said if there is not one for each."""
    if any(isinstance(key, Unusable) and key.result is Dkim.TEMPERROR for key in keys):
        return ArcFinding()
    found = []
    for signature, key in zip(signatures, keys, strict=True):
        if isinstance(key, Unusable):  # also where the signature is
            return ArcFinding(Arc.FAIL, key.reason)
        if not isinstance(signature, Unusable):
            found.append((signature, key))
    return found


def _seal(field: Field, now: float) -> Signature | Unusable:
    """Read a seal: a signature without a body and without a list of fields (section 4.1.3)."""
    tags = _tags(field)
    if "h" in tags:
        return Unusable(Dkim.NEUTRAL, "h= in a seal")
    return signature_of(tags | {"h": "from", "bh": "AA==", "c": "relaxed"}, now)


def _newest(field: Field, now: float) -> Signature | Unusable:
    """Read the signature of the message itself, which no seal may be part of (section 4.1.2)."""
    signature = signature_of(_tags(field), now)
    if not isinstance(signature, Unusable) and SEAL in signature.fields:
        return Unusable(Dkim.NEUTRAL, "a signature over seals")
    return signature


def _tags(field: Field) -> dict[str, str]:
    """Return the tags as those of a DKIM signature: i= is the instance here, and there is no v=."""
    tags = read_tags(field.value.decode("latin-1")) or {}
    return {name: value for name, value in tags.items() if name != "i"} | {"v": "1"}


def _judged(
    chain: Sequence[ArcSet], usable: Sequence[tuple[Signature, Key]], parts: Parts, given_up: threading.Event
) -> ArcFinding:
    *seals, (signature, key) = usable
    (refuted,) = judge([Candidate(chain[-1].signature, signature, key)], parts, given_up)
    if refuted is not None:
        return ArcFinding(Arc.FAIL, refuted.reason)
    for number, ((seal, its_key), digest) in enumerate(zip(seals, _sealed(chain), strict=True), 1):
        if not is_signed(its_key, seal, digest):
            return ArcFinding(Arc.FAIL, f"the seal with i={number} does not fit")
    return ArcFinding(Arc.PASS)


def _sealed(chain: Sequence[ArcSet]) -> Iterator[bytes]:
    """Yield the hash of what each seal covers: all sets before it, and its own (section 5.1.1); in linear time."""
    before = hashlib.sha256()
    for one in chain:
        digest = before.copy()
        digest.update(header(one.results, relaxed=True) + header(one.signature, relaxed=True))
        own = header(Field(one.seal.name, without_b(one.seal.raw)), relaxed=True)
        digest.update(own.removesuffix(b"\r\n"))
        yield digest.digest()
        before.update(canonical_set(one))
