"""A host that takes content slowly: each block has the block time-out to itself (RFC 5321 section 4.5.3.2.5)."""

import asyncio
import socket

import pytest

from services.delivery.smtp.offers import Offers
from services.delivery.smtp.session import Session, Timeouts
from services.delivery.smtp.transaction import Order, Transaction
from shared.model import Recipient
from shared.smtp.reply import Reply

BOB = Recipient(address="bob@example.net")
CONTENT = b"Subject: x\r\n\r\n" + b"x" * 1_500_000 + b"\r\n"
SMALL = 32768
"""Of the kernel's buffers, so that they hide nothing."""


class Reader:
    """Says yes, and reads 32 KiB of content at a time with a pause before each; `stop` octets are the last it reads."""

    def __init__(self, pause: float, stop: int | None) -> None:
        self._pause = pause
        self._stop = stop
        self.content = bytearray()
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"RCPT bob\r\n")
        writer.write(b"250 ok\r\n250 ok\r\n")
        line = await reader.readuntil(b"\r\n")
        total = int(line.split()[1])
        while len(self.content) < total and (self._stop is None or len(self.content) < self._stop):
            await asyncio.sleep(self._pause)
            self.content += await reader.read(SMALL)
        if len(self.content) == total:
            writer.write(b"250 2.0.0 ok\r\n")
        await self.left.wait()
        writer.close()


async def upload(host: Reader, timeouts: Timeouts) -> Transaction:
    """Send the content to the host in one chunk; return the transaction, which is done."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    listener.bind(("127.0.0.1", 0))
    async with await asyncio.start_server(host.serve, sock=listener, limit=SMALL):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, listener.getsockname())
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=connection)
        offers = Offers(pipelining=True, chunking=True)
        session = Session(transport, "mx", offers, timeouts)
        transaction = Transaction(Order(b"MAIL", [(BOB, b"RCPT bob")], CONTENT), offers)
        await session.perform(transaction)
        session.abort()
        host.left.set()
    return transaction


async def test_a_slow_reader_is_given_all_the_time_it_uses() -> None:
    """The whole takes several times as long as any block may."""
    host = Reader(0.1, None)
    transaction = await upload(host, Timeouts(10, block=1.5, end=60))
    assert transaction.answers == {BOB: Reply(250, "2.0.0", "ok")}
    assert host.content == CONTENT


@pytest.mark.parametrize("stop", [1, 500_000])
async def test_a_reader_that_stops_is_left_without_a_doubt(stop: int) -> None:
    """It cannot have taken what it was not sent the end of: the next host may have it."""
    transaction = await upload(Reader(0, stop), Timeouts(10, block=0.5, end=60))
    assert transaction.broken is not None
    assert "in time" in transaction.broken.text
    assert not transaction.doubtful
