"""DKIM signatures and keys: from text to values, or to why they cannot count (RFC 6376, 8301, 8463). No I/O."""

import base64
import binascii
import re
from enum import StrEnum
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from shared.mailauth.tags import read_tags, without_space
from shared.smtp.address import BadAddress, parse_domain

MAX_SIGNED_FIELDS = 1000
MIN_RSA_BITS = 1024
MAX_RSA_BITS = 8192
"""More is not stronger mail, but work for us."""

Key = RSAPublicKey | Ed25519PublicKey


class Dkim(StrEnum):
    """What is said of a signature (RFC 8601 section 2.7.1)."""

    PASS = "pass"  # noqa: S105  (a result, not a password)
    FAIL = "fail"
    POLICY = "policy"
    """It may be right, but is of a kind that proves nothing to us."""
    NEUTRAL = "neutral"
    """Not written as a signature is."""
    TEMPERROR = "temperror"
    PERMERROR = "permerror"
    NONE = "none"


class Unusable(NamedTuple):
    """Why a signature or a key cannot count."""

    result: Dkim
    reason: str


class Signature(NamedTuple):
    """What one DKIM-Signature field says."""

    algorithm: str
    """rsa-sha256 or ed25519-sha256."""
    domain: str
    """d=, in lower case and A-labels."""
    selector: str
    signature: bytes
    body_hash: bytes
    fields: tuple[bytes, ...]
    """h=, in lower case."""
    relaxed_header: bool
    relaxed_body: bool
    length: int | None
    """l=: so many octets of the body are signed."""
    identity: str
    """Domain of i=, or d=."""

    @property
    def key_name(self) -> str:
        """Where DNS has the key."""
        return f"{self.selector}._domainkey.{self.domain}"


ALGORITHMS = frozenset(("rsa-sha256", "ed25519-sha256"))
_REQUIRED = ("v", "a", "b", "bh", "d", "h", "s")
_NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)
_CANONICAL = re.compile(r"(simple|relaxed)(?:/(simple|relaxed))?", re.IGNORECASE | re.ASCII)


def read_signature(value: str, now: float) -> Signature | Unusable:
    """Return what a DKIM-Signature field says, given its unfolded value (RFC 6376 section 6.1.1)."""
    tags = read_tags(value)
    return Unusable(Dkim.NEUTRAL, "not a list of tags") if tags is None else signature_of(tags, now)


def signature_of(tags: dict[str, str], now: float) -> Signature | Unusable:
    """Return what the tags of a signature say."""
    missing = [name for name in _REQUIRED if not tags.get(name)]
    if missing:
        return Unusable(Dkim.NEUTRAL, f"no {missing[0]}= tag")
    domain, selector = parse_domain(tags["d"]), parse_domain(tags["s"])
    identity = parse_domain(tags["i"].rpartition("@")[2]) if "i" in tags else domain
    if isinstance(domain, BadAddress) or isinstance(selector, BadAddress) or isinstance(identity, BadAddress):
        return Unusable(Dkim.NEUTRAL, "d=, s= or i= is not a domain name")
    canonical = _CANONICAL.fullmatch(tags.get("c", "simple"))
    signature, body_hash = decode(tags["b"]), decode(tags["bh"])
    if canonical is None or signature is None or body_hash is None:
        return Unusable(Dkim.NEUTRAL, "b=, bh= or c= is malformed")
    fields = tuple(name.strip(" \t").lower().encode(errors="replace") for name in tags["h"].split(":"))
    length = tags.get("l")
    refused = _not_acceptable(tags, fields, now) or (
        None if is_within(identity, domain) else Unusable(Dkim.NEUTRAL, "i= is not within d=")
    )
    return refused or Signature(
        algorithm=tags["a"].lower(),
        domain=domain,
        selector=selector,
        signature=signature,
        body_hash=body_hash,
        fields=fields,
        relaxed_header=canonical[1].lower() == "relaxed",
        relaxed_body=(canonical[2] or "simple").lower() == "relaxed",
        length=None if length is None else int(length),
        identity=identity,
    )


def _not_acceptable(tags: dict[str, str], fields: tuple[bytes, ...], now: float) -> Unusable | None:
    """Return why a complete signature counts for nothing, whatever the key says."""
    if any(name in tags and not _NUMBER.fullmatch(tags[name]) for name in ("l", "t", "x")):
        return Unusable(Dkim.NEUTRAL, "l=, t= or x= is not a number")
    algorithm = tags["a"].lower()
    methods = [method.strip().lower() for method in tags.get("q", "dns/txt").split(":")]
    refusals = {
        Unusable(Dkim.NEUTRAL, "v= is not 1"): tags["v"] != "1",
        # RFC 8301 section 3.1
        Unusable(Dkim.POLICY, "rsa-sha1 proves nothing any more"): algorithm == "rsa-sha1",
        Unusable(Dkim.NEUTRAL, "unknown algorithm"): algorithm not in ALGORITHMS,
        Unusable(Dkim.NEUTRAL, "unknown q="): "dns/txt" not in methods,
        Unusable(Dkim.PERMERROR, "From is not signed"): b"from" not in fields,
        Unusable(Dkim.POLICY, "too many signed fields"): len(fields) > MAX_SIGNED_FIELDS,
        Unusable(Dkim.FAIL, "the signature has expired"): (
            "x" in tags and int(tags["x"]) < max(now, int(tags.get("t", "0")))
        ),
    }
    return next((refusal for refusal, applies in refusals.items() if applies), None)


def read_key(text: str, signature: Signature) -> Key | Unusable:
    """Return the key of a key record, if it may be used for this signature (RFC 6376 sections 3.6.1 and 6.1.2)."""
    tags = read_tags(text)
    if tags is None or "p" not in tags or ("v" in tags and (next(iter(tags)), tags["v"]) != ("v", "DKIM1")):
        return Unusable(Dkim.PERMERROR, "the key record is malformed")
    if not tags["p"]:
        return Unusable(Dkim.PERMERROR, "the key is revoked")
    kind, _, digest = signature.algorithm.partition("-")
    if tags.get("k", "rsa").lower() != kind or digest not in _listed(tags.get("h", digest)):
        return Unusable(Dkim.PERMERROR, "the key is for another algorithm")
    if not {"*", "email"} & set(_listed(tags.get("s", "*"))):
        return Unusable(Dkim.PERMERROR, "the key is not for mail")
    if "s" in _listed(tags.get("t", "")) and signature.identity != signature.domain:
        return Unusable(Dkim.PERMERROR, "the key is not for subdomains")
    return _load(kind, decode(tags["p"]))


def _load(kind: str, octets: bytes | None) -> Key | Unusable:
    malformed = Unusable(Dkim.PERMERROR, "the key is malformed")
    if octets is None:
        return malformed
    try:
        key = Ed25519PublicKey.from_public_bytes(octets) if kind == "ed25519" else load_der_public_key(octets)
    except (ValueError, UnsupportedAlgorithm):
        return malformed
    if isinstance(key, Ed25519PublicKey):
        return key
    if not isinstance(key, RSAPublicKey):
        return malformed
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        return Unusable(Dkim.POLICY, f"the key has {key.key_size} bits")
    return key


def decode(text: str) -> bytes | None:
    """Return base64 decoded, None if it is not."""
    try:
        return base64.b64decode(without_space(text), validate=True)
    except (binascii.Error, ValueError):
        return None


def is_within(name: str, domain: str) -> bool:
    """Tell whether a name is the domain or below it; both in lower case."""
    return name == domain or name.endswith(f".{domain}")


def _listed(value: str) -> list[str]:
    return [item.strip().lower() for item in value.split(":")]
