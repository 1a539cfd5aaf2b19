"""`sluice queue flush|hold|resume` on every broker: what waits is made due, held, let go; nothing is lost."""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from shared import wire
from shared.broker.topology import STEPS, User, twin
from shared.broker.waiting import (
    HELD,
    LATER,
    WAITING,
    Follows,
    concerns,
    held,
    held_as_new,
    made_due,
    resumed,
    revived,
    sweep,
)
from shared.errors import BrokerError
from shared.ids import new_id
from shared.model import Action, Attempt, Message, Place, Send, Verdict
from tests.contract.harness import Harness, take, until
from tests.support.messages import make_item, make_message, to
from tests.support.processes import ROOT

PASSED = Verdict(action=Action.PASS, at=1.0)
MANY = 60


def waiting(wait: float = 7200.0, content: bytes = b"Subject: x\r\n\r\n", **changes: Any) -> Message:
    """Return a message that was tried, and is to be tried again so many seconds from now."""
    fields: dict[str, Any] = {
        "id": new_id(time.time()),
        "verdict": PASSED,
        "split": 1,
        "attempt": 3,
        "destination": "example.org",
        "history": (Attempt(at=1.0, stage="deliver", text="450 4.2.0 later"),),
        "not_before": time.time() + wait,
    }
    return make_message(msgspec.structs.replace(make_item(), **(fields | changes)), content)


async def put(harness: Harness, messages: Sequence[Message]) -> None:
    """Put messages where delivery puts them."""
    broker = await harness.open(User.DELIVERY)
    await broker.publish([to(Place.REDELIVER, message) for message in messages])


async def flush(harness: Harness, *domains: str, count: int) -> None:
    """Do what `sluice queue flush` does, and find so many messages to make due."""
    began = time.time()
    await go_through(harness, count, lambda each: made_due(each, began) if concerns(each.item, domains) else None)


async def go_through(harness: Harness, count: int, follows: Follows) -> None:
    """Go through what waits until so many are replaced: a quorum queue has not back at once what was looked at."""
    operator = await harness.operator()
    replaced = 0

    async def done() -> bool:
        nonlocal replaced
        replaced += await sweep(operator, LATER, follows)
        return replaced >= count

    await until(done, f"{count} replaced")
    assert replaced == count


async def due(harness: Harness, count: int) -> list[Message]:
    """Return so many messages that are ready for delivery now, without settling them."""
    broker = await harness.open(User.DELIVERY)
    return [wire.decode(each.body) for each in await take(broker, Place.REDELIVER, count)]


async def on_the_ladder(harness: Harness) -> int:
    """Return how many wait."""
    operator = await harness.operator()
    now = time.time()
    found = [kept.message async for kept in operator.kept(LATER)]
    return sum(each is not None and (each.item.not_before or 0) > now for each in found)


async def until_waiting(harness: Harness, count: int) -> None:
    """Wait until so many are on the ladder: a quorum queue takes a moment to have back what was looked at."""

    async def reached() -> bool:
        return await on_the_ladder(harness) == count

    await until(reached, f"{count} on the ladder")


async def test_everything_that_waits_is_made_due(harness: Harness) -> None:
    """From every step, in its whole; a large one keeps its own queue."""
    small = [waiting(seconds * 1.5, attempt=number) for number, (_, seconds) in enumerate(STEPS[2:])]
    large = waiting(content=b"x" * 78 + b"\r\n" * 1_000_000)
    await put(harness, [*small, large])
    await flush(harness, count=len(small) + 1)
    found = {message.item.id: message for message in await due(harness, len(small))}
    (body,) = [each.body for each in await take(await harness.open(User.DELIVERY), twin(Place.REDELIVER), 1)]
    found[large.item.id] = wire.decode(body)
    for message in (*small, large):
        expected = msgspec.structs.replace(
            message.item, not_before=None, flushed_at=found[message.item.id].item.flushed_at
        )
        assert found[message.item.id] == Message(expected, message.content)
    await until_waiting(harness, 0)


