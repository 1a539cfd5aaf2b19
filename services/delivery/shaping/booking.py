"""When to come back to a destination that is busy. Pure.

Every item that finds no place books the next one: places become free at the rate at which messages were taken lately.
So an item comes back about when there is room for it, and a backlog costs the broker a few moves an item rather than
one every few seconds.
"""

from typing import NamedTuple

SOONEST = 1.0
LATEST = 30.0
"""A destination may have become quicker, or its slots free: nobody stays away for longer."""
BLIND = 10.0
"""The longest for a worker that holds none of the site's slots: it does not know how soon the others are done."""
SLACK = 1.5
"""More are called than there is room for, so that no place stays empty; who is too many books again."""
FORGET = 0.2
"""Weight of the latest gap."""
LONGEST_GAP = 10.0


class Bookings(NamedTuple):
    """What is known of one destination."""

    gap: float = 0.01
    """Seconds from one finished message to the next, smoothed; a stranger is taken for quick."""
    finished_at: float | None = None
    next_at: float = 0.0
    """The first place that nobody has booked."""


def finished(bookings: Bookings, now: float) -> Bookings:
    """Return the bookings after a message was finished, whatever came of it."""
    if bookings.finished_at is None:
        return bookings._replace(finished_at=now)
    latest = min(now - bookings.finished_at, LONGEST_GAP)
    return bookings._replace(gap=bookings.gap + FORGET * (latest - bookings.gap), finished_at=now)


def expected(bookings: Bookings, waiting: int) -> float:
    """Return how long the last of so many that wait here for a place waits."""
    return bookings.gap * waiting


def in_vain(bookings: Bookings, now: float, waited: float) -> Bookings:
    """Return the bookings after somebody waited so long here and got no place: if nobody did, the site is slow."""
    if bookings.finished_at is not None and now - bookings.finished_at < waited:
        return bookings
    return bookings._replace(gap=max(bookings.gap, LONGEST_GAP / 10))


def unknown(jitter: float) -> float:
    """Return how long an item stays away if other workers have all places; `jitter` is in [0, 1)."""
    return SOONEST + (BLIND - SOONEST) * jitter


def idle(bookings: Bookings) -> Bookings:
    """Return the bookings after a place was left that nobody waited for: more were booked than have come."""
    return bookings._replace(next_at=0.0)


def booked(bookings: Bookings, now: float) -> tuple[Bookings, float]:
    """Return the bookings with one more, and how long that one stays away."""
    place = max(bookings.next_at, now + SOONEST) + bookings.gap / SLACK
    place = min(place, now + LATEST)
    return bookings._replace(next_at=place), place - now
