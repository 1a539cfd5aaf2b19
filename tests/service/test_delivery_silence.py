"""A kept session gone without a word, as behind a firewall that forgot it: nobody waits five minutes for MAIL."""

import asyncio
import ctypes
import socket
import struct

import pytest

from services.delivery.smtp.offers import Offers
from services.delivery.smtp.session import Session, Timeouts
from services.delivery.smtp.transaction import Order, Transaction
from shared.model import Recipient
from shared.smtp.reply import Reply

BOB = Recipient(address="bob@example.net")
ORDER = Order(b"MAIL", [(BOB, b"RCPT")], b"Subject: x\r\n\r\n")
OFFERS = Offers(pipelining=True)
TIMEOUTS = Timeouts(10, mail=15, silence=0.5)
SO_ATTACH_FILTER = 26


def deafen(connection: socket.socket) -> None:
    """Have the kernel drop all that comes in, without an acknowledgement or a reset."""
    drop = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # BPF: return 0 octets of it
    connection.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(drop)))


class Host:
    """Takes a message; with `deaf` it hears nothing after that, else it takes its time over the second."""

    def __init__(self, *, deaf: bool) -> None:
        self._deaf = deaf
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._take(reader, writer)
        if self._deaf:
            deafen(writer.get_extra_info("socket"))
        else:
            await reader.readuntil(b"DATA\r\n")
            await asyncio.sleep(3 * TIMEOUTS.silence)
            await self._take(reader, writer, begun=True)
        await self.left.wait()
        writer.transport.abort()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, begun: bool = False) -> None:
        if not begun:
            await reader.readuntil(b"DATA\r\n")
        writer.write(b"250 ok\r\n250 ok\r\n354 go on\r\n")
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 2.0.0 ok\r\n")


@pytest.mark.parametrize("deaf", [True, False])
async def test_a_host_that_is_gone_is_told_from_one_that_is_slow(*, deaf: bool) -> None:
    host = Host(deaf=deaf)
    async with await asyncio.start_server(host.serve, "127.0.0.1", 0) as server:
        loop = asyncio.get_running_loop()
        connection = socket.socket()
        connection.setblocking(False)
        await loop.sock_connect(connection, server.sockets[0].getsockname())
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=connection)
        session = Session(transport, "mx", OFFERS, TIMEOUTS)
        first, second = Transaction(ORDER, OFFERS), Transaction(ORDER, OFFERS)
        await session.perform(first)
        await session.perform(second)
        if not deaf:
            watched = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert watched == 0, "a host that has answered may read as slowly as the block time-out allows"
        session.abort()
        host.left.set()
    assert first.answers == {BOB: Reply(250, "2.0.0", "ok")}
    if deaf:
        assert (second.answers, second.answered, second.doubtful) == ({}, False, False)
        assert second.broken is not None
        assert "timed out" in second.broken.text
    else:
        assert second.answers == first.answers
