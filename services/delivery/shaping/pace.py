"""How many connections at a time a destination likes: started with few, grown, halved. Pure.

Additive increase, multiplicative decrease, as TCP finds what a path takes (RFC 5681): one more for each success at
first, then one more for each round of successes; half of it when the host says that it is too much.
"""

from typing import NamedTuple

from services.delivery.cause import Cause, cause_of
from shared.smtp.reply import Reply

START = 5.0
QUIET = 5.0
"""Seconds after a decrease in which another counts as the same: all connections are told at once."""


class Pace(NamedTuple):
    """What is known of one destination."""

    size: float = START
    """Connections at a time; its whole part counts."""
    calm_below: float = float("inf")
    """Up to here every success adds one; it is half of what was too much."""
    quiet_until: float = 0.0

    @property
    def connections(self) -> int:
        """How many at a time."""
        return int(self.size)


def succeeded(pace: Pace, limit: int) -> Pace:
    """Return the pace after a message was taken; never above `limit`."""
    step = 1.0 if pace.size < pace.calm_below else 1.0 / pace.size
    return pace._replace(size=max(1.0, min(pace.size + step, float(limit))))


def refused(pace: Pace, now: float) -> Pace:
    """Return the pace after the host has said that it was too much; never below one connection."""
    if now < pace.quiet_until:
        return pace
    half = max(1.0, pace.size / 2)
    return Pace(half, half, now + QUIET)


def is_too_much(reply: Reply) -> bool:
    """Tell whether a reply asks to slow down: 421 whatever its text, or a 4xx that speaks of rates or connections.

    Too many recipients (X.5.3) asks for smaller transactions.
    """
    if reply.is_permanent or reply.code < 400 or reply.enhanced == "4.5.3":
        return False
    return reply.code == 421 or cause_of(reply) is Cause.RATE_LIMITED
