"""The worker loop on every broker: durable first, then acknowledged; what fails is counted, retried, parked."""

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import msgspec

from shared import wire
from shared.broker.port import Broker
from shared.broker.topology import COMES_BACK_TO, WORK, Stage, User, wait_queue
from shared.broker.worker import ISOLATE_AFTER, PARK_AFTER, Settings, Worker
from shared.clock import Clock, wall_clock
from shared.model import Handler, Item, Message, Place, Send
from tests.contract.harness import PATIENCE, Harness, take, until, until_depth
from tests.support.messages import make_item, make_message, to

SETTINGS = Settings(concurrency=50, timeout=PATIENCE)
USER = {Stage.SCREEN: User.SCREENER, Stage.DELIVER: User.DELIVERY}


@contextlib.asynccontextmanager
async def working(
    broker: Broker, stage: Stage, handler: Handler, *, isolated: Handler | None = None, clock: Clock = wall_clock
) -> AsyncIterator[Worker]:
    """Run a worker; drained at the end."""
    worker = Worker(broker, stage, handler, SETTINGS, isolated=isolated, clock=clock)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await worker.drain(PATIENCE)
        await running


def leaping_clock() -> Clock:
    """Return a clock that is always far behind the broker's, and each time past the longest ladder step."""
    times = itertools.count(int(time.time()) - 1_000_000, 20_000)
    return lambda: float(next(times))


async def pass_on(message: Message) -> Sequence[Send]:
    """Do what the screener does to clean mail."""
    return [Send(Place.DELIVER, message)]


async def fail(message: Message) -> Sequence[Send]:
    """Fail, always."""
    raise ValueError(f"no luck with {len(message.content)} octets")


async def finish(_: Message) -> Sequence[Send]:
    """Be done."""
    return []


async def put(harness: Harness, queue: str, message: Message) -> None:
    """Put a message on a queue, whoever may publish to it."""
    await harness.put(queue, wire.encode(message))


async def dead(harness: Harness) -> list[Item]:
    """Return the items parked in mail.dead."""
    operator = await harness.operator()
    try:
        return [each.message.item async for each in operator.kept([Place.DEAD]) if each.message is not None]
    finally:
        await operator.close()


async def test_what_follows_is_on_its_queue_and_the_item_gone(harness: Harness) -> None:
    """One message in, one out."""
    message = make_message()
    await put(harness, Place.SCREEN, message)
    async with working(await harness.open(User.SCREENER), Stage.SCREEN, pass_on):
        await until_depth(harness, Place.DELIVER, 1)
    (received,) = await take(await harness.open(User.DELIVERY), Place.DELIVER, 1)
    assert wire.decode(received.body) == message
    await until_depth(harness, Place.SCREEN, 0)


async def test_nothing_is_acknowledged_while_what_follows_is_not_durable(harness: Harness) -> None:
    """The broker goes away between the handler's result and its publish, and the worker dies: the item is there."""
    message = make_message()
    await put(harness, Place.SCREEN, message)
    handled = asyncio.Event()

    async def break_the_broker(message: Message) -> Sequence[Send]:
        await harness.stop()
        handled.set()
        return [Send(Place.DELIVER, message)]

    screener = await harness.open(User.SCREENER)
    worker = Worker(screener, Stage.SCREEN, break_the_broker, SETTINGS)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(PATIENCE):
        await handled.wait()
    dying = [running, *worker._tasks]
    for task in dying:
        task.cancel()
    await harness.start()
    await harness.restart()
    await asyncio.gather(*dying, return_exceptions=True)
    await screener.close()  # as the death of its process would: a subscription that survives must not take it again
    (received,) = await take(await harness.open(User.SCREENER), Place.SCREEN, 1)
    assert wire.decode(received.body) == message


