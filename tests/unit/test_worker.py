"""The worker loop at its edges, on the embedded broker: order, cancellation, drain, what cannot be passed on."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from shared import wire
from shared.broker.port import Received, Slots, Subscription
from shared.broker.sqlite import Options, SqliteBroker, SqliteOperator, open_broker, open_operator, store
from shared.broker.topology import COMES_BACK_TO, STEPS, WORK, Stage
from shared.broker.worker import CHILDREN, ISOLATE_AFTER, PARK_AFTER, Settings, Worker, failed, name_of, parked
from shared.errors import BrokerUnavailable
from shared.model import Attempt, Handler, Item, Message, Place, Send
from shared.split import by_destination
from tests.contract.harness import PATIENCE, take, until
from tests.support.messages import make_item, make_message, to

SETTINGS = Settings(concurrency=10, timeout=PATIENCE)
NOW = 1_700_000_000.0


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("failures", range(PARK_AFTER - 1))
def test_a_failure_climbs_the_ladder_of_its_stage(stage: Stage, failures: int) -> None:
    """Ever longer pauses, up to the longest step, always back to the same stage."""
    message = make_message(msgspec.structs.replace(make_item(), failures=failures, attempt=failures))
    send = failed(stage, message, ValueError("bad\nluck"), NOW)
    item = send.message.item
    assert send.place == COMES_BACK_TO[stage]
    assert item.not_before == NOW + STEPS[min(failures, len(STEPS) - 1)][1]
    assert (item.failures, item.attempt) == (failures + 1, failures + 1)
    assert (item.history[-1].at, item.history[-1].stage) == (NOW, stage)
    assert send.message.content is message.content


@pytest.mark.parametrize("stage", list(Stage))
def test_the_tenth_failure_parks(stage: Stage) -> None:
    """With the reason in one line and no delay."""
    item = msgspec.structs.replace(make_item(), failures=PARK_AFTER - 1, not_before=NOW)
    send = failed(stage, make_message(item), KeyError("x"), NOW)
    assert send.place is Place.DEAD
    assert send.message.item.reason == f"failed 10 times in {stage}, last: KeyError: 'x'"
    assert send.message.item.not_before is None
    assert send.message.item.failures == PARK_AFTER


def test_a_failure_keeps_in_mind_how_often_the_item_came_back() -> None:
    """Until a result, or another stage: then it is forgotten."""
    lost = failed(Stage.SCREEN, make_message(), ValueError("x"), NOW, ISOLATE_AFTER).message.item
    assert lost.lost == ISOLATE_AFTER
    assert lost.tried(Attempt(at=NOW, stage="screen", text="waits")).lost == 0
    assert {item.lost for item in by_destination(lost)} == {0}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("x"), "ValueError: x"),
        (TimeoutError(), "TimeoutError"),
        (ValueError("x" * 1000), "ValueError: " + "x" * 488),
        (ValueError("two\r\nlines"), "ValueError: two lines"),
    ],
)
def test_the_error_stands_in_the_history_in_one_line(error: Exception, text: str) -> None:
    """Bounded: it travels with the item."""
    send = failed(Stage.SCREEN, make_message(), error, NOW)
    assert send.message.item.history[-1].text == text


def test_parked_is_due_at_once() -> None:
    """A parked item waits for people, not for a time."""
    message = make_message(make_item(not_before=NOW))
    assert parked(message, "why") == Send(
        Place.DEAD, Message(msgspec.structs.replace(message.item, reason="why", not_before=None), message.content)
    )


_LATER = make_message(make_item(not_before=NOW))


@pytest.mark.parametrize(
    ("stage", "sends", "name"),
    [
        (Stage.SCREEN, [], "done"),
        (Stage.SCREEN, [to(Place.DELIVER)], "passed on"),
        (Stage.SCREEN, [to(Place.SCREEN, _LATER)], "deferred"),
        (Stage.SCREEN, [to(Place.SCREEN)], "passed on"),
        (Stage.SCREEN, [to(Place.REDELIVER, _LATER)], "passed on"),
        (Stage.SCREEN, [to(Place.QUARANTINE)], "passed on"),
        (Stage.DELIVER, [to(Place.REDELIVER, _LATER)], "deferred"),
        (Stage.DELIVER, [to(Place.REDELIVER, _LATER), to(Place.REDELIVER)], "passed on"),
        (Stage.DELIVER, [to(Place.REDELIVER), to(Place.DEAD)], "parked"),
    ],
)
def test_names_of_results(stage: Stage, sends: list[Send], name: str) -> None:
    """The label of the metric."""
    assert name_of(stage, sends) == name


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[SqliteBroker]:
    """An empty embedded broker that takes bodies up to 100 kB."""
    opened = await open_broker(tmp_path / "queue.db", Options(max_octets=100_000))
    yield opened
    await opened.close()


@pytest.fixture
async def operator(broker: SqliteBroker, tmp_path: Path) -> AsyncIterator[SqliteOperator]:
    """An operator of the same file."""
    opened = await open_operator(tmp_path / "queue.db")
    yield opened
    await opened.close()


@contextlib.asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[None]:
    """Run a worker; drained at the end."""
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        await worker.drain(PATIENCE)
        await running


def ready(operator: SqliteOperator, expected: dict[str, int]) -> Callable[[], Awaitable[bool]]:
    """Return a condition: these are the queues that hold something, and how much."""

    async def reached() -> bool:
        return {each.queue: each.ready for each in await operator.depths() if each.ready or each.unsettled} == expected

    return reached


class Tracing:
    """A broker that keeps a diary of another: what was begun and what had ended, in order."""

    def __init__(self, broker: SqliteBroker) -> None:
        self._broker = broker
        self.diary: list[str] = []
        self.before_ack: Callable[[], Awaitable[None]] | None = None
        self.taken: Callable[[], Awaitable[None]] | None = None

    async def publish(self, sends: Sequence[Send]) -> None:
        self.diary.append("publish")
        await self._broker.publish(sends)
        self.diary.append("durable")

    async def park(self, body: bytes, reason: str) -> None:
        self.diary.append("park")
        await self._broker.park(body, reason)
        self.diary.append("durable")

    def trouble(self) -> str | None:
        return self._broker.trouble()

    async def subscribe(self, queue: str, prefetch: int) -> Subscription:
        return TracingSubscription(await self._broker.subscribe(queue, prefetch), self)

    def slots(self) -> Slots:
        return self._broker.slots()

    async def close(self) -> None:
        await self._broker.close()


class TracingSubscription:
    def __init__(self, subscription: Subscription, tracing: Tracing) -> None:
        self._subscription = subscription
        self._tracing = tracing

    async def __aiter__(self) -> AsyncIterator[Received]:
        async for received in self._subscription:
            if self._tracing.taken is not None:
                await self._tracing.taken()
            yield TracingReceived(received, self._tracing)

    @property
    def prefetch(self) -> int:
        return self._subscription.prefetch

    async def allow(self, prefetch: int) -> None:
        await self._subscription.allow(prefetch)

    async def cancel(self) -> None:
        await self._subscription.cancel()


class TracingReceived:
    def __init__(self, received: Received, tracing: Tracing) -> None:
        self._received = received
        self._tracing = tracing

    @property
    def body(self) -> bytes:
        return self._received.body

    @property
    def returns(self) -> int:
        return self._received.returns

    @property
    def lost(self) -> bool:
        return self._received.lost

    async def ack(self) -> None:
        self._tracing.diary.append("ack")
        if self._tracing.before_ack is not None:
            await self._tracing.before_ack()
        await self._received.ack()

    async def release(self) -> None:
        self._tracing.diary.append("release")
        await self._received.release()


def returning(sends: Callable[[Message], Sequence[Send]]) -> Handler:
    """Return a handler with this result."""

    async def handler(message: Message) -> Sequence[Send]:
        return sends(message)

    return handler


async def test_durable_first_then_acknowledged(broker: SqliteBroker, operator: SqliteOperator) -> None:
    """The one order that loses nothing at any crash."""
    tracing = Tracing(broker)
    await broker.publish([to(Place.SCREEN)])
    async with working(Worker(tracing, Stage.SCREEN, returning(lambda m: [to(Place.DELIVER, m)]), SETTINGS)):
        await until(ready(operator, {Place.DELIVER: 1}), "it is passed on")
    assert tracing.diary == ["publish", "durable", "ack"]


async def test_undecodable_is_parked_then_acknowledged(broker: SqliteBroker, operator: SqliteOperator) -> None:
    """The same order for what is no message."""
    tracing = Tracing(broker)
    await put(broker, Place.SCREEN, b"garbage")
    async with working(Worker(tracing, Stage.SCREEN, returning(lambda _: []), SETTINGS)):
        await until(ready(operator, {Place.DEAD: 1}), "it is parked")
    assert tracing.diary == ["park", "durable", "ack"]


async def test_cancelled_while_acknowledging_it_is_not_released_too(broker: SqliteBroker) -> None:
    """A second settlement closes the channel on RabbitMQ, and with it whatever else is in hand."""
    tracing = Tracing(broker)
    hang = asyncio.Event()

    async def never() -> None:
        hang.set()
        await asyncio.Event().wait()

    tracing.before_ack = never
    await broker.publish([to(Place.SCREEN)])
    worker = Worker(tracing, Stage.SCREEN, returning(lambda m: [to(Place.DELIVER, m)]), SETTINGS)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(PATIENCE):
        await hang.wait()
        await worker.drain(0)
        await running
    assert tracing.diary == ["publish", "durable", "ack"]


async def test_cancelled_in_the_handler_it_is_released(broker: SqliteBroker, operator: SqliteOperator) -> None:
    """Drain with no time left."""
    tracing = Tracing(broker)
    begun = asyncio.Event()

    async def endless(_: Message) -> Sequence[Send]:
        begun.set()
        await asyncio.Event().wait()
        return []

    await broker.publish([to(Place.SCREEN)])
    worker = Worker(tracing, Stage.SCREEN, endless, SETTINGS)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        await worker.drain(0)
        await running
    assert tracing.diary == ["release"]
    assert await ready(operator, {Place.SCREEN: 1})()


async def test_drain_hands_back_what_waits_for_a_full_queue(tmp_path: Path) -> None:
    """The result is not durable, so the item must stay on its queue."""
    path = tmp_path / "queue.db"
    full = await open_broker(path, Options(reserve=2**62))  # refuses new mail, as a full disk does
    other = await open_broker(path)
    await other.publish([to(Place.DELIVER)])
    handled = asyncio.Event()

    async def send_to_full(message: Message) -> Sequence[Send]:
        handled.set()
        return [to(Place.SCREEN, message)]

    worker = Worker(full, Stage.DELIVER, send_to_full, SETTINGS)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(PATIENCE):
        await handled.wait()
        await worker.drain(0.2)
        await running
    (received,) = await take(other, Place.DELIVER, 1)
    assert received.returns == 1
    await full.close()
    await other.close()


async def test_drain_before_run_takes_nothing(broker: SqliteBroker, operator: SqliteOperator) -> None:
    """SIGTERM may come while the stage is starting."""
    await broker.publish([to(Place.SCREEN)])
    worker = Worker(broker, Stage.SCREEN, returning(lambda _: []), SETTINGS)
    async with asyncio.timeout(PATIENCE):
        await worker.drain(1)
        await worker.run()
    await until(ready(operator, {Place.SCREEN: 1}), "it is on its queue")


async def test_handed_out_but_not_begun_is_finished_by_drain(broker: SqliteBroker, operator: SqliteOperator) -> None:
    """At whatever point of the hand-over drain comes, every item is either done or on its queue."""
    done: list[str] = []

    async def handler(message: Message) -> Sequence[Send]:
        done.append(message.item.id)
        return []

    for round_number in range(20):
        await broker.publish([to(Place.SCREEN)])
        worker = Worker(broker, Stage.SCREEN, handler, SETTINGS)
        running = asyncio.create_task(worker.run())
        for _ in range(round_number * 3):
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await worker.drain(PATIENCE)
            await running
        assert not worker._tasks
        depth = {each.queue: each for each in await operator.depths()}[Place.SCREEN]
        assert (depth.ready, depth.unsettled) == (round_number + 1 - len(done), 0)
    assert len(done) == len(set(done))


async def test_drain_waits_for_what_is_being_handed_over(broker: SqliteBroker, operator: SqliteOperator) -> None:
    """Taken from the subscription, not yet begun: cancel could not hand it back, so drain must not overlook it."""
    tracing = Tracing(broker)
    taken, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        taken.set()
        await go_on.wait()

    tracing.taken = slowly
    await broker.publish([to(Place.SCREEN)])
    worker = Worker(tracing, Stage.SCREEN, returning(lambda m: [to(Place.DELIVER, m)]), SETTINGS)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(PATIENCE):
        await taken.wait()
        draining = asyncio.create_task(worker.drain(PATIENCE))
        await asyncio.sleep(0.05)  # long enough for a drain that waits for nothing
        go_on.set()
        await draining
        await running
    assert tracing.diary == ["publish", "durable", "ack"]
    assert await ready(operator, {Place.DELIVER: 1})()


async def test_ten_failures_in_a_row_then_parked(broker: SqliteBroker, operator: SqliteOperator) -> None:
    """The whole climb, on a clock that leaps over each pause."""
    message = make_message()
    await broker.publish([to(Place.SCREEN, message)])
    times = itertools.count(int(time.time()) - 1_000_000, 20_000)
    calls: list[Item] = []

    async def fail(message: Message) -> Sequence[Send]:
        calls.append(message.item)
        raise ValueError(len(calls))

    async with working(Worker(broker, Stage.SCREEN, fail, SETTINGS, clock=lambda: float(next(times)))):
        await until(ready(operator, {Place.DEAD: 1}), "it is parked")
    (kept,) = [each async for each in operator.kept([Place.DEAD])]
    assert kept.message is not None
    assert [item.failures for item in calls] == list(range(PARK_AFTER))
    assert kept.reason == "failed 10 times in screen, last: ValueError: 10"
    texts = [attempt.text for attempt in kept.message.item.history]
    assert texts == ["ValueError: 1", "ValueError: 8", "ValueError: 9", "ValueError: 10"]


async def test_too_large_to_pass_on_is_a_failure_of_the_handler(broker: SqliteBroker, operator: SqliteOperator) -> None:
    """No retry makes it smaller; the item goes the way of every failure, and the next one flows."""
    await broker.publish([to(Place.SCREEN)])

    def blow_up(message: Message) -> Sequence[Send]:
        return [Send(Place.DELIVER, Message(message.item, b"x" * 200_000))]

    async with working(Worker(broker, Stage.SCREEN, returning(blow_up), SETTINGS)):
        await until(ready(operator, {"mail.screen.wait.5s": 1}), "it is on the ladder")


async def test_not_to_be_encoded_is_a_failure_of_the_handler(broker: SqliteBroker, operator: SqliteOperator) -> None:
    """Surrogates from a careless decode, say: the item is not spun round at full speed."""
    await broker.publish([to(Place.SCREEN)])

    def spoil(message: Message) -> Sequence[Send]:
        item = msgspec.structs.replace(message.item, reason="\udc80")
        return [Send(Place.DELIVER, Message(item, message.content))]

    async with working(Worker(broker, Stage.SCREEN, returning(spoil), SETTINGS)):
        await until(ready(operator, {"mail.screen.wait.5s": 1}), "it is on the ladder")


async def test_a_handler_over_its_time_is_a_failure(broker: SqliteBroker, operator: SqliteOperator) -> None:
    """A hung destination must not keep an item for ever."""
    await broker.publish([to(Place.DELIVER)])

    async def endless(_: Message) -> Sequence[Send]:
        await asyncio.Event().wait()
        return []

    async with working(Worker(broker, Stage.DELIVER, endless, Settings(concurrency=1, timeout=0.05))):
        await until(ready(operator, {"mail.deliver.wait.5s": 1}), "it is on the ladder")


async def test_not_yet_due_is_sent_on_waiting_unhandled(broker: SqliteBroker, operator: SqliteOperator) -> None:
    """A ladder step shorter than the wait brings it back early (BROKER.md 6)."""
    early = make_message(make_item(not_before=time.time() + 5000))
    handled: list[Message] = []

    async def note(message: Message) -> Sequence[Send]:
        handled.append(message)
        return []

    await put(broker, Place.DELIVER, wire.encode(early))
    async with working(Worker(broker, Stage.DELIVER, note, SETTINGS)):
        await until(ready(operator, {"mail.deliver.wait.1h": 1}), "it waits")
    assert handled == []


async def put(broker: SqliteBroker, queue: str, body: bytes) -> None:
    """Put any octets on a queue, due now."""
    row = store.Row(queue, 0.0, "", body)
    await broker.run(lambda connection: store.put(connection, [row]))


async def test_a_handler_that_cancels_itself_does_not_end_the_stage(
    broker: SqliteBroker, operator: SqliteOperator
) -> None:
    """A library's stray CancelledError: the item comes back and is counted, the others flow."""
    bad, good = make_message(), make_message()
    await broker.publish([to(Place.SCREEN, bad), to(Place.SCREEN, good)])
    calls: list[Item] = []

    async def handler(message: Message) -> Sequence[Send]:
        if message.item.id == bad.item.id:
            calls.append(message.item)
            raise asyncio.CancelledError
        return [to(Place.DELIVER, message)]

    async with working(Worker(broker, Stage.SCREEN, handler, SETTINGS)):
        await until(ready(operator, {Place.DELIVER: 1, Place.DEAD: 1}), "one flows, one is parked")
    assert len(calls) == PARK_AFTER


