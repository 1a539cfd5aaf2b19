"""Messages for tests: small, valid, each with an id of its own."""

import itertools
from collections.abc import Sequence

from shared.ids import new_id
from shared.model import Envelope, Item, Message, Origin, Place, Recipient, Send

_count = itertools.count(1)

CONTENT = b"From: a@example.net\r\nTo: b@example.org\r\nSubject: test\r\n\r\nHello.\r\n"


def make_item(
    message_id: str | None = None,
    *,
    recipients: Sequence[str] = ("b@example.org",),
    not_before: float | None = None,
    reason: str | None = None,
) -> Item:
    """Return an item; without `message_id` it gets one that no other item has."""
    return Item(
        id=message_id or new_id(1_700_000_000 + next(_count)),
        envelope=Envelope(sender="a@example.net", recipients=tuple(Recipient(address=each) for each in recipients)),
        origin=Origin.INBOUND,
        accepted_at=1_700_000_000.0,
        not_before=not_before,
        reason=reason,
    )


def make_message(item: Item | None = None, content: bytes = CONTENT) -> Message:
    """Return a message of `item`, or of a new one."""
    return Message(item or make_item(), content)


def to(place: Place, message: Message | None = None) -> Send:
    """Return a send of `message`, or of a new one."""
    return Send(place, message or make_message())