async def test_outage_between_result_and_publish_is_waited_for(harness: Harness) -> None:
    """A worker that lives on delivers the result after the outage, once or more, never less."""
    await put(harness, Place.SCREEN, make_message())
    calls = itertools.count(1)
    stopped = asyncio.Event()

    async def break_the_broker_once(message: Message) -> Sequence[Send]:
        if next(calls) == 1:
            await harness.stop()
            stopped.set()
        return [Send(Place.DELIVER, message)]

    async with working(await harness.open(User.SCREENER), Stage.SCREEN, break_the_broker_once):
        async with asyncio.timeout(PATIENCE):
            await stopped.wait()
        await harness.start()

        async def passed_on() -> bool:
            return await harness.depth(Place.DELIVER) >= 1 and await harness.depth(Place.SCREEN) == 0

        await until(passed_on, "the result is durable and the item gone")


async def test_failures_are_retried_by_their_own_stage(harness: Harness) -> None:
    """A failure goes to the stage's own ladder with a counter, and comes back to that stage, five seconds later."""
    messages = {stage: make_message() for stage in Stage}
    for stage, message in messages.items():
        await put(harness, WORK[stage][0], message)
    brokers = {stage: await harness.open(USER[stage]) for stage in Stage}
    async with (
        working(brokers[Stage.SCREEN], Stage.SCREEN, fail),
        working(brokers[Stage.DELIVER], Stage.DELIVER, fail),
    ):
        for stage in Stage:
            await until_waiting(harness, wait_queue(stage, "5s"), 1)
    for stage, message in messages.items():
        (received,) = await take(brokers[stage], COMES_BACK_TO[stage], 1)
        item = wire.decode_item(received.body)
        assert (item.id, item.failures, item.attempt) == (message.item.id, 1, 1)
        assert item.history[0].text == f"ValueError: no luck with {len(message.content)} octets"
        assert item.not_before is not None
        assert item.not_before <= time.time()


async def until_waiting(harness: Harness, queue: str, count: int) -> None:
    """Wait until an operator sees `count` in a ladder queue."""
    operator = await harness.operator()

    async def reached() -> bool:
        return {each.queue: each.ready for each in await operator.depths()}[queue] == count

    await until(reached, f"{count} in {queue}")


async def test_what_keeps_failing_is_parked_with_its_history(harness: Harness) -> None:
    """The tenth time people look at it; other items are not held up.

    Its last retry is due long before it is published, as after an outage: that too comes back to its stage.
    """
    item = msgspec.structs.replace(make_item(), failures=PARK_AFTER - 2, attempt=PARK_AFTER - 2)
    message = make_message(item)
    await put(harness, Place.SCREEN, message)
    calls: Counter[str] = Counter()

    async def fail_one(given: Message) -> Sequence[Send]:
        calls[given.item.id] += 1
        return await (fail(given) if given.item.id == message.item.id else pass_on(given))

    async with working(await harness.open(User.SCREENER), Stage.SCREEN, fail_one, clock=leaping_clock()):
        await until_depth(harness, Place.DEAD, 1)
        await put(harness, Place.SCREEN, make_message())
        await until_depth(harness, Place.DELIVER, 1)
    (item,) = await dead(harness)
    assert calls[message.item.id] == 2
    assert (item.id, item.failures, item.attempt, item.not_before) == (message.item.id, PARK_AFTER, PARK_AFTER, None)
    assert item.reason is not None
    assert item.reason.startswith("failed 10 times in screen, last: ValueError: no luck")
    assert [attempt.stage for attempt in item.history] == ["screen"] * 2
    assert item.history[0].at < item.history[1].at


async def test_undecodable_body_is_parked_not_crash_looped(harness: Harness) -> None:
    """The handler never sees it, and the next message flows."""
    body = b'{"v":1,"item":{"id":"x"}}\nSubject: half an item\r\n\r\n'
    await harness.put(Place.SCREEN, body)
    message = make_message()
    await put(harness, Place.SCREEN, message)
    async with working(await harness.open(User.SCREENER), Stage.SCREEN, pass_on):
        await until_depth(harness, Place.DEAD, 1)
        await until_depth(harness, Place.DELIVER, 1)
    (kept,) = [each async for each in (await harness.operator()).kept([Place.DEAD])]
    assert (kept.message, kept.body) == (None, body)
    assert kept.reason is not None
    assert "envelope" in kept.reason
    await until_depth(harness, Place.SCREEN, 0)


