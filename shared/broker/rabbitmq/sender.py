"""Publishing: pipelined over several channels, each call answered by its own confirm (BROKER.md 17, 19)."""

import asyncio
import time
from itertools import count, cycle

from aiormq import Channel, Connection, DeliveryError, PublishError
from pamqp.commands import Basic

from shared import metrics
from shared.broker.rabbitmq.explain import APPLY, explain, is_ours
from shared.broker.rabbitmq.link import Link, open_channel
from shared.broker.rabbitmq.settings import Address, Settings
from shared.errors import BrokerError, BrokerFull, BrokerUnavailable, MessageTooLarge
from shared.window import Window


class Sender:
    """Publishes bodies to one exchange and returns when RabbitMQ has confirmed them."""

    def __init__(self, address: Address, exchange: str, settings: Settings) -> None:
        self._shown = address.shown
        self._exchange = exchange
        self._settings = settings
        self._link = Link(address, "publishes", settings, self._open_channels)
        self._window = Window(settings.in_flight, settings.window)
        self._channels: list[Channel] = []
        self._notes: Channel | None = None
        self._turns = cycle(range(settings.channels))
        self._reopening = asyncio.Lock()
        self._numbers = count()
        self._pending: dict[int, float] = {}
        """Start of each publish that waits, oldest first (monotonic)."""
        self._overdue: dict[Channel, int] = {}
        """Channels on which a publish was given up, and their last delivery tag then: trouble until it is confirmed."""
        self._ids: set[str] = set()

    async def start(self, *, wait: bool) -> None:
        """Connect; see Link.start."""
        await self._link.start(wait=wait)

    async def close(self) -> None:
        """Close; what waits for a confirm raises BrokerUnavailable."""
        await self._link.close()

    def trouble(self) -> str | None:
        """Return why a publish would fail or wait now, or None."""
        trouble = self._link.trouble()
        if trouble is not None:
            return trouble
        oldest = time.monotonic() - next(iter(self._pending.values()), time.monotonic())
        if oldest > self._settings.late:
            return f"RabbitMQ at {self._shown} is late with confirms, the oldest by {oldest:.1f} s"
        for channel, tag in list(self._overdue.items()):
            if channel.is_closed or not channel.confirmations or next(iter(channel.confirmations)) > tag:
                del self._overdue[channel]
            else:
                return f"RabbitMQ at {self._shown} has not confirmed within {self._settings.confirm_timeout:g} s"
        return None

    def check_size(self, size: int) -> None:
        """Raise MessageTooLarge if RabbitMQ can never take a body of `size` octets."""
        if size > self._settings.max_message_size:
            limit = self._settings.max_message_size
            raise MessageTooLarge(f"{size} octets: RabbitMQ takes {limit}: raise max_message_size in rabbitmq.conf")

    async def send(self, queue: str, body: bytes, properties: Basic.Properties) -> None:
        """Return when `queue` has the body on disk (the index stream: in its log). Raise BrokerError otherwise."""
        self.check_size(len(body))
        self._link.connection()
        number, started = next(self._numbers), time.monotonic()
        self._pending[number] = started
        try:
            async with asyncio.timeout(self._settings.confirm_timeout):
                await self._window.enter(len(body))
                try:
                    await self._publish(queue, body, properties)
                finally:
                    self._window.leave(len(body))
        except TimeoutError:
            self._note_overdue()
            waited = f"{self._settings.confirm_timeout:g} s"
            raise BrokerUnavailable(f"{queue}: RabbitMQ at {self._shown} has not confirmed within {waited}") from None
        except BrokerError:
            raise
        except PublishError as error:
            raise BrokerUnavailable(f"{self._exchange}: no binding to {queue} at {self._shown}: {APPLY}") from error
        except DeliveryError as error:
            reason = "refused by its length limit, or its leader is away"
            raise BrokerFull(f"{queue}: {reason}: let its consumers catch up, or raise the limit") from error
        except BaseException as error:  # aiormq raises whatever closed the channel: unknown means temporary
            if not is_ours(error):
                raise
            raise BrokerUnavailable(f"{queue}: RabbitMQ at {self._shown}: {explain(error)}") from error
        finally:
            del self._pending[number]
        metrics.confirm_seconds.observe(time.monotonic() - started)

    async def note(self, queue: str, body: bytes, properties: Basic.Properties) -> str | None:
        """Publish what is worth little beside the mail it speaks of; return why it is not stored, or None.

        On a channel of its own: whatever becomes of it is no trouble to the rest.
        """
        try:
            async with asyncio.timeout(self._settings.note_timeout):
                async with self._reopening:
                    if self._notes is None or self._notes.is_closed:
                        self._notes = await open_channel(self._link.connection(), confirms=True)
                await self._notes.basic_publish(
                    body, exchange=self._exchange, routing_key=queue, properties=properties, mandatory=True, wait=False
                )
        except BaseException as error:
            if not is_ours(error):
                raise
            return f"{queue}: RabbitMQ at {self._shown}: {explain(error)}"
        return None

    async def _publish(self, queue: str, body: bytes, properties: Basic.Properties) -> None:
        channel = await self._channel()
        message_id = str(properties.message_id)
        while message_id in self._ids:  # aiormq finds a returned message by it: twice in flight, a return would be lost
            message_id += "+"
        self._ids.add(message_id)
        properties.message_id = message_id
        try:
            await channel.basic_publish(
                body, exchange=self._exchange, routing_key=queue, properties=properties, mandatory=True, wait=False
            )
        finally:
            self._ids.discard(message_id)

    async def _open_channels(self, connection: Connection) -> None:
        self._overdue.clear()
        self._channels = [await open_channel(connection, confirms=True) for _ in range(self._settings.channels)]

    async def _channel(self) -> Channel:
        """Return the next channel; one that RabbitMQ has closed (an exchange or a permission missing) is replaced."""
        connection = self._link.connection()
        turn = next(self._turns)
        if self._channels[turn].is_closed:
            async with self._reopening:
                if self._channels[turn].is_closed:
                    self._channels[turn] = await open_channel(connection, confirms=True)
        return self._channels[turn]

    def _note_overdue(self) -> None:
        for channel in self._channels:
            if channel.confirmations and not channel.is_closed:
                self._overdue[channel] = max(channel.confirmations)
