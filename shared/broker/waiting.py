"""What an operator does with mail on its way to delivery: make it due now, hold it, let it, or what is parked, go on.

Pure functions from a message to what takes its place (None: it stays as it is), and one job that goes through the
queues with one of them. All that a job has done is in the queues, so that one that was cut off is simply begun again.
"""

from collections.abc import Callable, Sequence

import msgspec

from shared.broker.port import Operator
from shared.broker.topology import Stage, stage_queues, twin
from shared.model import Item, Message, Place, Send

WAITING = tuple(stage_queues(Stage.DELIVER))
"""Everything on its way to delivery. Where mail returns to stands before the ladder, or it would be met twice."""
LATER = tuple(queue for queue in WAITING if queue not in {Place.DELIVER, twin(Place.DELIVER)})
"""Where mail may be that is not yet due; fresh mail always is."""
HELD = 253402300799.0
"""The end of the year 9999: held by an operator, until an operator lets it go on."""
Follows = Callable[[Message], Sequence[Send] | None]


def concerns(item: Item, domains: Sequence[str], ids: Sequence[str] = ()) -> bool:
    """Tell whether an item is meant: its id or its domain is named, or a domain above it as `.example.org`.

    If nothing is named, everything is meant.
    """
    if not domains and not ids:
        return True
    return item.id in ids or is_among(_domain(item), domains)


def _domain(item: Item) -> str:
    return item.destination or item.envelope.recipients[0].domain


def is_among(domain: str, named: Sequence[str]) -> bool:
    """Tell whether a domain is named, or one above it as `.example.org`, or all as `*`."""
    return any(each in {domain, "*"} or (each.startswith(".") and domain.endswith(each)) for each in named)


def made_due(message: Message, since: float) -> list[Send] | None:
    """Return what is tried at once; what was tried or made due after `since`, when the job began, has had its turn."""
    item = message.item
    held = item.hold_until is not None and item.hold_until > since
    done = max(item.flushed_at or 0.0, item.history[-1].at if item.history else 0.0) >= since
    if item.not_before is None or item.not_before <= since or held or done:
        return None
    due = msgspec.structs.replace(item, not_before=None, flushed_at=since)
    return [Send(Place.REDELIVER, Message(due, message.content))]


def held(message: Message) -> list[Send] | None:
    """Return what waits until it is resumed; a time that its sender asked for is forgotten."""
    item = message.item
    if item.hold_until == HELD:
        return None
    kept = msgspec.structs.replace(item, hold_until=HELD, not_before=HELD)
    return [Send(Place.REDELIVER, Message(kept, message.content))]


def held_as_new(message: Message, domains: Sequence[str]) -> list[Send] | None:
    """Return what is held as new mail for one of these domains: neither tried yet nor resumed."""
    item = message.item
    new = item.attempt == 0 and item.flushed_at is None
    return held(message) if new and is_among(_domain(item), domains) else None


def resumed(message: Message, now: float) -> list[Send] | None:
    """Return what is tried at once after a hold; its lifetime begins again, since a hold is no fault of a host."""
    item = message.item
    if item.hold_until != HELD:
        return None
    freed = msgspec.structs.replace(item, hold_until=now, not_before=None, flushed_at=now, delay_reported=False)
    return [Send(Place.REDELIVER, Message(freed, message.content))]


def revived(message: Message, now: float) -> list[Send]:
    """Return what was parked as its stage gets it, all failures forgotten; its lifetime begins again."""
    fresh = msgspec.structs.replace(
        message.item,
        failures=0,
        lost=0,
        reason=None,
        hold_until=now,
        not_before=None,
        flushed_at=now,
        delay_reported=False,
    )
    place = Place.REDELIVER if fresh.may_be_delivered else Place.SCREEN
    return [Send(place, Message(fresh, message.content))]


async def sweep(operator: Operator, queues: Sequence[str], follows: Follows) -> int:
    """Replace messages queue by queue; return how many were. Raise BrokerError: what is done so far is done."""
    return sum([await operator.move(queue, follows) for queue in queues])
