"""When to try again, when to give up, when to say that it takes long. Pure: `now` and `jitter` are parameters."""

from collections.abc import Sequence
from typing import NamedTuple

SPREAD = 0.2
"""A wait is within ±10 % of the schedule's, so that a recovered host is not met by everything at once."""
GRACE = 3600.0
"""Seconds that DNS has to come back after we did."""


class Plan(NamedTuple):
    """The retry keys of the configuration, in seconds."""

    schedule: Sequence[float]
    lifetime: float
    delay_warning: float


class Age(NamedTuple):
    """How far an item has come in its life."""

    released_at: float
    attempt: int
    """The number of the attempt just made, from 0."""
    warns: bool = False
    """True if somebody is still to be told of a delay."""


def next_try(plan: Plan, age: Age, now: float, jitter: float) -> float | None:
    """Return when to try again after an attempt, or None: the lifetime is over.

    `jitter` is in [0, 1). Because the lifetime is only looked at after an attempt, nothing expires untried. Attempts
    are made when the warning is due and as the lifetime ends, rather than up to a whole wait later: a report of a
    delay, or of a failure, is of that hour.
    """
    end = age.released_at + plan.lifetime
    if now >= end:
        return None
    wait = plan.schedule[min(age.attempt, len(plan.schedule) - 1)] * (1 - SPREAD / 2 + SPREAD * jitter)
    warning = age.released_at + plan.delay_warning
    stops = (end, warning) if age.warns and now < warning else (end,)
    return min(now + wait, *stops)


def once_more(plan: Plan, last_at: float, now: float) -> float | None:
    """Return when to try again though the lifetime is over, after a try that asked no host; None: it ends here.

    Only if the try was the first after an absence of ours, which the ladder never leaves so long a pause for: whoever
    comes back after days may find that DNS takes a little longer, and would return all mail without having asked.
    """
    longest = max(plan.schedule)
    absent = now - last_at > longest * (1 + SPREAD)
    return now + min(longest, GRACE) if absent else None


def delay_is_due(plan: Plan, released_at: float, now: float, *, reported: bool) -> bool:
    """Tell whether the one warning of a delay is due; a `delay_warning` of 0 means never."""
    return not reported and plan.delay_warning > 0 and now - released_at >= plan.delay_warning


def is_over(plan: Plan, released_at: float, now: float) -> bool:
    """Tell whether the next attempt is the last, whatever is known of the host: nothing expires untried."""
    return now >= released_at + plan.lifetime
