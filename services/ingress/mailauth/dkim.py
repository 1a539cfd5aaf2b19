"""Verify the DKIM signatures of a message: keys from DNS, octets through hashes (RFC 6376 section 6).

Our own verifier on `cryptography`: what strangers send must cost time in proportion to its length, whatever its fields
and their keys say, and must not hold the event loop.
"""

import asyncio
import base64
import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from services.ingress.mailauth.dkim_record import Dkim, Key, Signature, Unusable, read_key, read_signature
from shared.dns.port import Resolver, Status
from shared.mailauth.fields import Field, Parts
from shared.mailauth.signed import BodyHash, covered, hash_body

MAX_SIGNATURES = 5
"""So many are looked at, from the top; a message with more is answered for these."""
INLINE_OCTETS = 64 * 1024
"""A body up to this size is hashed at once; a longer one in a thread."""


class DkimFinding(NamedTuple):
    """What is said of one signature; domain and selector only where the signature could be read."""

    result: Dkim
    reason: str = ""
    domain: str | None = None
    selector: str | None = None
    algorithm: str | None = None
    b: str | None = None
    """The first octets of the signature in base64, which tell two of one domain apart (RFC 6008)."""


class Candidate(NamedTuple):
    """A signature that only the octets can still refute."""

    field: Field
    signature: Signature
    key: Key


async def verify(resolver: Resolver, parts: Parts, now: float, executor: Executor) -> list[DkimFinding]:
    """Return what is found for each signature, top first; an empty list if there is none."""
    fields = [field for field in parts.fields if field.name == b"dkim-signature"][:MAX_SIGNATURES]
    read = [read_signature(field.value.decode("utf-8", "replace"), now) for field in fields]
    keys = await asyncio.gather(*(key_of(resolver, signature) for signature in read))
    candidates = [
        Candidate(field, signature, key)
        for field, signature, key in zip(fields, read, keys, strict=True)
        if isinstance(signature, Signature) and not isinstance(key, Unusable)
    ]
    judged = iter(await _judged(candidates, parts, executor) if candidates else ())
    return [
        _finding(signature, key if isinstance(key, Unusable) else next(judged))
        for signature, key in zip(read, keys, strict=True)
    ]


async def key_of(resolver: Resolver, signature: Signature | Unusable) -> Key | Unusable:
    """Return the key of a signature from DNS, or why there is none."""
    if isinstance(signature, Unusable):
        return signature
    answer = await resolver.txt(signature.key_name)
    if answer.status is Status.FAILED:
        return Unusable(Dkim.TEMPERROR, "no answer from DNS for the key")
    if answer.status is not Status.FOUND or not answer.records:
        return Unusable(Dkim.PERMERROR, "there is no such key")
    return read_key(answer.records[0].decode("latin-1"), signature)


async def _judged(candidates: Sequence[Candidate], parts: Parts, executor: Executor) -> list[Unusable | None]:
    if sum(map(len, parts.body)) <= INLINE_OCTETS:
        return judge(candidates, parts, threading.Event())
    given_up = threading.Event()
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, judge, candidates, parts, given_up)
    finally:
        given_up.set()  # a thread that nobody waits for any more must not keep the octets


def judge(candidates: Sequence[Candidate], parts: Parts, given_up: threading.Event) -> list[Unusable | None]:
    """Return for each candidate why it does not hold, None for those that do. Needs no event loop."""
    bodies: dict[tuple[bool, int | None], BodyHash] = {}
    results = []
    for candidate in candidates:
        relaxed, length = candidate.signature.relaxed_body, candidate.signature.length
        if (relaxed, length) not in bodies:
            bodies[relaxed, length] = hash_body(parts.body, relaxed=relaxed, length=length, given_up=given_up)
        digest, octets = bodies[relaxed, length]
        results.append(_refuted(candidate, parts.fields, digest, octets))
    return results


def _refuted(candidate: Candidate, fields: Sequence[Field], digest: bytes, octets: int) -> Unusable | None:
    signature = candidate.signature
    if digest != signature.body_hash:
        return Unusable(Dkim.FAIL, "the body has changed")
    octets_signed = signed_octets(candidate.field, signature, fields)
    if not is_signed(candidate.key, signature, hashlib.sha256(octets_signed).digest()):
        return Unusable(Dkim.FAIL, "the signature does not fit")
    if signature.length is not None and signature.length < octets:
        return Unusable(Dkim.POLICY, "l= leaves a part of the body unsigned")
    return None


def signed_octets(field: Field, signature: Signature, fields: Sequence[Field]) -> bytes:
    """Return what was signed: the fields of h=, then the signature without its value.

    A From field more than h= lists is taken as signed as well, so that one added above the signed one breaks the
    signature (section 8.15).
    """
    return covered(fields, (*signature.fields, b"from"), field, relaxed=signature.relaxed_header)


def is_signed(key: Key, signature: Signature, digest: bytes) -> bool:
    """Tell whether the octets with this SHA-256 were signed with the key."""
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature.signature, digest, PKCS1v15(), Prehashed(SHA256()))
        else:
            # RFC 8463 section 3: the hash of the octets is what Ed25519 signs.
            key.verify(signature.signature, digest)
    except InvalidSignature:
        return False
    return True


def _finding(signature: Signature | Unusable, unusable: Unusable | None) -> DkimFinding:
    result, reason = unusable or (Dkim.PASS, "")
    if isinstance(signature, Unusable):
        return DkimFinding(result, reason)
    return DkimFinding(
        result,
        reason,
        signature.domain,
        signature.selector,
        signature.algorithm,
        base64_start(signature.signature),
    )


def base64_start(octets: bytes) -> str:
    """Return the first eight octets of the base64 form."""
    return base64.b64encode(octets[:6]).decode("ascii")
