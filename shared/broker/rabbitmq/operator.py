"""What an administrator does with what is kept, on RabbitMQ.

Looking is `basic.get` without acknowledgement: each message is handed back when the look is over, so others do not
see it meanwhile, and each look counts against a delivery limit, which these queues have set out of reach.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC

from aiormq import AMQPError, Channel
from aiormq.abc import DeliveredMessage

from shared import log, wire
from shared.broker.decision import Decision
from shared.broker.moving import Moves
from shared.broker.port import Depth, Entry, Kept, Reindexed
from shared.broker.rabbitmq import index
from shared.broker.rabbitmq.broker import DEFAULTS, RabbitBroker
from shared.broker.rabbitmq.explain import explain, is_ours
from shared.broker.rabbitmq.link import Link, open_channel
from shared.broker.rabbitmq.properties import REASON
from shared.broker.rabbitmq.settings import Address, Settings
from shared.broker.topology import QUARANTINE_BUCKETS, User, bucket_queue, quorum_queues
from shared.clock import Clock, wall_clock
from shared.errors import BrokerError, BrokerUnavailable, WireError
from shared.model import Message, Send

MOVERS = 16
"""Channels on which messages are taken to be moved: a quorum queue writes each `basic.get` to its log, many at once."""
_BUCKETS = tuple(bucket_queue(day) for day in range(QUARANTINE_BUCKETS))


async def connect_operator(url: str, settings: Settings = DEFAULTS, *, clock: Clock = wall_clock) -> "RabbitOperator":
    """Return an operator's access. Raise BrokerUnavailable if RabbitMQ cannot be reached, ConfigError for a bad URL."""
    operator = RabbitOperator(Address.parse(url, settings.heartbeat), settings, clock)
    await operator.start()
    return operator


class RabbitOperator:
    """The operator port on RabbitMQ, as user `operator`."""

    def __init__(self, address: Address, settings: Settings, clock: Clock) -> None:
        self._address = address
        self._settings = settings
        self._broker = RabbitBroker(address, User.OPERATOR, settings, clock)
        self._link = Link(address, "operates", settings)

    async def start(self) -> None:
        """Connect. Raise BrokerUnavailable if that fails."""
        await self._link.start(wait=False)
        try:
            await self._broker.start(wait=False)
        except BaseException:
            await self._link.close()
            raise

    async def depths(self) -> list[Depth]:
        """Return the depth of every quorum queue; unsettled ones are not told over AMQP."""
        async with self._channel() as channel:
            found = []
            for queue in quorum_queues():
                declared = await channel.queue_declare(queue, passive=True)
                found.append(Depth(queue, declared.message_count or 0, None, declared.consumer_count or 0))
            return found

    async def kept(self, queues: Sequence[str]) -> AsyncIterator[Kept]:
        """Iterate over what was in the queues when each was reached; one body is held in memory at a time."""
        for queue in queues:
            async with self._channel() as channel, _look(channel, queue) as messages:
                async for message in messages:
                    yield _kept(queue, message)

    async def quarantined(self) -> AsyncIterator[Entry]:
        """Iterate over the quarantine's list: no original is touched, unless there is no list."""
        try:
            entries = await self._listed()
        except BrokerUnavailable as error:
            log.get().warning("no index, reading the buckets", error=str(error))
            entries = [_entry(kept) async for kept in self.kept(_BUCKETS)]
        for entry in entries:
            yield entry

    async def record(self, decision: Decision) -> None:
        """Return when a decision is on the quarantine's stream."""
        await self._broker.index(index.Record(decision=decision))

    async def decisions(self) -> AsyncIterator[Decision]:
        """Iterate over the decisions on the quarantine's stream, which keeps them as long as mail."""
        for record in await self._records():
            if record.decision is not None:
                yield record.decision

    async def _listed(self) -> list[Entry]:
        return index.alive(await self._records())

    async def _records(self) -> list[index.Record]:
        mark = uuid.uuid4().hex
        await self._broker.index(index.Record(mark=mark))
        async with self._channel() as channel, asyncio.timeout(self._settings.confirm_timeout):
            return await index.read(channel, mark)

    async def reindex(self) -> Reindexed:
        """Add what the list lacks, drop what no bucket holds. What somebody looks at meanwhile seems absent."""
        listed = {(entry.queue, entry.item.id) for entry in await self._listed() if entry.item}
        there: set[tuple[str, str]] = set()
        kept = added = undecodable = 0
        async for each in self.kept(_BUCKETS):
            kept += 1
            if each.message is None:
                undecodable += 1
                continue
            item = each.message.item
            there.add((each.queue, item.id))
            if (each.queue, item.id) not in listed:
                added += 1
                octets = len(each.message.content)
                await self._broker.index(index.Record(bucket=each.queue, item=item, octets=octets, at=each.kept_at))
        gone = [place for place in listed if place not in there]
        for queue, message_id in gone:
            await self._broker.index(index.Record(bucket=queue, gone=message_id))
        return Reindexed(kept, added, len(gone), undecodable)

    async def move(self, queue: str, follows: Callable[[Message], Sequence[Send] | None]) -> int:
        """Replace each message of a queue by what follows from it, some at a time."""
        left = _Left()
        movers = [asyncio.create_task(self._move(queue, follows, left)) for _ in range(MOVERS)]
        try:
            await asyncio.wait(movers, return_when=asyncio.FIRST_EXCEPTION)
        finally:  # never cancelled: aiormq closes a channel in the middle of whose call it is
            left.stop()
            await asyncio.wait(movers)
        return sum(mover.result() for mover in movers)

    async def _move(self, queue: str, follows: Callable[[Message], Sequence[Send] | None], left: "_Left") -> int:
        """Do one mover's part."""

        async def replace(tag: int, sends: Sequence[Send]) -> bool:
            await self._broker.publish(sends)
            await channel.basic_ack(tag)
            return True

        async with self._channel() as channel, _look(channel, queue, left) as messages, Moves(MOVERS) as moves:
            async for message in messages:
                found = _kept(queue, message).message
                sends = None if found is None else follows(found)
                if sends is not None:
                    await moves.begin(len(message.body), replace(message.delivery_tag or 0, sends))
        return moves.moved

    async def remove(self, queue: str, message_id: str) -> bool:
        """Delete every copy of a message; reads the whole queue."""
        removed = await self._remove(queue, message_id)
        if removed and queue in _BUCKETS:
            try:
                await self._broker.index(index.Record(bucket=queue, gone=message_id))
            except BrokerError as error:  # the list names something that is no longer there, which `reindex` mends
                log.get().warning("removed, but still in the index", id=message_id, bucket=queue, error=str(error))
        return removed

    async def _remove(self, queue: str, message_id: str) -> bool:
        removed = False
        async with self._channel() as channel, _look(channel, queue) as messages:
            async for message in messages:
                found = _kept(queue, message).message
                if found is not None and found.item.id == message_id:
                    await channel.basic_ack(message.delivery_tag or 0)
                    removed = True
        return removed

    async def publish(self, sends: Sequence[Send]) -> None:
        """As Publisher.publish."""
        await self._broker.publish(sends)

    async def close(self) -> None:
        """Close the connections."""
        await self._link.close()
        await self._broker.close()

    @contextlib.asynccontextmanager
    async def _channel(self) -> AsyncIterator[Channel]:
        """Yield a channel of its own. Raise BrokerUnavailable for whatever goes wrong with RabbitMQ inside."""
        connection = self._link.connection()
        try:
            channel = await open_channel(connection, confirms=False)
            try:
                yield channel
            finally:
                await channel.close(timeout=self._settings.connect_timeout)
        except (AMQPError, OSError, RuntimeError, asyncio.CancelledError) as error:
            if not is_ours(error):
                raise
            raise BrokerUnavailable(f"RabbitMQ at {self._address.shown}: {explain(error)}") from error


