"""The ledger of the kill tests: what it must notice."""

import asyncio

import pytest

from tests.support.client import Load, Target, message_for
from tests.support.ledger import Ledger, token_of, until


def content(token: str) -> bytes:
    return message_for(token, Target(port=0))


@pytest.mark.parametrize(
    ("raw", "token"),
    [
        (b"Subject: a\r\nX-Token: t-1\r\n\r\nbody\r\n", "t-1"),
        (b"X-Token: t-1\r\n\r\nX-Token: t-2\r\n", "t-1"),
        (b"Subject: a\r\n\r\nX-Token: in-the-body\r\n", None),
        (b"Subject: X-Token: no\r\n\r\n", None),
        (b"", None),
    ],
)
def test_a_token_is_read_from_the_header_block_only(raw: bytes, token: str | None) -> None:
    assert token_of(raw) == token


def test_missing_is_what_was_answered_and_has_not_arrived() -> None:
    ledger = Ledger()
    for token in ("a", "b", "c"):
        ledger.answer(token)
    ledger.arrive(content("b"))
    assert ledger.missing() == ["a", "c"]
    assert (ledger.answered, ledger.arrived) == (3, 1)


def test_duplicates_are_counted_and_are_no_loss() -> None:
    ledger = Ledger()
    ledger.answer("a")
    for _ in range(3):
        ledger.arrive(content("a"))
    assert ledger.duplicates() == {"a": 3}
    assert ledger.missing() == []


def test_a_message_that_arrives_unanswered_is_told_apart() -> None:
    ledger = Ledger()
    ledger.arrive(content("a"))
    assert ledger.unanswered() == ["a"]
    assert ledger.missing() == []


def test_content_without_a_token_is_ignored() -> None:
    ledger = Ledger()
    ledger.arrive(b"Subject: a report\r\n\r\n")
    assert ledger.arrived == 0


async def test_settle_returns_the_loss_once_nothing_more_arrives() -> None:
    ledger = Ledger()
    ledger.answer("a")
    ledger.answer("b")
    ledger.arrive(content("a"))
    assert await ledger.settle(timeout=30, quiet=0.1) == ["b"]


async def test_settle_waits_for_what_is_late() -> None:
    ledger = Ledger()
    ledger.answer("a")
    asyncio.get_running_loop().call_later(0.1, ledger.arrive, content("a"))
    assert await ledger.settle(timeout=30) == []


class Flaky:
    """A relay that answers one message in two with a dropped connection after the final dot, another with 451."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.seen = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 flaky\r\n")
        while line := await reader.readline():
            if not line.startswith(b"DATA"):
                writer.write(b"250 ok\r\n")
                continue
            writer.write(b"354 go\r\n")
            body = await reader.readuntil(b"\r\n.\r\n")
            self.seen += 1
            if self.seen % 3 == 0:
                break
            self.ledger.arrive(body[:-3])
            if self.seen % 3 == 1:
                break  # stored, but the client never learns of it
            writer.write(b"250 stored\r\n")
        writer.close()


async def test_the_load_client_sends_again_what_was_not_answered() -> None:
    """Every token ends answered exactly once, though two answers in three are lost; stored ones show as duplicates."""
    ledger = Ledger()
    relay = Flaky(ledger)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    async with server:
        load = Load(Target(server.sockets[0].getsockname()[1]), [f"t-{n}" for n in range(30)], ledger)
        await asyncio.wait_for(load.run(connections=5), 60)
    assert ledger.answered == 30
    assert ledger.missing() == []
    assert ledger.duplicates()
    assert load.troubles > 0


async def test_until_names_what_did_not_come() -> None:
    with pytest.raises(AssertionError, match="the sun"):
        await until(lambda: False, 0.05, "the sun rises")
