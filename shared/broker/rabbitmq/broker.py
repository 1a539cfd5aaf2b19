"""The broker port on RabbitMQ."""

import asyncio
import random
from collections.abc import Sequence

from shared import log, wire
from shared.broker.rabbitmq import index, properties
from shared.broker.rabbitmq.link import Link
from shared.broker.rabbitmq.sender import Sender
from shared.broker.rabbitmq.settings import Address, Settings
from shared.broker.rabbitmq.slots import RabbitSlots
from shared.broker.rabbitmq.subscription import RabbitSubscription
from shared.broker.topology import QUARANTINE_INDEX, User, queue_for
from shared.clock import Clock, wall_clock
from shared.model import Place, Send

DEFAULTS = Settings()


async def connect(
    url: str, user: User, settings: Settings = DEFAULTS, *, wait: bool = True, clock: Clock = wall_clock
) -> "RabbitBroker":
    """Return a broker for one service, `url` being `amqp://user:password@host:port/vhost`.

    If RabbitMQ does not answer, or refuses, the broker says so in `trouble()` and keeps trying; with `wait` false it
    raises BrokerUnavailable instead. Raise ConfigError for a URL that is none.
    """
    broker = RabbitBroker(Address.parse(url, settings.heartbeat), user, settings, clock)
    await broker.start(wait=wait)
    return broker


class RabbitBroker:
    """Connections of one user: one publishes; one consumes and one holds slots, each opened when first needed."""

    def __init__(self, address: Address, user: User, settings: Settings, clock: Clock) -> None:
        self._user = user
        self._settings = settings
        self._clock = clock
        self._sender = Sender(address, user.exchange, settings)
        self._consuming = Link(address, "consumes", settings)
        self._starting = asyncio.Lock()
        self._started = False
        self._subscriptions: list[RabbitSubscription] = []
        self._slots = RabbitSlots(address, settings, random.SystemRandom())

    async def start(self, *, wait: bool) -> None:
        """Connect to publish."""
        await self._sender.start(wait=wait)

    async def publish(self, sends: Sequence[Send]) -> None:
        """Return when every send is durable; all are in flight together. Raise BrokerError otherwise."""
        now = self._clock()
        bodies = [await wire.encoded(send.message) for send in sends]
        for body in bodies:
            self._sender.check_size(len(body))
        if len(sends) == 1:
            await self._send(sends[0], bodies[0], now)
            return
        pairs = zip(sends, bodies, strict=True)
        done = await asyncio.gather(*(self._send(send, body, now) for send, body in pairs), return_exceptions=True)
        for error in done:
            if error is not None:
                raise error

    async def park(self, body: bytes, reason: str) -> None:
        """Make a body that does not decode durable in `mail.dead`."""
        await self._sender.send(Place.DEAD, body, properties.for_undecodable(reason, self._user, self._clock()))

    async def index(self, record: index.Record) -> None:
        """Add a record to the quarantine's list. Raise BrokerError if it is not stored."""
        made = properties.for_index(self._user, self._clock())
        await self._sender.send(QUARANTINE_INDEX, index.encode(record), made)

    def trouble(self) -> str | None:
        """Return why new mail should be refused now, or None."""
        trouble = self._sender.trouble()
        if trouble is None and self._started:
            subscriptions = (each.trouble() for each in self._subscriptions)
            trouble = self._consuming.trouble() or next((each for each in subscriptions if each), None)
        return trouble or self._slots.trouble()

    def slots(self) -> RabbitSlots:
        """Return the slots, on a connection of their own that is opened when first needed."""
        return self._slots

    async def subscribe(self, queue: str, prefetch: int) -> RabbitSubscription:
        """Consume `queue`; returns at once if RabbitMQ is away, and begins when it comes."""
        async with self._starting:
            if not self._started:
                await self._consuming.start(wait=True)
                self._started = True
        subscription = RabbitSubscription(self._consuming, queue, prefetch, self._settings)
        self._subscriptions.append(subscription)
        await subscription.start()
        return subscription

    async def close(self) -> None:
        """Close everything; safe to repeat."""
        await asyncio.gather(*(subscription.close() for subscription in self._subscriptions))
        self._subscriptions.clear()
        await self._consuming.close()
        await self._slots.close()
        await self._sender.close()

    async def _send(self, send: Send, body: bytes, now: float) -> None:
        item = send.message.item
        queue = queue_for(send.place, len(body), item.not_before, now)
        await self._sender.send(queue, body, properties.for_item(item, self._user, now))
        if send.place is Place.QUARANTINE:  # the original first: an entry must never point at nothing
            octets = len(send.message.content)
            entry = index.encode(index.Record(bucket=queue, item=item, octets=octets, at=now))
            reason = await self._sender.note(QUARANTINE_INDEX, entry, properties.for_item(item, self._user, now))
            if reason is not None:  # the bucket is complete without it; failing now would store the original again
                log.get().warning("quarantined, but not in the index", id=item.id, bucket=queue, reason=reason)