async def test_only_the_domains_that_are_named(harness: Harness) -> None:
    names = ["example.org", "sub.example.org", "example.net", "notexample.org"]
    await put(harness, [waiting(destination=name) for name in names])
    await flush(harness, "example.org", count=1)
    await flush(harness, ".example.org", count=1)
    assert {message.item.destination for message in await due(harness, 2)} == {"example.org", "sub.example.org"}
    await until_waiting(harness, 2)


async def test_what_was_tried_since_the_job_began_has_had_its_turn(harness: Harness) -> None:
    """Or a job would meet what fails again, and go on for ever."""
    tried = Attempt(at=time.time() + 60, stage="deliver", text="450 4.2.0 later")
    await put(harness, [waiting(history=(tried,)), waiting()])
    await flush(harness, count=1)
    await until_waiting(harness, 1)


async def test_killed_in_the_middle_it_loses_nothing(harness: Harness) -> None:
    """Begun again it goes on; what was on its way at that instant may be there twice, where the broker has no step."""
    messages = [waiting() for _ in range(MANY)]
    await put(harness, messages)
    address = harness.operator_address
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.flushing", address, str(MANY // 2), cwd=ROOT
    )
    assert await child.wait() == -9

    await go_on(harness)
    assert await ready(harness, MANY) == {message.item.id for message in messages}


async def test_with_the_broker_lost_in_the_middle_it_loses_nothing(harness: Harness) -> None:
    """The job fails with the broker's error, and begun again it goes on."""
    messages = [waiting() for _ in range(MANY)]
    await put(harness, messages)
    operator, began, halfway, seen = await harness.operator(), time.time(), asyncio.Event(), 0

    def follows(message: Message) -> list[Send] | None:
        nonlocal seen
        seen += 1
        if seen == MANY // 2:
            halfway.set()
        return made_due(message, began)

    job = asyncio.create_task(sweep(operator, LATER, follows))
    await halfway.wait()
    await harness.stop()
    (ended,) = await asyncio.gather(job, return_exceptions=True)
    assert isinstance(ended, (BrokerError, int)), ended
    await harness.start()
    await go_on(harness)
    assert await ready(harness, MANY) == {message.item.id for message in messages}


async def go_on(harness: Harness) -> None:
    """Run the job again, on a new connection, until nothing waits."""
    operator = await harness.operator()

    async def done() -> bool:
        await sweep(operator, LATER, lambda message: made_due(message, time.time()))
        return await on_the_ladder(harness) == 0

    await until(done, "nothing waits")


async def ready(harness: Harness, count: int) -> set[str]:
    """Return the ids of what is ready, once there are so many of them: some may be there twice."""
    found: set[str] = set()
    subscription = await (await harness.open(User.DELIVERY)).subscribe(Place.REDELIVER, 1000)
    async with asyncio.timeout(60):
        async for received in subscription:
            found.add(wire.decode_item(received.body).id)
            if len(found) == count:
                break
    return found


async def test_interrupted_it_finishes_what_it_began(harness: Harness) -> None:
    """Neither lost nor twice, and the rest is where it was."""
    await put(harness, [waiting() for _ in range(MANY)])
    began, moved = time.time(), 0
    operator = await harness.operator()

    def follows(message: Message) -> list[Send] | None:
        nonlocal moved
        moved += 1
        if moved == MANY // 2:
            job.cancel()
        return made_due(message, began)

    job = asyncio.create_task(sweep(operator, LATER, follows))
    with pytest.raises(asyncio.CancelledError):
        await job
    assert MANY // 2 <= moved < MANY
    await until_waiting(harness, MANY - moved)
    await flush(harness, count=MANY - moved)
    assert len({message.item.id for message in await due(harness, MANY)}) == MANY
    assert await harness.depth(Place.REDELIVER) == 0


async def test_held_mail_waits_until_it_is_resumed(harness: Harness) -> None:
    fresh = waiting(not_before=None, attempt=0, history=())
    await (await harness.open(User.SCREENER)).publish([to(Place.DELIVER, fresh)])
    await put(harness, [waiting()])
    operator = await harness.operator()
    assert await sweep(operator, WAITING, held) == 2
    await go_through(harness, 0, held)
    await flush(harness, count=0)
    await until_waiting(harness, 2)
    now = time.time()
    await go_through(harness, 2, lambda message: resumed(message, now))
    found = await due(harness, 2)
    assert {(m.item.not_before, m.item.hold_until, m.item.released_at) for m in found} == {(None, now, now)}


