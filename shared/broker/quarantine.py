"""What an operator does with quarantined mail, on either broker: list, show, release, delete; and what was done.

On RabbitMQ the list of what is kept stands apart from the originals (port.Operator). One id may be kept more than
once: the screener keeps a whole message, delivery the part of it that could not be returned to anybody. Every
operation means all copies of an id.
"""

from collections.abc import Sequence

import msgspec

from shared import log
from shared.broker.decision import Decided, Decision, decision
from shared.broker.port import Entry, Kept, Operator
from shared.broker.topology import QUARANTINE_BUCKETS, bucket_queue
from shared.errors import BrokerError
from shared.model import Message, Place, Release, Send
from shared.split import by_destination

BUCKETS = tuple(bucket_queue(day) for day in range(QUARANTINE_BUCKETS))
RELEASED = 1000
"""Splits of a release are numbered above this, so that their keys differ from those of the screener's splits."""


async def list_kept(operator: Operator, kept_since: float = 0.0) -> list[Entry]:
    """Return everything in quarantine, the oldest first; what was kept before `kept_since` has expired."""
    entries = [entry async for entry in operator.quarantined() if (entry.kept_at or kept_since) >= kept_since]
    return sorted(entries, key=lambda entry: (entry.item.id if entry.item else "", entry.queue))


async def show(operator: Operator, message_id: str) -> list[Kept]:
    """Return every copy of one message, contents included; empty if there is none.

    Only the buckets that the list names are read; all of them if it knows nothing of the message, or is wrong.
    """
    listed = [entry async for entry in operator.quarantined() if entry.item and entry.item.id == message_id]
    buckets = list(dict.fromkeys(entry.queue for entry in listed))
    return await _copies(operator, buckets, message_id) or await _copies(operator, BUCKETS, message_id)


async def _copies(operator: Operator, buckets: Sequence[str], message_id: str) -> list[Kept]:
    return [kept async for kept in operator.kept(buckets) if kept.message and kept.message.item.id == message_id]


async def release(operator: Operator, message_id: str, by: str, now: float) -> int:
    """Send one message to delivery, unscreened, and remove every copy; return how many copies there were.

    Durable at delivery first, removed then: a crash in between leaves the message in quarantine and on its way.
    """
    copies = await show(operator, message_id)
    release_record = Release(at=now, by=by)
    once = _once(copies)
    sends = [send for message in once for send in released(message, release_record)]
    if sends:
        await operator.publish(sends)
    for message in once:
        try:
            await operator.record(decision(message, Decided.RELEASED, by, now))
        except BrokerError as error:  # the message itself says who released it, and so does delivery's log
            log.get().warning("released, but not in the list of decisions", id=message_id, error=str(error))
    await _remove(operator, copies, message_id)
    return len(copies)


async def delete(operator: Operator, message_id: str, by: str, now: float) -> int:
    """Remove every copy of one message for good; return how many there were.

    Recorded first: nothing else remembers a message that is gone. Raise BrokerError, nothing removed, if that fails.
    """
    copies = await show(operator, message_id)
    for message in _once(copies):
        await operator.record(decision(message, Decided.DELETED, by, now))
    await _remove(operator, copies, message_id)
    return len(copies)


async def decisions(operator: Operator, since: float = 0.0) -> list[Decision]:
    """Return who released or deleted what, the oldest first."""
    return [each async for each in operator.decisions() if each.at >= since]


def released(message: Message, record: Release) -> list[Send]:
    """Return what delivers a kept message: one item for each destination, with the record that lets it pass."""
    item = msgspec.structs.replace(
        message.item, release=record, reason=None, delay_reported=False, split=message.item.split + RELEASED
    )
    return [Send(Place.REDELIVER, Message(one, message.content)) for one in by_destination(item)]


def _once(copies: Sequence[Kept]) -> list[Message]:
    """Return the messages without those that a crash has kept twice; splits of one message are not the same."""
    found: dict[tuple[str, ...], Message] = {}
    for message in (kept.message for kept in copies):
        if message is not None:
            who = (message.item.key, *(recipient.address for recipient in message.item.envelope.recipients))
            found[who] = message
    return list(found.values())


async def _remove(operator: Operator, copies: list[Kept], message_id: str) -> None:
    for queue in dict.fromkeys(kept.queue for kept in copies):
        await operator.remove(queue, message_id)
