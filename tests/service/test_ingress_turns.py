"""One client that sends faster than it can be served takes turns with the others, whatever it sends."""

import asyncio
from collections.abc import Iterator

import pytest

from services.ingress.protocol.connection import COMMAND_OCTETS
from services.ingress.protocol.conversation import COMMANDS_AT_ONCE
from tests.support.lobby import TRUSTED, Lobby, papers

MANY = 20 * COMMANDS_AT_ONCE
ENVELOPE = b"MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<bob@example.org>\r\n"
FLOODS = {
    "commands": b"NOOP\r\n" * MANY,
    "commands behind content": ENVELOPE + b"DATA\r\n" + b"x" * 300_000 + b"\r\n.\r\n" + b"NOOP\r\n" * MANY,
    "chunks": ENVELOPE + b"BDAT 1\r\nx" * MANY,
    "chunks behind a large one": ENVELOPE + b"BDAT 300000\r\n" + b"x" * 300_000 + b"BDAT 1\r\nx" * MANY,
    "chunks of nothing": ENVELOPE + b"BDAT 0\r\n" * MANY,
}


@pytest.fixture(scope="module")
def lobby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lobby]:
    with Lobby(papers(tmp_path_factory.mktemp("turns"))) as running:
        yield running


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_is_answered_in_many_turns(lobby: Lobby, flood: bytes) -> None:
    async def most_in_a_turn() -> int:
        caller = await lobby.call(TRUSTED)
        await caller.ask(b"EHLO c.example")
        caller.wire.feed(flood)
        turns = [0]
        while sum(turns) < MANY:
            assert not caller.wire.output_ended
            await asyncio.sleep(0)
            turns.append(caller.wire.output.count(b"\r\n"))
            caller.wire.output.clear()
        caller.wire.cut()
        await lobby.quiet()
        return max(turns)

    assert lobby.run(most_in_a_turn()) <= 2 * COMMANDS_AT_ONCE


def test_a_socket_that_has_more_is_left_alone_for_a_turn(lobby: Lobby) -> None:
    """Else libuv reads it dozens of times before it looks at any other."""

    async def reads_on() -> bool:
        caller = await lobby.call(TRUSTED)
        caller.wire.feed(b" " * COMMAND_OCTETS)
        while caller.wire.is_reading() and caller.wire._backlog:
            await asyncio.sleep(0)
        reading = caller.wire.is_reading()
        caller.wire.cut()
        await lobby.quiet()
        return reading

    assert not lobby.run(reads_on())
