"""The one loop that settles messages: make what follows durable, then acknowledge (DESIGN section 2).

A handler says what follows from a message; this loop publishes it and only then acknowledges. A crash at any
point leaves the item with the broker, so the accepted failure is a duplicate, never a loss. Exceptions of a
handler are counted in the item and retried on the stage's own ladder; what keeps failing is parked.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from shared import log, metrics, wire
from shared.broker.load import Bounds, Hand, prefetch_for
from shared.broker.port import Broker, Received, Subscription
from shared.broker.topology import COMES_BACK_TO, LARGE_PREFETCH, STEPS, WORK, Stage, twin
from shared.clock import Clock, wall_clock
from shared.errors import BrokerError, MessageTooLarge, WireError
from shared.model import Attempt, Handler, Message, Place, Send

ISOLATE_AFTER = 3
"""Returns without a result after which an item is handled alone in a child process: it may be killing workers."""
CHILDREN = 4
"""Child processes at a time: after a crash of the whole, hundreds of messages may have to go this way, slow hosts among
them."""
PARK_AFTER = 10
"""Returns, or exceptions of the handler, after which an item is parked in mail.dead."""
FEW = 50
"""Items in hand of a work queue as long as nobody knows how large they are; LARGE octets each at the most."""
HAND_BACK_TIMEOUT = 5.0
"""Seconds that drain waits for late items to be handed back, should the broker not answer."""
_RETRY = (0.05, 5.0)
"""Seconds between tries to make something durable: at first, doubled up to the last."""


class Settings(NamedTuple):
    """How a stage works its queues."""

    concurrency: int
    """Items in hand of each work queue."""
    timeout: float
    """Seconds that one item may take, below the broker's consumer timeout (BROKER.md 4)."""
    octets: int | None = None
    """Of items in hand, beyond which there are few at a time (load.py); None takes `concurrency` of any size at once,
    and LARGE_PREFETCH of the twins for large bodies."""

    def bounds(self) -> tuple[Bounds, Bounds]:
        """Return those of a work queue and of its twin."""
        if self.octets is None:
            most = self.concurrency
            return Bounds(most, 0, most), Bounds(LARGE_PREFETCH, 0, LARGE_PREFETCH)
        first, large = min(FEW, self.concurrency), min(LARGE_PREFETCH, self.concurrency)
        return Bounds(first, 4 * FEW, self.concurrency), Bounds(large, LARGE_PREFETCH, self.concurrency)


class _Outcome(NamedTuple):
    """What follows from one body, to be made durable before it is acknowledged."""

    name: str
    """The `result` of `metrics.settled`."""
    sends: Sequence[Send] = ()
    undecodable: str | None = None
    """Why the body is no message, if it is none: it is parked as it is."""


def failed(stage: Stage, message: Message, error: BaseException, now: float, lost: int = 0) -> Send:
    """Return what follows from a handler's exception: the stage's ladder, step by step, then mail.dead.

    `lost`: how often the item came back without a result before; it stays known, or what kills workers would kill
    as many again after each time that a child died of it instead.
    """
    item = message.item
    failures = item.failures + 1
    text = " ".join(f"{type(error).__name__}: {error}".removesuffix(": ").splitlines())[:500]
    tried = item.tried(Attempt(at=now, stage=stage, text=text))
    tried = msgspec.structs.replace(tried, failures=failures, lost=lost)
    if failures >= PARK_AFTER:
        before = f", after it came back {lost} times without a result" if lost else ""
        return parked(Message(tried, message.content), f"failed {failures} times in {stage}{before}, last: {text}")
    wait = STEPS[min(failures, len(STEPS)) - 1][1]
    again = msgspec.structs.replace(tried, not_before=now + wait)
    return Send(Place(COMES_BACK_TO[stage]), Message(again, message.content))


def parked(message: Message, reason: str) -> Send:
    """Return the send that parks a message in mail.dead with its reason."""
    item = msgspec.structs.replace(message.item, reason=reason, not_before=None)
    return Send(Place.DEAD, Message(item, message.content))


def name_of(stage: Stage, sends: Sequence[Send]) -> str:
    """Return the `result` of `metrics.settled` that a handler's sends are."""
    if not sends:
        return "done"
    places = {send.place for send in sends}
    if Place.DEAD in places:
        return "parked"
    waits = all(send.message.item.not_before is not None for send in sends)
    return "deferred" if waits and places == {Place(COMES_BACK_TO[stage])} else "passed on"


