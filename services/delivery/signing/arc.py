"""An ARC set for a message that we changed (RFC 8617 section 5.1). Pure but for the key.

It says what was found when the message arrived, signs the message as it is now, and seals the chain so far.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from services.delivery.signing.dkim import Signed
from services.delivery.signing.field import encoded, signature_field
from services.delivery.signing.keys import SigningKey
from shared.mailauth.arc import MAX_SETS, ArcSet, BadChain, canonical_set, highest_instance, read_chain
from shared.mailauth.authserv import authserv_id
from shared.mailauth.canonical import header
from shared.mailauth.fields import Field
from shared.mailauth.signed import covered

_RESULT = re.compile(rb";[ \t\r\n]*([a-z]+)=([a-z]+)", re.IGNORECASE)
_QUOTED = re.compile(rb'"[^"]*"')
"""Where words of strangers stand, which may look like results."""


class Chain(NamedTuple):
    """Where a new set goes."""

    instance: int
    claimed: str
    """cv= of the new seal: none, pass or fail."""
    before: tuple[ArcSet, ...]
    """What the new seal covers besides its own set."""


def our_results(fields: Sequence[Field], hostname: str) -> bytes | None:
    """Return the value of the Authentication-Results field that our ingress wrote: it lets no other pass for ours."""
    for field in fields:
        if field.name == b"authentication-results" and authserv_id(field.value) == hostname.lower():
            return field.raw.partition(b":")[2].strip()
    return None


def results_of(results: bytes, method: bytes) -> list[bytes]:
    """Return what such a field's value says by one method, such as [b"pass"], in lower case."""
    found = _RESULT.findall(_QUOTED.sub(b"", results))
    return [result.lower() for name, result in found if name.lower() == method]


def next_link(fields: Sequence[Field], results: bytes) -> Chain | None:
    """Return where the next set goes; None if none may be added.

    Whether the chain was valid is what ingress found before the message was changed, in `results`. Nothing is sealed
    where it could not tell (no key from DNS), after a seal that declares the chain broken, and beyond 50 sets.
    """
    sets = read_chain(fields)
    if not sets:
        return Chain(1, "none", ())
    before, highest = ((), highest_instance(fields)) if isinstance(sets, BadChain) else (sets, len(sets))
    is_over = bool(before) and before[-1].claimed == "fail"
    instance = highest + 1
    said = results_of(results, b"arc")
    if is_over or instance > MAX_SETS:
        return None
    if said == [b"fail"]:
        return Chain(instance, "fail", ())
    return Chain(instance, "pass", before) if said == [b"pass"] and before else None


def arc_set(key: SigningKey, signed: Signed, results: bytes, chain: Chain) -> bytes:
    """Return the three fields of a new set, top first."""
    instance, now = ("i", str(chain.instance)), ("t", str(int(signed.now)))
    who = (("d", key.domain), ("s", key.selector), now)
    found = Field(
        b"arc-authentication-results",
        b"ARC-Authentication-Results: i=%d; " % chain.instance + results + b"\r\n",
    )
    signature = signature_field(
        "ARC-Message-Signature",
        [
            *(instance, ("a", key.algorithm), ("c", "relaxed/relaxed"), *who),
            ("h", b":".join(signed.names).decode("ascii")),
            ("bh", encoded(signed.body_hash)),
        ],
        lambda own: key.sign(covered(signed.fields, signed.names, own, relaxed=True)),
    )

    def sign(own: Field) -> bytes:
        below = b"".join(map(canonical_set, chain.before))
        new = header(found, relaxed=True) + header(signature, relaxed=True)
        return key.sign(below + new + header(own, relaxed=True).removesuffix(b"\r\n"))

    seal = signature_field("ARC-Seal", [instance, ("a", key.algorithm), *who, ("cv", chain.claimed)], sign)
    return seal.raw + signature.raw + found.raw
