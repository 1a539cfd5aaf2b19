"""The operator's view of a queue file, also from another process than the one that relays."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from shared import wire
from shared.broker import decision as decisions
from shared.broker.decision import Decision
from shared.broker.moving import Moves
from shared.broker.port import Depth, Entry, Kept, Reindexed
from shared.broker.sqlite import schema, store
from shared.broker.sqlite.broker import Options, SqliteBroker
from shared.broker.sqlite.lock import holder
from shared.broker.topology import (
    QUARANTINE_BUCKETS,
    QUARANTINE_INDEX,
    STEPS,
    WORK,
    Stage,
    bucket_queue,
    quorum_queues,
    twin,
    wait_queue,
)
from shared.errors import BrokerUnavailable, WireError
from shared.model import Message, Send

T = TypeVar("T")


class SqliteOperator:
    """Implements `port.Operator`; made by `open_operator`. Reads never hold a writer up."""

    def __init__(self, path: Path, options: Options) -> None:
        self._path = path
        self._options = options
        self._broker = SqliteBroker(path, options)
        self._connection: sqlite3.Connection | None = None
        self._reading = asyncio.Lock()

    async def open(self) -> None:
        """Open the file. Raise ConfigError or BrokerUnavailable."""
        await self._broker.open()

    async def depths(self) -> list[Depth]:
        """Return the depth of every queue of the topology; what waits is counted where the ladder would hold it."""
        steps = [seconds for _, seconds in STEPS]
        found = await self._read(lambda connection: store.counts(connection, self._options.clock, steps))
        ready: Counter[str] = Counter()
        leased: Counter[str] = Counter()
        for queue, step, ready_here, leased_here in found:
            ready[_shown_as(queue, step)] += ready_here
            leased[queue] += leased_here
        consumers = int(await asyncio.to_thread(holder, self._path) is not None)
        consumed = {name for queues in WORK.values() for queue in queues for name in (queue, twin(queue))}
        names = [name for name in dict.fromkeys([*quorum_queues(), *ready]) if name != QUARANTINE_INDEX]
        return [Depth(name, ready[name], leased[name], consumers if name in consumed else 0) for name in names]

    async def kept(self, queues: Sequence[str]) -> AsyncIterator[Kept]:
        """Iterate over everything in the given queues, oldest first, one body in memory at a time."""
        for queue in queues:
            place = (0.0, 0)
            while (found := await self._after(queue, *place)) is not None:
                place = (found.due_at, found.seq)
                try:
                    message = wire.decode(found.body)
                except WireError:
                    message = None
                yield Kept(queue, message, found.body, found.reason, found.due_at)

    async def quarantined(self) -> AsyncIterator[Entry]:
        """Iterate over what is in quarantine; the file itself is the list."""
        async for kept in self.kept([bucket_queue(day) for day in range(QUARANTINE_BUCKETS)]):
            item = kept.message.item if kept.message else None
            octets = len(kept.message.content if kept.message else kept.body)
            reason = kept.reason or (item.reason if item else None)
            yield Entry(kept.queue, item, octets, reason, kept.kept_at)

    async def reindex(self) -> Reindexed:
        """Count what is kept: there is no list apart."""
        found = [entry.item is None async for entry in self.quarantined()]
        return Reindexed(len(found), 0, 0, sum(found))

    async def record(self, decision: Decision) -> None:
        """Return when a decision is committed: under the name of RabbitMQ's list, and purged as quarantined mail is."""
        await self._broker.note(QUARANTINE_INDEX, decision.id, decisions.encode(decision))

    async def decisions(self) -> AsyncIterator[Decision]:
        """Iterate over the decisions in the file."""
        place = (0.0, 0)
        while (found := await self._after(QUARANTINE_INDEX, *place)) is not None:
            place = (found.due_at, found.seq)
            yield decisions.decode(found.body)

    async def move(self, queue: str, follows: Callable[[Message], Sequence[Send] | None]) -> int:
        """Replace each message of a queue by what follows from it, each in one step, some at a time."""
        place = (0.0, 0)
        async with Moves() as moves:
            while (found := await self._after(queue, *place)) is not None:
                place = (found.due_at, found.seq)
                try:
                    sends = follows(wire.decode(found.body))
                except WireError:
                    continue
                if sends is not None:
                    await moves.begin(len(found.body), self._broker.replace(found.seq, sends))
        return moves.moved

    async def remove(self, queue: str, message_id: str) -> bool:
        """Delete every copy of one kept message; False if there was none."""
        return await self._broker.run(lambda connection: store.remove(connection, queue, message_id))

    async def publish(self, sends: Sequence[Send]) -> None:
        """As Publisher.publish."""
        await self._broker.publish(sends)

    async def close(self) -> None:
        """Close the file."""
        async with self._reading:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
        await self._broker.close()

    async def _after(self, queue: str, due_at: float, seq: int) -> store.Stored | None:
        return await self._read(lambda connection: store.after(connection, queue, due_at, seq))

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            if self._connection is None:
                self._connection = schema.connect(self._path, self._options.busy_timeout, create=False, threads=True)
            return query(self._connection)

        async with self._reading:
            try:
                return await asyncio.to_thread(run)
            except sqlite3.Error as error:
                raise BrokerUnavailable(f"{self._path}: {error}") from error


def _shown_as(queue: str, step: int) -> str:
    """Return the queue that RabbitMQ would hold a body of `queue` in that has at least `step` seconds to wait."""
    plain = queue.removesuffix(twin(""))
    stage = next((stage for stage in Stage if plain in WORK[stage]), None)
    if step == 0 or stage is None:
        return queue
    name = next(name for name, seconds in STEPS if seconds == step)
    waits_in = wait_queue(stage, name)
    return waits_in if plain == queue else twin(waits_in)
