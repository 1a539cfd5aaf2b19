"""Consuming: one channel per queue, opened again whenever it is lost."""

import asyncio
import contextlib
from typing import NamedTuple, Self

from aiormq import Channel, Connection
from aiormq.abc import DeliveredMessage

from shared import log
from shared.broker.port import Received
from shared.broker.rabbitmq.explain import explain, is_ours
from shared.broker.rabbitmq.link import FIRST_PAUSE, Link, open_channel
from shared.broker.rabbitmq.properties import returns_of
from shared.broker.rabbitmq.settings import Settings


class RabbitReceived:
    """One delivery. RabbitMQ takes it back when its channel closes."""

    __slots__ = ("_channel", "_settled", "_tag", "body", "returns")

    def __init__(self, message: DeliveredMessage) -> None:
        self.body = message.body
        self.returns = returns_of(message.header.properties)
        self._channel = message.channel
        self._tag = message.delivery_tag or 0
        self._settled = False

    @property
    def lost(self) -> bool:
        """True once RabbitMQ has taken it back."""
        return self._channel.is_closed

    async def ack(self) -> None:
        """Forget it."""
        if self._begin():
            await self._end(self._channel.basic_ack(self._tag, wait=False))

    async def release(self) -> None:
        """Hand it back, as a failure: `reject` counts on every release of RabbitMQ (BROKER.md 15 ff.)."""
        if self._begin():
            await self._end(self._channel.basic_reject(self._tag, requeue=True, wait=False))

    async def hand_back(self) -> None:
        """Hand it back untouched: from 4.3 on `nack` does not count."""
        if self._begin():
            await self._end(self._channel.basic_nack(self._tag, requeue=True, wait=False))

    def _begin(self) -> bool:
        """Settle only once: a second time is an error that closes the channel."""
        if self._settled or self.lost:
            return False
        self._settled = True
        return True

    async def _end(self, frame: object) -> None:
        try:
            await frame  # type: ignore[misc]  # (a coroutine of aiormq)
        except asyncio.CancelledError:
            self._settled = False  # not sent: whoever cancelled may release it
            raise
        except Exception:  # noqa: BLE001, S110  (the channel closed meanwhile: RabbitMQ has taken it back)
            pass


class _Consumer(NamedTuple):
    tag: str
    prefetch: int


