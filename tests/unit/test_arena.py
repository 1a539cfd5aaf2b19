"""How much of its content a session reads before the others have their turn."""

import pytest

from services.ingress.site import Arena


@pytest.mark.parametrize(
    ("receiving", "turn"), [(0, 262_144), (1, 262_144), (2, 131_072), (4, 65_536), (10, 65_536), (1000, 65_536)]
)
def test_a_turn_is_the_shorter_the_more_sessions_receive(receiving: int, turn: int) -> None:
    arena = Arena()
    arena.receiving = receiving
    assert arena.turn == turn
    assert turn <= len(arena.octets)
