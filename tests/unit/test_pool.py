"""Keeping sessions and slots: the decisions."""

import pytest

from services.delivery.shaping.slots import Slots
from services.delivery.smtp.pool import Limits, reusable
from services.delivery.smtp.session import Timeouts
from services.delivery.smtp.transaction import dot_stuffed

LIMITS = Limits(idle_seconds=5, transactions=3)


@pytest.mark.parametrize(
    ("alive", "transactions", "idle_for", "expected"),
    [
        (True, 1, 0, True),
        (True, 2, 4.9, True),
        (True, 3, 0, False),
        (True, 1, 5, False),
        (False, 1, 0, False),
    ],
)
def test_which_session_is_used_again(alive: bool, transactions: int, idle_for: float, expected: bool) -> None:
    assert reusable(alive=alive, transactions=transactions, idle_for=idle_for, limits=LIMITS) is expected


def test_a_slot_is_free_again_when_its_holder_leaves() -> None:
    slots = Slots(2)
    with slots.hold("a") as first, slots.hold("a") as second, slots.hold("a") as third, slots.hold("b") as other:
        assert (first, second, third, other) == (True, True, False, True)
        with slots.hold("a") as fourth:
            assert not fourth
    with slots.hold("a") as again:
        assert again
    assert len(slots) == 0


def test_a_slot_is_free_again_after_an_error() -> None:
    slots = Slots(1)
    with pytest.raises(ValueError, match="boom"), slots.hold("a"):
        raise ValueError("boom")
    with slots.hold("a") as free:
        assert free


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"", b".\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b".a\r\n.b\r\nc.\r\n", b"..a\r\n..b\r\nc.\r\n.\r\n"),
        (b"a\r\n..\r\n", b"a\r\n...\r\n.\r\n"),
        (b"a\r\n\r\n.\r\n\r\n", b"a\r\n\r\n..\r\n\r\n.\r\n"),
        (b"\xff\x00\r\n", b"\xff\x00\r\n.\r\n"),
        (b"a\n.b\r\n", b"a\n.b\r\n.\r\n"),
    ],
)
def test_dots_are_stuffed_and_nothing_else_changes(content: bytes, sent: bytes) -> None:
    assert b"".join(dot_stuffed(content)) == sent


def test_time_outs_are_the_rfcs_up_to_a_cap() -> None:
    assert Timeouts.of(30, 600) == Timeouts(30, 300, 300, 300, 120, 180, 600)
    assert Timeouts.of(30, 150) == Timeouts(30, 150, 150, 150, 120, 150, 150)