async def test_few_isolated_items_are_handled_at_a_time(broker: SqliteBroker, operator: SqliteOperator) -> None:
    """Each is alone in its child; a slow one does not hold up what waits behind it."""
    items = CHILDREN + 2
    await broker.publish([to(Place.SCREEN) for _ in range(items)])
    for _ in range(ISOLATE_AFTER):
        other = await broker.subscribe(Place.SCREEN, items)
        taken = [await anext(aiter(other)) for _ in range(items)]
        await other.cancel()
        await asyncio.gather(*(received.release() for received in taken))
    at_a_time: list[int] = []
    running = 0
    full = asyncio.Event()

    async def isolated(_: Message) -> Sequence[Send]:
        nonlocal running
        running += 1
        at_a_time.append(running)
        if running == CHILDREN:
            full.set()
        await full.wait()
        for _turn in range(1000):  # in which one more would begin, if it could
            await asyncio.sleep(0)
        running -= 1
        return []

    async with working(Worker(broker, Stage.SCREEN, returning(lambda _: []), SETTINGS, isolated=isolated)):
        await until(ready(operator, {}), "all are done")
    assert max(at_a_time) == CHILDREN


async def test_what_was_lost_meanwhile_is_not_published(broker: SqliteBroker, operator: SqliteOperator) -> None:
    """It is another worker's by now: two results would be a needless duplicate."""
    await broker.publish([to(Place.SCREEN)])
    other = await open_broker(operator._path)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handler(message: Message) -> Sequence[Send]:
        begun.set()
        await go_on.wait()
        return [to(Place.DELIVER, message)]

    worker = Worker(other, Stage.SCREEN, handler, SETTINGS)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        await other.close()
        go_on.set()
        await worker.drain(PATIENCE)
        await running
    assert await ready(operator, {Place.SCREEN: 1})()
    with pytest.raises(BrokerUnavailable):
        await other.publish([to(Place.SCREEN)])


def test_every_stage_has_its_queues() -> None:
    """A stage without a fresh queue would idle unseen."""
    assert {stage: queues[0] for stage, queues in WORK.items()} == {
        Stage.SCREEN: Place.SCREEN,
        Stage.DELIVER: Place.DELIVER,
    }


@pytest.mark.parametrize(("size", "at_once"), [(10, 200), (10_000, 50)])
async def test_many_small_items_are_in_hand_and_few_large_ones(broker: SqliteBroker, size: int, at_once: int) -> None:
    """What is in memory is bounded in octets, not only in messages."""
    in_hand: list[Message] = []
    go_on = asyncio.Event()

    async def handler(message: Message) -> Sequence[Send]:
        in_hand.append(message)
        await go_on.wait()
        return []

    await broker.publish([to(Place.DELIVER, make_message(content=b"x" * size)) for _ in range(300)])
    settings = Settings(concurrency=200, timeout=PATIENCE, octets=400_000)
    async with working(Worker(broker, Stage.DELIVER, handler, settings)):
        await until(lambda: len(in_hand) == at_once, "as many as may be are in hand")
        await asyncio.sleep(0.1)
        assert len(in_hand) == at_once
        go_on.set()
        await until(lambda: len(in_hand) == 300, "the others follow")
