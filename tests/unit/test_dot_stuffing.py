"""How content is sent, and how long is waited for an answer."""

import pytest

from services.delivery.smtp.session import Timeouts
from services.delivery.smtp.transaction import dot_stuffed


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
