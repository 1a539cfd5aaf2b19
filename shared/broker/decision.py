"""What an operator decided about kept mail: who let which message go, or deleted it, and when."""

import hashlib
from enum import StrEnum

import msgspec

from shared.model import Message


class Decided(StrEnum):
    """What became of it."""

    RELEASED = "released"
    DELETED = "deleted"


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """One decision about one kept copy; it outlives what was decided about, for as long as mail is kept."""

    at: float
    by: str
    decided: Decided
    id: str
    sender: str | None
    recipients: tuple[str, ...]
    reason: str | None
    """Why it was kept."""
    octets: int
    sha256: str
    """Of the content as it was kept."""


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Decision).decode


def decision(message: Message, decided: Decided, by: str, at: float) -> Decision:
    """Return the record of a decision about a message."""
    item, content = message.item, message.content
    return Decision(
        at=at,
        by=by,
        decided=decided,
        id=item.id,
        sender=item.envelope.sender,
        recipients=tuple(recipient.address for recipient in item.envelope.recipients),
        reason=item.reason,
        octets=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
