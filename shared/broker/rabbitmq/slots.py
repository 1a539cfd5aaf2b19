"""Slots on RabbitMQ: the n-th slot of a site is the exclusive queue `slot.<hash of the site>.<n>` (docs/adr/0010).

It is locked to the connection that declares it and gone with that connection: nothing to seed, count or expire. The
connection serves nothing else, and lives as long as the process's SMTP connections do: its heartbeat is longer than
the five minutes after which every host ends a silent session (RFC 5321 section 4.5.3.2.7), so a process that is
stopped keeps its slots as it keeps its sessions, and one that is killed loses both to the kernel at once.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import Callable

from aiormq import Channel, ChannelLockedResource, ChannelNotFoundEntity, Connection

from shared import log
from shared.broker.rabbitmq import roll
from shared.broker.rabbitmq.explain import explain, is_ours
from shared.broker.rabbitmq.link import Link, open_channel
from shared.broker.rabbitmq.roll import Roll
from shared.broker.rabbitmq.settings import Address, Settings
from shared.broker.topology import SLOT_PREFIX, SLOT_ROLL


def slot_queue(site: str, number: int) -> str:
    """Return the name of a site's slot. No name is made of what strangers choose: their DNS names the site."""
    return f"{SLOT_PREFIX}{hashlib.sha256(site.encode()).hexdigest()[:8]}.{number}"


class RabbitSlot:
    """One slot that is held."""

    def __init__(self, slots: "RabbitSlots", queue: str, on_loss: Callable[[], None]) -> None:
        self.queue = queue
        self.on_loss = on_loss
        self._slots = slots

    async def release(self) -> None:
        """Let others have it."""
        await self._slots.release(self)


