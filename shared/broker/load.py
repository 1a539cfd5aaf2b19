"""How many bodies a worker asks for at a time: many small ones, few large ones. Pure.

A broker counts messages, not octets, and what it hands out is in memory at once. So a worker begins with few, asks for
more while they are small, and goes back to few when what is in hand has grown large.
"""

from typing import NamedTuple


class Bounds(NamedTuple):
    """Of one subscription."""

    first: int
    """Bodies in hand at a time to begin with."""
    step: int
    """Most that are added at once: nobody knows how large they are, and the broker sends all of them."""
    most: int


class Hand(NamedTuple):
    """What is taken and not yet settled."""

    bodies: int
    octets: int


def prefetch_for(prefetch: int, bounds: Bounds, hand: Hand, octets: int, limit: int) -> int:
    """Return the prefetch from now on. `hand` is this subscription's; `octets` those of all, of at most `limit`.

    It grows when all that was asked for is in hand, and the next step, of the same size, is within the limit.
    """
    if octets > limit:
        return bounds.first
    if hand.bodies < prefetch or prefetch >= bounds.most:
        return prefetch
    more = min(prefetch, bounds.step, bounds.most - prefetch)
    return prefetch + more if octets + more * hand.octets // hand.bodies <= limit else prefetch
