"""The embedded broker: a stage's view of one queue file."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from shared import metrics, wire
from shared.broker.local_slots import LocalSlots
from shared.broker.sqlite import schema, store
from shared.broker.sqlite.housekeeping import Housekeeper
from shared.broker.sqlite.lock import ConsumerLock
from shared.broker.sqlite.subscription import SqliteSubscription
from shared.broker.sqlite.writer import Writer
from shared.broker.topology import Limits
from shared.clock import Clock, wall_clock
from shared.errors import BrokerFull, BrokerUnavailable, MessageTooLarge
from shared.model import Place, Send

T = TypeVar("T")

LATE = 2.0
"""Seconds without a commit after which new mail is refused, and for which a refusal for space is remembered."""


class Options(NamedTuple):
    """How a queue file is used; the defaults are right for `sluice up`."""

    reserve: int = 64 * 1024**2
    """Octets of disk that new mail may not use, so that what empties the queue can always be written; 0: none."""
    retention: float = Limits().retention
    """Seconds that quarantined mail is kept."""
    confirm_timeout: float = 60.0
    """Seconds a publish waits for its commit."""
    busy_timeout: float = 10.0
    """Seconds a transaction waits for another process that writes."""
    max_octets: int = 512 * 1024**2
    """Longest body taken; SQLite's own limit on one value is twice that."""
    create: bool = True
    """Create the file if it is not there."""
    clock: Clock = wall_clock


class SqliteBroker:
    """Implements `port.Broker` on a queue file; made by `open_broker`."""

    def __init__(self, path: Path, options: Options) -> None:
        self._path = path
        self._options = options
        self._clock = options.clock
        self._subscriptions: dict[str, list[SqliteSubscription]] = {}
        self._unconfirmed: dict[object, float] = {}
        self._lock: ConsumerLock | None = None
        self._slots = LocalSlots()
        self._loop = asyncio.get_running_loop()
        self._house = Housekeeper(
            path, reserve=options.reserve, retention=options.retention, changed=self._post_changed, clock=self._clock
        )
        self._written_since = (self._house.space, 0)
        self._refused_at = -LATE
        self._writer = Writer(path, self._house.tick)

    async def open(self) -> None:
        """Open the file. Raise ConfigError or BrokerUnavailable."""
        options = self._options
        await self._writer.start(lambda: schema.connect(self._path, options.busy_timeout, create=options.create))

    async def publish(self, sends: Sequence[Send]) -> None:
        """Return when every send is committed and fsynced: all of them, or none."""
        if not sends:
            return
        rows = await self._rows(sends)
        self._check_space(rows, new_mail=any(send.place is Place.SCREEN for send in sends))
        await self._put(rows)

    async def replace(self, seq: int, sends: Sequence[Send]) -> bool:
        """Commit sends in the place of one body, unless it is in somebody's hand by now or gone: then return False."""
        rows = await self._rows(sends)
        return await self._writer.submit(
            lambda connection: store.replace(connection, seq, rows), octets=sum(len(row.body) for row in rows)
        )

    async def _rows(self, sends: Sequence[Send]) -> list[store.Row]:
        now = self._clock()
        rows = []
        for send in sends:
            item = send.message.item
            body = await wire.encoded(send.message)
            if len(body) > self._options.max_octets:
                raise MessageTooLarge(f"{item.id}: {len(body)} octets, the queue file takes {self._options.max_octets}")
            queue, due_at = store.destination(send.place, len(body), item.not_before, now)
            rows.append(store.Row(queue, due_at, item.id, body, item.reason))
        return rows

    async def park(self, body: bytes, reason: str) -> None:
        """Commit a body that does not decode to `mail.dead`."""
        await self._put([store.Row(Place.DEAD, self._clock(), "", body, reason)])

    async def note(self, queue: str, message_id: str, body: bytes) -> None:
        """Commit octets that are no mail to a queue that nobody consumes."""
        await self._put([store.Row(queue, self._clock(), message_id, body)])

    def trouble(self) -> str | None:
        """Return why new mail should be refused now, or None."""
        if self._writer.closed:
            return f"{self._path}: closed"
        if self._writer.failure is not None:
            return str(self._writer.failure)
        oldest = next(iter(self._unconfirmed.values()), None)
        if oldest is not None and time.monotonic() - oldest > LATE:
            return f"{self._path}: a commit has been on its way for more than {LATE:.0f} s"
        refused = time.monotonic() - self._refused_at < LATE
        return self._low_space() if refused or self._house.space.lacks(0) else None

    async def subscribe(self, queue: str, prefetch: int) -> SqliteSubscription:
        """Lease bodies of `queue`. Raise StoreInUse if another process does so already."""
        if self._lock is None:
            self._lock, first = await asyncio.to_thread(ConsumerLock.acquire, self._path)
            if first:
                await self._writer.submit(store.reclaim)
                self._notify(self._subscriptions)
        subscription = SqliteSubscription(self._writer, queue, prefetch, self._clock, self._touched)
        self._subscriptions.setdefault(queue, []).append(subscription)
        return subscription

    def slots(self) -> LocalSlots:
        """Return the slots of this process: no other takes mail from the file."""
        return self._slots

    async def close(self) -> None:
        """Hand back what is unsettled, finish what is on its way to the disk, close the file."""
        open_now = [subscription for each in self._subscriptions.values() for subscription in each]
        await asyncio.gather(*(subscription.close() for subscription in open_now))
        self._subscriptions.clear()
        await self._writer.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run an operator's job in a transaction."""
        return await self._writer.submit(job)

    async def _put(self, rows: list[store.Row]) -> None:
        job = self._writer.submit(
            lambda connection: store.put(connection, rows), octets=sum(len(row.body) for row in rows)
        )
        # Not the caller's return but the commit makes it visible, so consumers hear of it from the job itself.
        job.add_done_callback(lambda _: self._notify({row.queue for row in rows}))
        begun = time.monotonic()
        self._unconfirmed[job] = begun
        try:
            async with asyncio.timeout(self._options.confirm_timeout):
                await job
        except TimeoutError:
            raise BrokerUnavailable(
                f"{self._path}: no commit within {self._options.confirm_timeout:.0f} s: is its disk well?"
            ) from None
        finally:
            del self._unconfirmed[job]
        metrics.confirm_seconds.observe(time.monotonic() - begun)

    def _check_space(self, rows: list[store.Row], *, new_mail: bool) -> None:
        """Refuse new mail that would use the reserve, counting what was written since the disk was measured."""
        space = self._house.space
        if self._written_since[0] is not space:
            self._written_since = (space, 0)
        octets = self._written_since[1] + sum(len(row.body) for row in rows)
        if new_mail and space.lacks(octets):
            self._refused_at = time.monotonic()
            raise BrokerFull(self._low_space())
        self._written_since = (space, octets)

    def _low_space(self) -> str:
        free, reserve = self._house.space
        return f"{self._path}: {free >> 20} MiB free for the queue, {reserve >> 20} MiB are kept in reserve: free some"

    def _touched(self, queue: str) -> None:
        self._notify((queue,))

    def _notify(self, queues: Iterable[str]) -> None:
        for queue in queues:
            for subscription in self._subscriptions.get(queue, ()):
                subscription.notify()

    def _post_changed(self) -> None:
        """Tell every subscription, from the writer's thread: another process has written, anything may have arrived."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: self._notify(list(self._subscriptions)))
