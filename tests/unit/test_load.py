"""How many bodies a worker asks for at a time."""

import pytest

from shared.broker.load import Bounds, Hand, prefetch_for

BOUNDS = Bounds(first=50, step=80, most=200)
LIMIT = 1000


@pytest.mark.parametrize(
    ("prefetch", "hand", "octets", "expected"),
    [
        (50, Hand(49, 49), 49, 50),  # not all in hand: no more is needed
        (50, Hand(50, 50), 50, 100),  # twice as many
        (50, Hand(50, 500), 500, 100),  # as much again is just within the limit
        (50, Hand(50, 510), 510, 50),
        (50, Hand(50, 50), 951, 50),  # other queues' mail counts
        (100, Hand(100, 100), 100, 180),  # at most a step
        (180, Hand(180, 180), 180, 200),  # never above the most
        (200, Hand(200, 200), 200, 200),
        (200, Hand(200, 1000), 1000, 200),
        (200, Hand(200, 1001), 1001, 50),
        (200, Hand(1, 1), 1001, 50),  # whoever's the large ones are
        (50, Hand(50, 5000), 5000, 50),  # at the least the first
        (100, Hand(120, 120), 120, 180),  # some are left from when it was more
        (0, Hand(1, 1), 1, 0),  # there is none before a reconnection is done
    ],
)
def test_many_small_ones_few_large_ones(prefetch: int, hand: Hand, octets: int, expected: int) -> None:
    assert prefetch_for(prefetch, BOUNDS, hand, octets, LIMIT) == expected
