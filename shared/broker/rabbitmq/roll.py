"""Noticing that a worker has vanished. Pure.

Every worker consumes from `topology.SLOT_ROLL`, which nobody publishes to, on the connection that holds its slots:
the queue's number of consumers is the number of workers. RabbitMQ takes a lost connection's consumer away before its
exclusive queues, so whoever gets a slot of a vanished worker finds the number smaller than before.
"""

from typing import NamedTuple


class Roll(NamedTuple):
    """What one worker knows."""

    workers: int | None = None
    guarded_until: float = 0.0
    """No slot is taken before: the vanished worker may not have noticed yet, and still have its SMTP connections."""


def counted(roll: Roll, count: int, now: float, guard: float) -> Roll:
    """Return the roll after a count; a smaller one than before begins the guard time."""
    shrunk = roll.workers is not None and count < roll.workers
    return Roll(count, now + guard if shrunk else roll.guarded_until)