class _Left:
    """How many messages are still to be looked at, of those that were there when the first was taken."""

    def __init__(self) -> None:
        self._count: int | None = None

    def take(self) -> bool:
        """Take one; False if none is left."""
        if self._count is None:
            return True
        self._count -= 1
        return self._count >= 0

    def stop(self) -> None:
        """Leave the rest."""
        self._count = 0

    def behind(self, message: DeliveredMessage) -> None:
        """Learn from the first message how many are behind it."""
        if self._count is None:
            self._count = message.message_count or 0


@contextlib.asynccontextmanager
async def _look(
    channel: Channel, queue: str, left: _Left | None = None
) -> AsyncIterator[AsyncIterator[DeliveredMessage]]:
    """Yield the queue's messages one by one; in the end hand back all that were not acknowledged."""
    left = left or _Left()

    async def messages() -> AsyncIterator[DeliveredMessage]:
        while left.take():
            message = await channel.basic_get(queue)
            if message.delivery_tag is None:
                return
            left.behind(message)
            yield message

    try:
        yield messages()
    finally:
        if not channel.is_closed:
            await channel.basic_nack(0, multiple=True, requeue=True)  # 0: all that are outstanding, if any
            await channel.basic_qos(prefetch_count=1)  # an answer to wait for: RabbitMQ has done the nack before it


def _kept(queue: str, message: DeliveredMessage) -> Kept:
    headers = message.header.properties.headers or {}
    reason = headers.get(REASON)
    stamp = message.header.properties.timestamp
    kept_at = None if stamp is None else stamp.replace(tzinfo=UTC).timestamp()
    try:
        decoded = wire.decode(message.body)
    except WireError as error:
        return Kept(queue, None, message.body, str(reason) if reason is not None else str(error), kept_at)
    return Kept(queue, decoded, message.body, decoded.item.reason, kept_at)


def _entry(kept: Kept) -> Entry:
    if kept.message is None:
        return Entry(kept.queue, None, len(kept.body), kept.reason, kept.kept_at)
    return Entry(kept.queue, kept.message.item, len(kept.message.content), kept.reason, kept.kept_at)