class RabbitSubscription:
    """The deliveries of one queue."""

    def __init__(self, link: Link, queue: str, prefetch: int, settings: Settings) -> None:
        self._link = link
        self._queue = queue
        self.prefetch = prefetch
        """How many may be unsettled at a time."""
        self._first = prefetch
        self._settings = settings
        self._log = log.get(queue=queue)
        self._arrived: asyncio.Queue[RabbitReceived | None] = asyncio.Queue()
        self._channel: Channel | None = None
        self._consumers: list[_Consumer] = []
        """RabbitMQ fixes a consumer's prefetch when it begins: whoever wants more begins another one."""
        self._tried = asyncio.Event()
        self._stopped = asyncio.Event()
        self._cancelled = False
        self._reason: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; return once it consumes, or cannot for now, which `trouble` then tells."""
        self._task = asyncio.create_task(self._keep_consuming())
        if self._link.is_open:
            await self._tried.wait()

    def trouble(self) -> str | None:
        """Return why nothing arrives, or None."""
        if self._cancelled or self._reason is None:
            return None
        return f"cannot consume {self._queue}: {self._reason}"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received:
        while True:
            received = await self._arrived.get()
            if received is None:
                self._arrived.put_nowait(None)  # for whoever else iterates
                raise StopAsyncIteration
            if not received.lost:
                return received

    async def allow(self, prefetch: int) -> None:
        """Have so many unsettled at a time from now on, not fewer than at first."""
        channel, more = self._channel, prefetch - self.prefetch
        if channel is None or channel.is_closed or self._cancelled:
            return
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                if more > 0:
                    await self._begin_consumer(channel, more)
                    if self._cancelled:
                        await self._end_consumers(channel, 0)
                else:
                    await self._end_consumers(channel, max(prefetch, self._first))
        except BaseException as error:  # the channel closes, and is opened again
            if not is_ours(error):
                raise
            self._log.warning("prefetch unchanged", reason=explain(error))

    async def cancel(self) -> None:
        """Take no more; what is in somebody's hand may still be settled."""
        self._cancelled = True
        await self._stop_task()
        if self._channel is not None and not self._channel.is_closed:
            with contextlib.suppress(Exception):
                await self._end_consumers(self._channel, 0)
        self._consumers.clear()
        while not self._arrived.empty():
            received = self._arrived.get_nowait()
            if received is not None:
                await received.hand_back()
        self._arrived.put_nowait(None)

    async def close(self) -> None:
        """Cancel, and close the channel: RabbitMQ has then seen every acknowledgement and takes back the rest."""
        if not self._cancelled:
            await self.cancel()
        if self._channel is not None:
            with contextlib.suppress(Exception):
                await self._channel.close(timeout=self._settings.connect_timeout)

    async def _stop_task(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _keep_consuming(self) -> None:
        pause = FIRST_PAUSE
        while True:
            connection = await self._link.opened()
            try:
                channel = await self._consume(connection)
            except BaseException as error:
                if not is_ours(error):
                    raise
                self._failed(explain(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._settings.longest_pause)
                continue
            pause = FIRST_PAUSE
            self._reason = None
            self._tried.set()
            reason = await self._until_lost(channel)
            self._failed(reason)

    async def _consume(self, connection: Connection) -> Channel:
        """Open a channel and consume; on failure the channel is closed again."""
        self._stopped.clear()
        async with asyncio.timeout(self._settings.connect_timeout):
            channel = await open_channel(connection, confirms=False)
            try:
                channel.on_consumer_cancel_callbacks.add(self._on_cancelled)
                self._channel, self._consumers, self.prefetch = channel, [], 0
                await self._begin_consumer(channel, self._first)
            except BaseException:
                with contextlib.suppress(Exception):
                    await channel.close(timeout=self._settings.connect_timeout)
                raise
        return channel

    async def _begin_consumer(self, channel: Channel, prefetch: int) -> None:
        await channel.basic_qos(prefetch_count=prefetch)
        consumed = await channel.basic_consume(self._queue, self._on_message)
        if channel is self._channel and consumed.consumer_tag is not None:
            self._consumers.append(_Consumer(consumed.consumer_tag, prefetch))
            self.prefetch += prefetch

    async def _end_consumers(self, channel: Channel, prefetch: int) -> None:
        """End the last ones until the rest may have so many at a time."""
        while self._consumers and self.prefetch > prefetch:
            consumer = self._consumers.pop()
            self.prefetch -= consumer.prefetch
            await channel.basic_cancel(consumer.tag, timeout=self._settings.connect_timeout)

    async def _until_lost(self, channel: Channel) -> str:
        """Wait until the channel closes, or RabbitMQ cancels the consumer (its queue was deleted, or moved)."""
        closing = channel.closing
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait([closing, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        if closing.done():
            return explain(None if closing.cancelled() else closing.exception())
        with contextlib.suppress(Exception):
            await channel.close(timeout=self._settings.connect_timeout)
        return "RabbitMQ cancelled the consumer"

    async def _on_message(self, message: DeliveredMessage) -> None:
        received = RabbitReceived(message)
        if self._cancelled:
            await received.hand_back()
        else:
            self._arrived.put_nowait(received)

    def _on_cancelled(self, _: object) -> None:
        self._stopped.set()

    def _failed(self, reason: str) -> None:
        if reason != self._reason:
            self._log.warning("not consuming", reason=reason)
        self._reason = reason
        self._tried.set()