async def test_what_is_parked_goes_on_where_it_was(harness: Harness) -> None:
    """The stage that parked it has it again; nothing is left behind."""
    judged, fresh = waiting(reason="why", failures=10), waiting(reason="why", verdict=None, lost=10)
    broker = await harness.open(User.DELIVERY)
    await broker.publish([to(Place.DEAD, message) for message in (judged, fresh)])
    operator, now = await harness.operator(), time.time()
    assert await sweep(operator, [Place.DEAD], lambda message: revived(message, now)) == 2
    (found,) = await due(harness, 1)
    (other,) = await take(await harness.open(User.SCREENER), Place.SCREEN, 1)
    assert [found.item.id, wire.decode_item(other.body).id] == [judged.item.id, fresh.item.id]
    assert (found.item.failures, found.item.lost, found.item.reason, found.item.released_at) == (0, 0, None, now)
    assert await harness.depth(Place.DEAD) == 0


NOW = 1000.0


@pytest.mark.parametrize(
    ("changes", "moves"),
    [
        ({"not_before": NOW + 1}, True),
        ({"not_before": NOW}, False),
        ({"not_before": None}, False),
        ({"not_before": NOW + 1, "hold_until": NOW + 1}, False),
        ({"not_before": NOW + 1, "hold_until": NOW - 1}, True),
        ({"not_before": HELD, "hold_until": HELD}, False),
        ({"not_before": NOW + 1, "history": (Attempt(at=NOW, stage="deliver", text="x"),)}, False),
        ({"not_before": NOW + 1, "history": ()}, True),
        ({"not_before": NOW + 1, "flushed_at": NOW - 1}, True),
        ({"not_before": NOW + 1, "flushed_at": NOW}, False),
    ],
)
def test_what_is_made_due(changes: dict[str, Any], moves: bool) -> None:
    message = waiting(**changes)
    sends = made_due(message, NOW)
    assert (sends is not None) is moves
    if sends is not None:
        (send,) = sends
        due = msgspec.structs.replace(message.item, not_before=None, flushed_at=NOW)
        assert send == to(Place.REDELIVER, Message(due, message.content))


@pytest.mark.parametrize(
    ("domains", "ids", "meant"),
    [
        ((), (), True),
        (("example.org",), (), True),
        (("example.net",), (), False),
        ((".org",), (), True),
        ((".example.org",), (), False),
        (("xample.org", "e.org", "org"), (), False),
        (("example.net", "example.org"), (), True),
        ((), ("the-id",), True),
        (("example.net",), ("the-id",), True),
        (("example.org",), ("another",), True),
        ((), ("another",), False),
    ],
)
def test_what_is_meant(domains: tuple[str, ...], ids: tuple[str, ...], meant: bool) -> None:
    assert concerns(waiting(id="the-id").item, domains, ids) is meant
    assert concerns(waiting(id="the-id", destination=None).item, domains, ids) is meant


@pytest.mark.parametrize(
    ("named", "changes", "keeps"),
    [
        ((), {}, False),
        (("example.org",), {}, True),
        (("example.net", ".org"), {}, True),
        (("*",), {}, True),
        (("example.net", ".example.org"), {}, False),
        (("example.org",), {"destination": None}, True),
        (("example.org",), {"attempt": 1}, False),
        (("example.org",), {"flushed_at": 1.0}, False),
        (("example.org",), {"hold_until": HELD}, False),
    ],
)
def test_what_is_held_as_new(named: tuple[str, ...], changes: dict[str, Any], keeps: bool) -> None:
    """What was tried is not new, nor what an operator has let go."""
    fresh: dict[str, Any] = {"attempt": 0, "history": (), "not_before": None}
    message = waiting(**(fresh | changes))
    sends = held_as_new(message, named)
    assert (sends is not None) is keeps
    if sends is not None:
        kept = msgspec.structs.replace(message.item, hold_until=HELD, not_before=HELD)
        assert sends == [to(Place.REDELIVER, Message(kept, message.content))]