async def hand_back(harness: Harness, times: int) -> None:
    """Take the one body of mail.screen and release it, as workers that die or drain do."""
    screener = await harness.open(User.SCREENER)
    subscription = await screener.subscribe(Place.SCREEN, 1)
    returned = 0
    async with asyncio.timeout(PATIENCE):
        async for received in subscription:
            if received.returns >= times - 1:
                await received.release()
                break
            returned += 1
            await received.release()
    await subscription.cancel()
    await screener.close()


async def test_what_came_back_three_times_is_handled_in_isolation(harness: Harness) -> None:
    """It may be killing workers: only a child process may die of it."""
    await put(harness, Place.SCREEN, make_message())
    await hand_back(harness, ISOLATE_AFTER)
    alone: list[Message] = []

    async def isolated(message: Message) -> Sequence[Send]:
        alone.append(message)
        return await pass_on(message)

    async with working(await harness.open(User.SCREENER), Stage.SCREEN, fail, isolated=isolated):
        await until_depth(harness, Place.DELIVER, 1)
    assert len(alone) == 1


async def test_what_came_back_ten_times_is_parked_unhandled(harness: Harness) -> None:
    """Not even the child got anywhere with it."""
    message = make_message()
    await put(harness, Place.SCREEN, message)
    await hand_back(harness, PARK_AFTER)
    async with working(await harness.open(User.SCREENER), Stage.SCREEN, pass_on):
        await until_depth(harness, Place.DEAD, 1)
    (item,) = await dead(harness)
    assert item == msgspec.structs.replace(
        message.item, reason=item.reason, history=item.history, attempt=1, lost=item.lost
    )
    assert [attempt.text for attempt in item.history] == [item.reason]
    assert item.reason is not None
    assert item.reason.endswith("times to screen without a result")
    await until_depth(harness, Place.SCREEN, 0)
    await until_depth(harness, Place.DELIVER, 0)


async def test_drain_finishes_what_is_in_hand_and_hands_back_the_rest(harness: Harness) -> None:
    """SIGTERM: what ends in time is passed on, what does not is another worker's."""
    quick, stuck = make_message(), make_message()
    begun: list[str] = []
    go_on = asyncio.Event()

    async def slow(message: Message) -> Sequence[Send]:
        begun.append(message.item.id)
        await (go_on.wait() if message.item.id == quick.item.id else asyncio.Event().wait())
        return await pass_on(message)

    for message in (quick, stuck):
        await put(harness, Place.SCREEN, message)
    worker = Worker(await harness.open(User.SCREENER), Stage.SCREEN, slow, SETTINGS)
    running = asyncio.create_task(worker.run())
    await until(lambda: len(begun) == 2, "both are in hand")
    go_on.set()
    async with asyncio.timeout(PATIENCE):
        await worker.drain(2)
        await running
    await until_depth(harness, Place.SCREEN, 1)
    await until_depth(harness, Place.DELIVER, 1)
    (received,) = await take(await harness.open(User.SCREENER), Place.SCREEN, 1)
    assert (wire.decode_item(received.body).id, received.returns) == (stuck.item.id, 1)


async def test_restart_in_the_middle_of_500_messages_loses_none(harness: Harness) -> None:
    """screen, deliver, and a broker that is killed while both work; duplicates are allowed, loss is not."""
    messages = [make_message() for _ in range(500)]
    arrived: Counter[str] = Counter()

    async def deliver(message: Message) -> Sequence[Send]:
        arrived[message.item.id] += 1
        return []

    await (await harness.open(User.INGRESS)).publish([to(Place.SCREEN, message) for message in messages])
    async with contextlib.AsyncExitStack() as stack:

        async def start() -> None:
            for stage, handler in ((Stage.SCREEN, pass_on), (Stage.DELIVER, deliver)):
                await stack.enter_async_context(working(await harness.open(USER[stage]), stage, handler))

        await start()
        await until(lambda: len(arrived) >= 50, "they are in full flow")
        await harness.restart()
        if not harness.survives_restart:
            await start()
        await until(lambda: len(arrived) == len(messages), "all have arrived")
        await until_depth(harness, Place.SCREEN, 0)
        await until_depth(harness, Place.DELIVER, 0)
    assert set(arrived) == {message.item.id for message in messages}
    assert await dead(harness) == []
