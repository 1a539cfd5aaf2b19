"""Hosts that fall silent while TLS or a user is agreed on, and kept sessions gone without a word."""

import asyncio
import ctypes
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
import trustme

from services.delivery.smtp.offers import Offers
from services.delivery.smtp.session import Session, Timeouts
from services.delivery.smtp.transaction import Order, Transaction
from shared.config.units import Duration
from shared.model import Recipient
from shared.smtp.reply import Reply
from tests.support.delivery_world import World, again, message, server_tls
from tests.support.smtp_server import Drip, Hang, Step

BOB = "bob@example.net"
TO_BOB = Recipient(address=BOB)
ORDER = Order(b"MAIL", [(TO_BOB, b"RCPT")], b"Subject: x\r\n\r\n")
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
    """A firewall that forgot the session drops what is sent: nobody waits five minutes for MAIL."""
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
    assert first.answers == {TO_BOB: Reply(250, "2.0.0", "ok")}
    if deaf:
        assert (second.answers, second.answered, second.doubtful) == ({}, False, False)
        assert second.broken is not None
        assert "timed out" in second.broken.text
    else:
        assert second.answers == first.answers


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A world in which nobody is waited for."""
    async with World(reply_timeout=Duration(1)) as world:
        yield world


@pytest.fixture
def stuck(authority: trustme.CA) -> Iterator[ssl.SSLContext]:
    """TLS that stops in the middle of the handshake."""
    over = threading.Event()
    context = server_tls(authority, "mx1.example.net")
    context.sni_callback = lambda *_: over.wait() and None
    yield context
    over.set()


SILENT: dict[str, Step] = {"hang": Hang(), "slow drip": Drip(b"220-", 0.01)}


@pytest.mark.parametrize("step", SILENT.values(), ids=list(SILENT))
async def test_a_host_silent_at_starttls_gets_its_mail_in_clear(
    world: World, authority: trustme.CA, step: Step
) -> None:
    server = world.server(tls=server_tls(authority, "mx1.example.net"), script={"STARTTLS": step})
    world.mx("example.net", (10, server))
    assert await world.deliver(message(BOB)) == ()
    assert ([mail.tls for mail in server.transactions], server.sessions) == ([False], 2)


async def test_a_host_silent_in_the_handshake_gets_its_mail_in_clear(world: World, stuck: ssl.SSLContext) -> None:
    server = world.server(tls=stuck)
    world.mx("example.net", (10, server))
    assert await world.deliver(message(BOB)) == ()
    assert ([mail.tls for mail in server.transactions], server.sessions) == ([False], 2)


async def test_a_smarthost_silent_in_the_handshake_is_left(world: World, stuck: ssl.SSLContext, ca_file: str) -> None:
    """Its TLS is no matter of opportunity: the mail waits."""
    server = world.server(tls=stuck, implicit_tls=True)
    world.dns.zone["smart.test"] = {"A": [server.host]}
    world.configure(route={"*": f"smtps://smart.test:{server.port}?ca={ca_file}"})
    (waiting,) = again(await world.deliver(message(BOB))).item.envelope.recipients
    assert str(waiting.last).startswith("451 4.4.2 smart.test did not answer in time")
    assert server.transactions == []


@pytest.mark.parametrize("step", SILENT.values(), ids=list(SILENT))
async def test_a_smarthost_silent_at_auth_is_left(
    world: World, authority: trustme.CA, ca_file: str, step: Step
) -> None:
    context = server_tls(authority, world.address(2))
    server = world.server(tls=context, users={"me": "right"}, script={"AUTH": step})
    world.configure(route={"*": f"smtp://me@{server.host}:{server.port}?ca={ca_file}"}, route_passwords={"*": "right"})
    (waiting,) = again(await world.deliver(message(BOB))).item.envelope.recipients
    assert str(waiting.last) == f"451 4.4.2 {server.host} did not answer in time at AUTH"
    assert "MAIL" not in {command[:4] for command in server.commands}