class Worker:
    """Runs one stage's handler over its queues until drained."""

    def __init__(
        self,
        broker: Broker,
        stage: Stage,
        handler: Handler,
        settings: Settings,
        *,
        isolated: Handler | None = None,
        clock: Clock = wall_clock,
    ) -> None:
        self._broker = broker
        self._stage = stage
        self._handler = handler
        self._isolated = isolated or handler
        self._settings = settings
        self._clock = clock
        self._log = log.get(stage=str(stage))
        self._in_hand, self._seconds = metrics.in_hand.labels(stage), metrics.handling_seconds.labels(stage)
        self._subscriptions: dict[Subscription, Bounds] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._consumers: set[asyncio.Task[None]] = set()
        self._octets = 0
        """Of everything in hand."""
        self._children = asyncio.Semaphore(CHILDREN)
        self._draining = False

    def change(self, handler: Handler, timeout: float, isolated: Handler | None = None) -> None:
        """Handle every item taken from now on so; what is in hand ends as it began."""
        self._handler = handler
        self._isolated = isolated or handler
        self._settings = self._settings._replace(timeout=timeout)

    async def run(self) -> None:
        """Consume until `drain` is called."""
        normal, large = self._settings.bounds()
        for queue in WORK[self._stage]:
            for name, bounds in ((queue, normal), (twin(queue), large)):
                subscription = await self._broker.subscribe(name, bounds.first)
                self._subscriptions[subscription] = bounds
                if self._draining:
                    await subscription.cancel()
                    return
        async with asyncio.TaskGroup() as group:
            self._consumers = {group.create_task(self._consume(*each)) for each in self._subscriptions.items()}

    async def drain(self, grace: float) -> None:
        """Take no more, let what is in hand finish for `grace` seconds, hand the rest back."""
        self._draining = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        await asyncio.gather(*(subscription.cancel() for subscription in self._subscriptions))
        if self._consumers:  # one of them may hold a body that it has not begun yet
            await asyncio.wait(self._consumers, timeout=grace)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=max(0.0, deadline - loop.time()))
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=HAND_BACK_TIMEOUT)

    async def _consume(self, subscription: Subscription, bounds: Bounds) -> None:
        hand = Hand(0, 0)

        def hold(bodies: int, octets: int, _: object = None) -> None:
            nonlocal hand
            hand = Hand(hand.bodies + bodies, hand.octets + octets)
            self._octets += octets

        async for received in subscription:
            size = len(received.body)
            hold(1, size)
            task = asyncio.create_task(self._work(received))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(partial(hold, -1, -size))
            if self._settings.octets is not None:
                prefetch = subscription.prefetch
                wanted = prefetch_for(prefetch, bounds, hand, self._octets, self._settings.octets)
                if wanted != prefetch:
                    await subscription.allow(wanted)

    async def _work(self, received: Received) -> None:
        with self._in_hand.track_inprogress():
            durable = False
            try:
                outcome = await self._handle(received)
                durable = await self._make_durable(received, outcome)
            except Exception as error:  # noqa: BLE001  (whatever it is, the item goes back and the stage lives on)
                durable = await self._cannot_pass_on(received, error)
            finally:  # cancelled too: once all is durable only an ack may follow, else only a release
                await (received.ack() if durable else self._hand_back(received))

    async def _hand_back(self, received: Received) -> None:
        metrics.settled.labels(self._stage, "released").inc()
        await received.release()

    async def _cannot_pass_on(self, received: Received, error: Exception) -> bool:
        """Count it as a failure of the handler: no broker takes what it returned (too large, not to be encoded)."""
        self._log.error("cannot be passed on", error=repr(error), exc_info=True)
        try:
            again = failed(self._stage, wire.decode(received.body), error, self._clock())
            return await self._make_durable(received, _Outcome("failed", [again]))
        except Exception:  # noqa: BLE001  (the last line of defence)
            self._log.error("settling failed, item handed back", exc_info=True)
            await asyncio.sleep(_RETRY[1])  # it comes back at once, and must not keep us busy
            return False

    async def _handle(self, received: Received) -> _Outcome:
        """Return what follows from a body; never raises but for cancellation."""
        try:
            message = wire.decode(received.body)
        except WireError as error:
            return _Outcome("parked", undecodable=str(error))
        now = self._clock()
        if message.item.not_before is not None and message.item.not_before > now:
            return _Outcome("deferred", [Send(Place(COMES_BACK_TO[self._stage]), message)])
        lost = message.item.lost + received.returns
        if lost >= PARK_AFTER:
            reason = f"came back {lost} times to {self._stage} without a result"
            tried = message.item.tried(Attempt(at=now, stage=self._stage, text=reason))
            tried = msgspec.structs.replace(tried, failures=message.item.failures, lost=lost)
            return self._parked(Message(tried, message.content), reason)
        try:
            with self._seconds.time():
                sends = await self._call(message, alone=lost >= ISOLATE_AFTER)
            return _Outcome(name_of(self._stage, sends), sends)
        except Exception as error:  # noqa: BLE001  (unknown means temporary: counted, retried, parked in the end)
            send = failed(self._stage, message, error, now, lost)
            self._log.warning(
                "handler failed", id=message.item.id, failures=message.item.failures + 1, exc_info=True, next=send.place
            )
            if send.place is Place.DEAD:
                return self._parked(send.message, send.message.item.reason or "")
            return _Outcome("failed", [send])

    def _parked(self, message: Message, reason: str) -> _Outcome:
        self._log.error("parked", id=message.item.id, reason=reason)
        return _Outcome("parked", [parked(message, reason)])

    async def _call(self, message: Message, *, alone: bool) -> Sequence[Send]:
        if alone:
            async with self._children, asyncio.timeout(self._settings.timeout):
                return await self._isolated(message)
        async with asyncio.timeout(self._settings.timeout):
            return await self._handler(message)

    async def _make_durable(self, received: Received, outcome: _Outcome) -> bool:
        """Publish until it is durable; False if the broker has meanwhile taken the item back.

        A full queue is waited for with the item in hand, so that pressure reaches the door. Raise MessageTooLarge.
        """
        pause, longest = _RETRY
        while not received.lost:
            try:
                if outcome.undecodable is not None:
                    await self._broker.park(received.body, outcome.undecodable)
                    self._log.error("parked", reason=outcome.undecodable, octets=len(received.body))
                else:
                    await self._broker.publish(outcome.sends)
            except MessageTooLarge:
                raise
            except BrokerError as error:
                self._log.warning("not durable yet", error=str(error), retry_in=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)
            else:
                metrics.settled.labels(self._stage, outcome.name).inc()
                return True
        return False
