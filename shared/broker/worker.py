"""The one loop that settles messages: make what follows durable, then acknowledge (DESIGN section 2).

A handler says what follows from a message; this loop publishes it and only then acknowledges. A crash at any
point leaves the item with the broker, so the accepted failure is a duplicate, never a loss. Exceptions of a
handler are counted in the item and retried on the stage's own ladder; what keeps failing is parked.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from shared import log, metrics, wire
from shared.broker.port import Broker, Received, Subscription
from shared.broker.topology import COMES_BACK_TO, LARGE_PREFETCH, STEPS, WORK, Stage, twin
from shared.clock import Clock, wall_clock
from shared.errors import BrokerError, WireError
from shared.model import Attempt, Handler, Message, Place, Send

ISOLATE_AFTER = 3
"""Returns without a result after which an item is handled alone in a child process: it may be killing workers."""
PARK_AFTER = 10
"""Returns, or exceptions of the handler, after which an item is parked in mail.dead."""


class Settings(NamedTuple):
    """How a stage works its queues."""

    concurrency: int
    """Prefetch of each work queue; twins for large bodies have LARGE_PREFETCH."""
    timeout: float
    """Seconds that one item may take, below the broker's consumer timeout (BROKER.md 4)."""


class _Undecodable(NamedTuple):
    reason: str


_Result = Sequence[Send] | _Undecodable


def failed(stage: Stage, message: Message, error: BaseException, now: float) -> Send:
    """Return what follows from a handler's exception: the stage's ladder, step by step, then mail.dead."""
    item = message.item
    failures = item.failures + 1
    text = f"{type(error).__name__}: {error}"[:500]
    tried = msgspec.structs.replace(item.tried(Attempt(at=now, stage=stage, text=text)), failures=failures)
    if failures >= PARK_AFTER:
        return parked(Message(tried, message.content), f"failed {failures} times in {stage}, last: {text}")
    wait = STEPS[min(failures, len(STEPS)) - 1][1]
    again = msgspec.structs.replace(tried, not_before=now + wait)
    return Send(Place(COMES_BACK_TO[stage]), Message(again, message.content))


def parked(message: Message, reason: str) -> Send:
    """Return the send that parks a message in mail.dead with its reason."""
    item = msgspec.structs.replace(message.item, reason=reason, not_before=None)
    return Send(Place.DEAD, Message(item, message.content))


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
        self._subscriptions: list[Subscription] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._alone = asyncio.Lock()

    async def run(self) -> None:
        """Consume until `drain` is called."""
        for queue in WORK[self._stage]:
            self._subscriptions.append(await self._broker.subscribe(queue, self._settings.concurrency))
            self._subscriptions.append(await self._broker.subscribe(twin(queue), LARGE_PREFETCH))
        async with asyncio.TaskGroup() as group:
            for subscription in self._subscriptions:
                group.create_task(self._consume(subscription))

    async def drain(self, grace: float) -> None:
        """Take no more, let what is in hand finish for `grace` seconds, hand the rest back."""
        await asyncio.gather(*(subscription.cancel() for subscription in self._subscriptions))
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _consume(self, subscription: Subscription) -> None:
        async for received in subscription:
            task = asyncio.create_task(self._work(received))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self, received: Received) -> None:
        with metrics.in_hand.labels(self._stage).track_inprogress():
            try:
                await self._settle(received)
            except asyncio.CancelledError:
                metrics.settled.labels(self._stage, "released").inc()
                await received.release()
                raise
            except Exception:  # noqa: BLE001  (the loop's last line of defence: the item goes back, the stage lives on)
                self._log.error("settling failed, item handed back", exc_info=True)
                await received.release()

    async def _settle(self, received: Received) -> None:
        result = await self._handle(received)
        if await self._make_durable(received, result):
            await received.ack()

    async def _handle(self, received: Received) -> _Result:
        """Return what follows from a body; never raises but for cancellation."""
        try:
            message = wire.decode(received.body)
        except WireError as error:
            return _Undecodable(str(error))
        now = self._clock()
        if message.item.not_before is not None and message.item.not_before > now:
            return [Send(Place(COMES_BACK_TO[self._stage]), message)]
        if received.returns >= PARK_AFTER:
            self._log.error("parked", id=message.item.id, returns=received.returns)
            return [parked(message, f"came back {received.returns} times to {self._stage} without a result")]
        try:
            with metrics.handling_seconds.labels(self._stage).time():
                return await self._call(message, received.returns)
        except Exception as error:  # noqa: BLE001  (unknown means temporary: counted, retried, parked in the end)
            send = failed(self._stage, message, error, now)
            self._log.warning(
                "handler failed", id=message.item.id, failures=message.item.failures + 1, exc_info=True, next=send.place
            )
            return [send]

    async def _call(self, message: Message, returns: int) -> Sequence[Send]:
        async with contextlib.AsyncExitStack() as stack:
            if returns >= ISOLATE_AFTER:
                await stack.enter_async_context(self._alone)
            await stack.enter_async_context(asyncio.timeout(self._settings.timeout))
            return await (self._isolated if returns >= ISOLATE_AFTER else self._handler)(message)

    async def _make_durable(self, received: Received, result: _Result) -> bool:
        """Publish until it is durable; False if the broker has meanwhile taken the item back.

        A full queue is waited for with the item in hand, so that pressure reaches the door.
        """
        pause = 0.05
        while not received.lost:
            try:
                if isinstance(result, _Undecodable):
                    await self._broker.park(received.body, result.reason)
                    self._log.error("parked", reason=result.reason, octets=len(received.body))
                else:
                    await self._broker.publish(result)
            except BrokerError as error:
                self._log.warning("not durable yet", error=str(error), retry_in=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                metrics.settled.labels(self._stage, _name_of(result)).inc()
                return True
        return False


def _name_of(result: _Result) -> str:
    if isinstance(result, _Undecodable) or any(send.place is Place.DEAD for send in result):
        return "parked"
    return "passed on" if result else "done"
