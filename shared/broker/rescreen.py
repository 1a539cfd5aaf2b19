"""Screening again what is on its way to delivery: after a change of the rules (DESIGN section 9)."""

import msgspec

from shared.broker.port import Operator
from shared.broker.topology import Stage, stage_queues
from shared.model import Message, Origin, Place, Send

QUEUES = tuple(stage_queues(Stage.DELIVER))
"""Where mail waits for delivery; what waits for the screener meets the new rules anyway."""


async def rescreen(operator: Operator) -> dict[str, int]:
    """Send everything that is not in delivery's hand back to the screener; return how many by queue.

    Raise BrokerFull if the screener's queue takes no more: what is left stays where it is.
    """
    return {queue: await operator.move(queue, again) for queue in QUEUES}


def again(message: Message) -> list[Send] | None:
    """Return what has a message screened again; None for what is not the screener's to judge.

    Released mail has an operator's word, reports are ours. Attempts and history stay, the next attempt does not wait.
    """
    item = message.item
    if item.release is not None or item.origin is Origin.GENERATED or item.verdict is None:
        return None
    item = msgspec.structs.replace(item, verdict=None, not_before=None)
    return [Send(Place.SCREEN, Message(item, message.content))]