class RabbitSlots:
    """The slots of one worker, all on one connection."""

    def __init__(self, address: Address, settings: Settings, rng: random.Random) -> None:
        self._settings = settings
        self._rng = rng
        self._link = Link(Address.parse(address.url, settings.slot_heartbeat), "slots", settings, self._opened)
        self._log = log.get()
        self._connection: Connection | None = None
        self._watch: Channel | None = None
        self._free: list[Channel] = []
        self._names: set[str] = set()
        """Held, or being asked for: a second declaration over the same connection would succeed."""
        self._held: dict[str, RabbitSlot] = {}
        self._roll = Roll()
        self._absent_until = 0.0
        self._reason: str | None = None
        self._probing: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def take(self, site: str, limit: int, on_loss: Callable[[], None]) -> RabbitSlot | None:
        """Return one of the site's first `limit` slots, or None; at most one round trip for each slot of the site."""
        taking = asyncio.create_task(self._take(site, limit, on_loss))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(self._unwanted)
            raise

    async def release(self, slot: RabbitSlot) -> None:
        """Delete the slot's queue; whatever fails then, the slot is lost with its connection in the end."""
        connection = self._connection
        if self._held.get(slot.queue) is not slot or connection is None:
            return
        del self._held[slot.queue]
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                channel = await self._channel(connection)
                await channel.queue_delete(slot.queue)
        except BaseException as error:
            if not is_ours(error):
                raise
            self._reason = explain(error)
            return  # the name stays taken here too
        if connection is self._connection:
            self._free.append(channel)
            self._names.discard(slot.queue)

    def trouble(self) -> str | None:
        """Return why no slots can be had, or None."""
        if self._probing is None:
            return None
        return self._link.trouble() or (f"no slots: {self._reason}" if self._reason else None)

    @property
    def workers(self) -> int:
        """How many workers there were when they were last counted."""
        return self._roll.workers or 0

    async def close(self) -> None:
        """Give up everything."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
            self._probing = None
        await self._link.close()
        self._lost(self._connection)

    async def _take(self, site: str, limit: int, on_loss: Callable[[], None]) -> RabbitSlot | None:
        async with self._starting:
            if self._probing is None:
                await self._link.start(wait=True)
                self._probing = asyncio.create_task(self._probe())
        connection = self._connection
        if connection is None or time.monotonic() < max(self._roll.guarded_until, self._absent_until):
            return None
        numbers = list(range(limit))
        self._rng.shuffle(numbers)
        for number in numbers:
            queue = slot_queue(site, number)
            if queue in self._names:
                continue
            self._names.add(queue)
            declared = await self._declare(connection, queue)
            if connection is not self._connection or connection.is_closed:
                return None
            if declared:
                slot = self._held[queue] = RabbitSlot(self, queue, on_loss)
                if time.monotonic() >= self._roll.guarded_until:
                    return slot
                await self.release(slot)
                return None
            self._names.discard(queue)
            if declared is None:
                return None
        return None

    async def _declare(self, connection: Connection, queue: str) -> bool | None:
        """Return whether the queue is ours now, and count the roll; None if RabbitMQ does not say."""
        try:
            async with asyncio.timeout(self._settings.slot_silence):
                channel = await self._channel(connection)
                await channel.queue_declare(queue, exclusive=True)
                await self._count(channel)
        except ChannelLockedResource:
            return False
        except TimeoutError:
            self._link.abort()  # who knows whose it is: let it go with the connection
            return None
        except BaseException as error:
            if not is_ours(error):
                raise
            self._failed(explain(error))
            return None
        self._free.append(channel)
        self._reason = None
        return True

    async def _look(self, connection: Connection) -> None:
        """Be counted, and count; not in the absence after a loss, which others are to notice."""
        if time.monotonic() < self._absent_until:
            return
        if self._watch is None or self._watch.is_closed:
            self._watch = await open_channel(connection, confirms=False)
            try:
                await self._watch.basic_consume(SLOT_ROLL, _nothing, no_ack=True)
            except ChannelNotFoundEntity as error:
                self._uncounted(error)
                return
        await self._count(self._watch)
        if self._roll.workers == 0 and not self._watch.is_closed:  # made anew meanwhile: nobody consumes yet
            await self._watch.close()

    async def _count(self, channel: Channel) -> None:
        """Count the roll. While it is missing (it was deleted, or its node is down) there is no guard time."""
        try:
            declared = await channel.queue_declare(SLOT_ROLL, passive=True)
        except ChannelNotFoundEntity as error:
            self._uncounted(error)
            return
        guard = self._settings.slot_guard
        self._roll = roll.counted(self._roll, declared.consumer_count or 0, time.monotonic(), guard)

    async def _channel(self, connection: Connection) -> Channel:
        """Return a channel that nobody uses: an error closes it with all that is under way on it."""
        while self._free:
            channel = self._free.pop()
            if not channel.is_closed:
                return channel
        return await open_channel(connection, confirms=False)

    async def _opened(self, connection: Connection) -> None:
        self._watch = None
        try:
            await self._look(connection)
        except BaseException as error:
            if is_ours(error):
                self._failed(explain(error))
            raise
        self._connection, self._reason = connection, None
        connection.closing.add_done_callback(lambda _: self._lost(connection))

    async def _probe(self) -> None:
        """Ask a small thing again and again; no answer in time means that the slots may be others' soon."""
        while True:
            await asyncio.sleep(self._settings.slot_probe)
            connection = self._connection
            if connection is None:
                continue
            try:
                async with asyncio.timeout(self._settings.slot_silence):
                    await self._look(connection)
            except BaseException as error:
                if not is_ours(error):
                    raise
                self._failed(explain(error))
                self._lost(connection)
                self._link.abort()

    def _lost(self, connection: Connection | None) -> None:
        """Tell every holder; what RabbitMQ still keeps for us goes with the connection."""
        if connection is None or connection is not self._connection:
            return
        self._connection = self._watch = None
        held, self._held = list(self._held.values()), {}
        self._names.clear()
        self._free.clear()
        if held:
            self._absent_until = time.monotonic() + self._settings.slot_absence
            self._log.warning("slots lost", slots=len(held))
        for slot in held:
            slot.on_loss()

    def _unwanted(self, taking: asyncio.Task[RabbitSlot | None]) -> None:
        if not taking.cancelled() and taking.exception() is None and (slot := taking.result()) is not None:
            self._releasing = asyncio.create_task(slot.release())

    def _uncounted(self, error: ChannelNotFoundEntity) -> None:
        if self._roll.workers is not None:
            self._log.warning("workers are not counted", reason=explain(error))
        self._roll = self._roll._replace(workers=None)

    def _failed(self, reason: str) -> None:
        if reason != self._reason:
            self._log.warning("no slots", reason=reason)
        self._reason = reason


async def _nothing(_: object) -> None:
    """Take nothing: nobody publishes to the roll."""
