"""One connection that keeps itself open."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiormq
from aiormq import Channel, Connection
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from pamqp.common import FieldTable

from shared import log
from shared.broker.rabbitmq.explain import explain, is_ours
from shared.broker.rabbitmq.settings import Address, Settings
from shared.errors import BrokerUnavailable

FIRST_PAUSE = 0.05

OnOpen = Callable[[Connection], Awaitable[None]]


async def _nothing(_: Connection) -> None:
    """Do nothing on opening."""


async def open_channel(connection: Connection, *, confirms: bool) -> Channel:
    """Return a new channel, as aiormq's own class: its abstract one lacks what we need."""
    channel = await connection.channel(publisher_confirms=confirms)
    if not isinstance(channel, Channel):
        raise TypeError(f"aiormq opened a {type(channel).__name__}, not a Channel")
    return channel


class _Tap(TransportFactory):
    """aiormq's own way to connect, with the writer kept: its close() waits for a broker that may be hung."""

    def __init__(self) -> None:
        self.writer: asyncio.StreamWriter | None = None

    async def create(self, url: Any, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect."""
        made = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, self.writer = await made.create(url, **kwargs)
        return reader, self.writer


class Link:
    """Connects, and connects again with pauses of up to `longest_pause` seconds, until closed."""

    def __init__(self, address: Address, purpose: str, settings: Settings, on_open: OnOpen = _nothing) -> None:
        self._address = address
        self._purpose = purpose
        self._settings = settings
        self._on_open = on_open
        self._log = log.get(broker=address.shown, connection=purpose)
        self._opened = asyncio.Event()
        self._tried = asyncio.Event()
        self._connection: Connection | None = None
        self._reason = "not connected yet"
        self._task: asyncio.Task[None] | None = None
        self._tap = _Tap()
        # aiormq reports every failure at ERROR, with a traceback; ours is one line, once.
        logging.getLogger("aiormq").setLevel(logging.CRITICAL)

    async def start(self, *, wait: bool) -> None:
        """Make the first attempt; if it fails, go on trying (`wait`), or raise BrokerUnavailable."""
        self._task = asyncio.create_task(self._keep_open())
        await self._tried.wait()
        if self._connection is None and not wait:
            trouble = self.trouble()
            await self.close()
            raise BrokerUnavailable(trouble)

    def connection(self) -> Connection:
        """Return the open connection. Raise BrokerUnavailable at once if there is none."""
        if self._connection is None or self._connection.is_closed:
            raise BrokerUnavailable(self.trouble() or f"RabbitMQ at {self._address.shown}: connection lost")
        return self._connection

    async def opened(self) -> Connection:
        """Return the open connection, waiting for it as long as it takes."""
        while True:
            await self._opened.wait()
            with contextlib.suppress(BrokerUnavailable):
                return self.connection()
            await asyncio.sleep(FIRST_PAUSE)

    @property
    def is_open(self) -> bool:
        """True while connected."""
        return self._connection is not None and not self._connection.is_closed

    def trouble(self) -> str | None:
        """Return why it is of no use now, or None."""
        if self._connection is None or self._connection.is_closed:
            return f"not connected to RabbitMQ at {self._address.shown}: {self._reason}"
        if _is_blocked(self._connection):
            return f"RabbitMQ at {self._address.shown} takes no messages: a memory or disk alarm is set"
        return None

    def abort(self) -> None:
        """End the connection this instant, and connect again."""
        if self._tap.writer is not None:
            self._tap.writer.transport.abort()

    async def close(self) -> None:
        """Close for good; safe to repeat."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._reason = "closed"
        self._opened.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            await _close(connection, self._settings.connect_timeout)

    async def _keep_open(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                connection = await self._connect()
            except BaseException as error:
                if not is_ours(error):
                    raise
                self._failed(explain(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._settings.longest_pause)
                continue
            pause = FIRST_PAUSE
            self._connection = connection
            self._opened.set()
            self._tried.set()
            self._log.info("connected")
            closing = connection.closing
            await asyncio.wait([closing])
            self._opened.clear()
            self._connection = None
            self._failed(explain(None if closing.cancelled() else closing.exception()))

    async def _connect(self) -> Connection:
        properties: FieldTable = {"connection_name": f"sluice {self._purpose}"}
        async with asyncio.timeout(self._settings.connect_timeout):
            connection = await aiormq.connect(
                self._address.url, client_properties=properties, transport_factory=self._tap
            )
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                await self._on_open(connection)
        except BaseException:
            await _close(connection, self._settings.connect_timeout)
            raise
        return connection

    def _failed(self, reason: str) -> None:
        if reason != self._reason:
            self._log.warning("not connected", reason=reason)
        self._reason = reason
        self._tried.set()


def _is_blocked(connection: Connection) -> bool:
    """Return whether RabbitMQ has sent `connection.blocked`: aiormq shows it only by `ready`, which then waits."""
    waiting = connection.ready()
    try:
        waiting.send(None)
    except StopIteration:
        return False
    waiting.close()
    return True


async def _close(connection: Connection, timeout: float) -> None:  # noqa: ASYNC109  (aiormq's own closing waits for the broker, hung or not)
    with contextlib.suppress(Exception, asyncio.CancelledError):
        async with asyncio.timeout(timeout):
            await connection.close()
