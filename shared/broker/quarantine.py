"""What an operator does with quarantined mail, on either broker: list, show, release, delete.

One id may be kept more than once: the screener keeps a whole message, delivery the part of it that could not be
returned to anybody. Every operation means all copies of an id.
"""

from typing import NamedTuple

import msgspec

from shared.broker.port import Kept, Operator
from shared.broker.topology import QUARANTINE_BUCKETS, bucket_queue
from shared.model import Item, Message, Place, Release, Send
from shared.split import by_destination

BUCKETS = tuple(bucket_queue(day) for day in range(QUARANTINE_BUCKETS))
RELEASED = 1000
"""Splits of a release are numbered above this, so that their keys differ from those of the screener's splits."""


class Entry(NamedTuple):
    """One kept message without its content."""

    queue: str
    item: Item | None
    """None if the body does not decode."""
    octets: int
    """Size of the content, or of the body that does not decode."""
    reason: str | None


async def list_kept(operator: Operator) -> list[Entry]:
    """Return everything in quarantine, the oldest first; contents are not held in memory."""
    entries = [_entry(kept) async for kept in operator.kept(BUCKETS)]
    return sorted(entries, key=lambda entry: (entry.item.id if entry.item else "", entry.queue))


async def show(operator: Operator, message_id: str) -> list[Kept]:
    """Return every copy of one message, contents included; empty if there is none."""
    return [kept async for kept in operator.kept(BUCKETS) if kept.message and kept.message.item.id == message_id]


async def release(operator: Operator, message_id: str, by: str, now: float) -> int:
    """Send one message to delivery, unscreened, and remove every copy; return how many copies there were.

    Durable at delivery first, removed then: a crash in between leaves the message in quarantine and on its way.
    """
    copies = await show(operator, message_id)
    record = Release(at=now, by=by)
    once = {_who(kept.message): kept.message for kept in copies if kept.message}  # a crash may have kept it twice
    sends = [send for message in once.values() for send in released(message, record)]
    if sends:
        await operator.publish(sends)
    await _remove(operator, copies, message_id)
    return len(copies)


async def delete(operator: Operator, message_id: str) -> int:
    """Remove every copy of one message for good; return how many there were."""
    copies = await show(operator, message_id)
    await _remove(operator, copies, message_id)
    return len(copies)


def released(message: Message, record: Release) -> list[Send]:
    """Return what delivers a kept message: one item for each destination, with the record that lets it pass."""
    item = msgspec.structs.replace(
        message.item, release=record, reason=None, delay_reported=False, split=message.item.split + RELEASED
    )
    return [Send(Place.REDELIVER, Message(one, message.content)) for one in by_destination(item)]


def _who(message: Message) -> tuple[str, ...]:
    """Return what tells copies that a crash left from splits of one message."""
    return (message.item.key, *(recipient.address for recipient in message.item.envelope.recipients))


async def _remove(operator: Operator, copies: list[Kept], message_id: str) -> None:
    for queue in dict.fromkeys(kept.queue for kept in copies):
        await operator.remove(queue, message_id)


def _entry(kept: Kept) -> Entry:
    if kept.message is None:
        return Entry(kept.queue, None, len(kept.body), kept.reason)
    item = kept.message.item
    return Entry(kept.queue, item, len(kept.message.content), kept.reason or item.reason)
