"""DKIM signatures for one message (RFC 6376, RFC 8463). Pure but for the key."""

from collections.abc import Sequence
from typing import NamedTuple

from services.delivery.signing.field import encoded, signature_field
from services.delivery.signing.keys import SigningKey
from shared.mailauth.fields import Field
from shared.mailauth.signed import covered


class Signed(NamedTuple):
    """What every signature of a message has in common."""

    fields: Sequence[Field]
    names: tuple[bytes, ...]
    """h="""
    body_hash: bytes
    """Of the relaxed body."""
    now: float


def dkim_signature(key: SigningKey, signed: Signed, valid_for: float = 0) -> bytes:
    """Return a DKIM-Signature field, relaxed/relaxed, over the whole body; it holds `valid_for` seconds, 0 for ever.

    There is no l=, which would leave room for what is added, and no i=: who in the domain wrote it is not ours to say.
    """
    now = int(signed.now)
    tags = [
        *(("v", "1"), ("a", key.algorithm), ("c", "relaxed/relaxed"), ("d", key.domain), ("s", key.selector)),
        ("t", str(now)),
        *([("x", str(now + max(1, int(valid_for))))] if valid_for else []),
        ("h", b":".join(signed.names).decode("ascii")),
        ("bh", encoded(signed.body_hash)),
    ]

    def sign(own: Field) -> bytes:
        return key.sign(covered(signed.fields, signed.names, own, relaxed=True))

    return signature_field("DKIM-Signature", tags, sign).raw
