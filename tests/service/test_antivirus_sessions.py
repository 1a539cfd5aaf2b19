"""Sessions with clamd that are kept, grow old, break or are answered early: with small servers that behave so."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from services.screener.antivirus.answer import Answer, State, Unavailable
from services.screener.antivirus.clamd import FRESH, Clamd
from tests.contract.harness import until

CLEAN = Answer(State.CLEAN)
Connection = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What a server does on its n-th connection, from 1."""


@asynccontextmanager
async def served(act: Connection, sessions: int = 1, fresh: float = FRESH) -> AsyncIterator[tuple[Clamd, list[int]]]:
    """Yield a client of a server that acts so, and the numbers of the connections made."""
    made: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(len(made) + 1)
        try:
            await act(made[-1], reader, writer)
        except (EOFError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        scanner = Clamd(f"clamd://127.0.0.1:{server.sockets[0].getsockname()[1]}", 10, sessions, fresh)
        yield scanner, made
        await scanner.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take one piece, and call it clean."""
    await reader.readuntil(b"zINSTREAM\0")
    while length := int.from_bytes(await reader.readexactly(4)):
        await reader.readexactly(length)
    writer.write(b"1: stream: OK\0")


async def always(_number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await answer(reader, writer)


@pytest.mark.parametrize(("fresh", "made_for_three"), [(FRESH, [1]), (0.0, [1, 2, 3])])
async def test_a_session_is_used_again_until_it_is_old(fresh: float, made_for_three: list[int]) -> None:
    async with served(always, fresh=fresh) as (scanner, made):
        assert [await scanner.scan([piece]) for piece in (b"one", b"two", b"three")] == [CLEAN] * 3
        assert made == made_for_three


async def test_after_one_kept_session_that_breaks_a_new_one_is_tried_and_no_other_that_was_kept() -> None:
    together = asyncio.Barrier(2)

    async def act(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        if number <= 2:
            await together.wait()
            await reader.readuntil(b"zINSTREAM\0")

    async with served(act, sessions=2) as (scanner, made):
        assert list(await asyncio.gather(scanner.scan([b"one"]), scanner.scan([b"two"]))) == [CLEAN, CLEAN]
        assert made == [1, 2]
        assert await scanner.scan([b"three"]) == CLEAN
        assert made == [1, 2, 3]


@pytest.mark.parametrize("reset", [False, True])
async def test_a_session_known_to_be_closed_costs_no_try(reset: bool) -> None:
    """The server hangs up after one piece, and at once on the next connection: the third is the second try."""

    async def act(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if number == 2:
            return
        await answer(reader, writer)
        if reset and number == 1:
            await writer.drain()
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with served(act) as (scanner, made):
        assert await scanner.scan([b"one"]) == CLEAN
        ((_, kept),) = scanner._idle
        await until(lambda: kept.reader.at_eof() or kept.writer.is_closing(), "the client knows")
        assert await scanner.scan([b"two"]) == CLEAN
        assert made == [1, 2, 3]


async def test_what_is_refused_early_is_not_sent_to_its_end() -> None:
    taken = 0

    async def act(_number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        await reader.readuntil(b"zINSTREAM\0")
        writer.write(b"1: INSTREAM size limit exceeded. ERROR\0")
        while length := int.from_bytes(await reader.readexactly(4)):
            taken += len(await reader.readexactly(length))

    async with served(act) as (scanner, _):
        assert (await scanner.scan([bytes(64 * 1024 * 1024)])).state is State.UNSCANNABLE
    assert 0 < taken < 48 * 1024 * 1024


async def test_after_a_virus_nothing_more_is_scanned() -> None:
    async def act(_number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"zINSTREAM\0")
        writer.write(b"1: stream: Own.Eicar FOUND\0")
        await reader.read()

    pieces = iter([b"one", b"two"])
    async with served(act) as (scanner, _):
        assert await scanner.scan(pieces) == Answer(State.INFECTED, "Own.Eicar")
    assert list(pieces) == [b"two"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("clamd://127.0.0.9", r"Connect call failed \('127\.0\.0\.9', 3310\)"),
        ("clamd:///" + "x" * 200, "AF_UNIX path too long"),
    ],
)
async def test_why_clamd_cannot_be_reached_is_said(url: str, said: str) -> None:
    with pytest.raises(Unavailable, match=f"^{url}: {said}$"):
        await Clamd(url, 5, 1).scan([b"one"])


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), OSError("Input/output error")])
async def test_an_error_of_the_system_is_no_answer(error: OSError) -> None:
    def broken() -> list[bytes]:
        raise error

    with pytest.raises(Unavailable, match=r"^clamd:///none: Input/output error$"):
        await Clamd("clamd:///none", 5, 1).scan(piece for _ in range(1) for piece in broken())
