"""AMQP properties of what we publish: for people in the UI, and nothing that a stage needs (DESIGN section 4)."""

from datetime import UTC, datetime

from pamqp.commands import Basic
from pamqp.common import FieldTable

from shared.broker.topology import User
from shared.model import Item

SHOWN = 100
"""Characters of a header; a content header must fit one frame."""
PERSISTENT = 2
REASON = "reason"
"""The header that says why a body that does not decode was parked."""


def for_item(item: Item, user: User, now: float) -> Basic.Properties:
    """Return the properties of an item: id, sender, first recipient and attempt as headers."""
    headers: FieldTable = {
        "id": item.id,
        "sender": (item.envelope.sender or "<>")[:SHOWN],
        "recipient": item.envelope.recipients[0].address[:SHOWN],
        "attempt": item.attempt,
    }
    return Basic.Properties(
        message_id=item.key,
        message_type="item",
        app_id=user.value,
        delivery_mode=PERSISTENT,
        timestamp=datetime.fromtimestamp(now, UTC),
        headers=headers,
    )


def for_undecodable(reason: str, user: User, now: float) -> Basic.Properties:
    """Return the properties of a parked body that is not one of ours."""
    return Basic.Properties(
        message_id=f"undecodable.{now:.6f}",
        message_type="undecodable",
        app_id=user.value,
        delivery_mode=PERSISTENT,
        timestamp=datetime.fromtimestamp(now, UTC),
        headers={REASON: reason[:1000]},
    )


def for_index(user: User, now: float) -> Basic.Properties:
    """Return the properties of a record of the quarantine's list that speaks of no item of its own."""
    return Basic.Properties(
        message_id=f"index.{now:.6f}",
        message_type="index",
        app_id=user.value,
        delivery_mode=PERSISTENT,
        timestamp=datetime.fromtimestamp(now, UTC),
    )


def returns_of(properties: Basic.Properties) -> int:
    """Return how often a delivery came back to its queue.

    From 4.3 on `x-delivery-count` leaves out hand-backs and dead consumers, and `x-acquired-count` has them.
    """
    headers = properties.headers or {}
    counts = (headers.get("x-delivery-count"), headers.get("x-acquired-count"))
    return max((count for count in counts if isinstance(count, int)), default=0)
