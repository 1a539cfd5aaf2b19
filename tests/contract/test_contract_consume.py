"""What is taken from a queue stays with the broker until it is acknowledged, on every broker."""

import asyncio
import time

from shared import wire
from shared.broker.port import Broker, Received, Subscription
from shared.broker.topology import User
from shared.model import Place
from tests.contract.harness import PATIENCE, Harness, take, until, until_depth
from tests.support.messages import make_item, make_message, to


async def fill(harness: Harness, count: int) -> list[str]:
    """Put `count` messages on mail.screen; return their ids."""
    messages = [make_message() for _ in range(count)]
    await (await harness.open(User.INGRESS)).publish([to(Place.SCREEN, message) for message in messages])
    return [message.item.id for message in messages]


async def collect(subscription: Subscription, into: list[Received]) -> None:
    """Take whatever comes."""
    async for received in subscription:
        into.append(received)  # noqa: PERF401  (a comprehension would add them only when the iteration has ended)


async def test_acknowledged_is_gone(harness: Harness) -> None:
    """Not after a crash either."""
    await fill(harness, 2)
    screener = await harness.open(User.SCREENER)
    first, _second = await take(screener, Place.SCREEN, 2)
    await first.ack()
    await screener.close()
    await until_depth(harness, Place.SCREEN, 1)
    await harness.restart()
    await until_depth(harness, Place.SCREEN, 1)


async def test_unsettled_comes_back_after_a_crash_and_is_counted(harness: Harness) -> None:
    """A worker that dies with an item in hand has not lost it."""
    (message_id,) = await fill(harness, 1)
    screener = await harness.open(User.SCREENER)
    (received,) = await take(screener, Place.SCREEN, 1)
    assert received.returns == 0
    await harness.restart()
    await screener.close()  # where it survived, it may have taken the item again
    (again,) = await take(await harness.open(User.SCREENER), Place.SCREEN, 1)
    assert wire.decode_item(again.body).id == message_id
    assert again.returns >= 1


async def test_settling_what_was_lost_does_nothing(harness: Harness) -> None:
    """The item is another worker's by then."""
    await fill(harness, 1)
    screener = await harness.open(User.SCREENER)
    (received,) = await take(screener, Place.SCREEN, 1)
    await harness.restart()
    await until(lambda: received.lost, "the loss is known")
    await received.ack()
    await received.release()
    await screener.close()
    (again,) = await take(await harness.open(User.SCREENER), Place.SCREEN, 1)
    assert again.body == received.body


async def test_released_comes_back_with_its_returns_counted(harness: Harness) -> None:
    """So that what kills workers is known by its number."""
    (message_id,) = await fill(harness, 1)
    subscription = await (await harness.open(User.SCREENER)).subscribe(Place.SCREEN, 1)
    seen: list[tuple[str, int]] = []
    async with asyncio.timeout(PATIENCE):
        async for received in subscription:
            seen.append((wire.decode_item(received.body).id, received.returns))
            if len(seen) == 4:
                break
            await received.release()
    assert seen == [(message_id, returns) for returns in range(4)]


async def test_settled_once_only_the_first_call_counts(harness: Harness) -> None:
    """A release after an ack must not bring the item back, nor hurt the connection."""
    await fill(harness, 2)
    screener = await harness.open(User.SCREENER)
    first, second = await take(screener, Place.SCREEN, 2)
    await first.ack()
    await first.release()
    await second.ack()
    await screener.close()
    await until_depth(harness, Place.SCREEN, 0)


async def test_prefetch_bounds_what_is_unsettled(harness: Harness) -> None:
    """No more than `prefetch` are out at a time, and each that is settled makes room for one."""
    await fill(harness, 5)
    subscription = await (await harness.open(User.SCREENER)).subscribe(Place.SCREEN, 2)
    found: list[Received] = []
    taking = asyncio.create_task(collect(subscription, found))
    await until(lambda: len(found) == 2, "two are taken")
    await until_depth(harness, Place.SCREEN, 3)
    await found[0].ack()
    await until(lambda: len(found) == 3, "a third is taken")
    await until_depth(harness, Place.SCREEN, 2)
    assert len(found) == 3
    await subscription.cancel()
    await taking


async def test_prefetch_may_change_while_some_are_in_hand(harness: Harness) -> None:
    """More are taken at once; fewer from the next that is settled on, and none in hand is lost for it."""
    await fill(harness, 12)
    subscription = await (await harness.open(User.SCREENER)).subscribe(Place.SCREEN, 2)
    found: list[Received] = []
    taking = asyncio.create_task(collect(subscription, found))
    await until(lambda: len(found) == 2, "two are taken")
    await subscription.allow(3)
    await subscription.allow(5)
    assert subscription.prefetch == 5
    await until(lambda: len(found) == 5, "three more are taken")
    await until_depth(harness, Place.SCREEN, 7)
    await subscription.allow(2)
    assert subscription.prefetch == 2
    for received in found[:5]:
        assert not received.lost
        await received.ack()
    await until(lambda: len(found) == 7, "two more are taken")
    await until_depth(harness, Place.SCREEN, 5)
    assert len(found) == 7
    await subscription.allow(9)
    await until(lambda: len(found) == 12, "the rest is taken")
    await subscription.cancel()
    await taking


async def test_cancel_hands_back_what_nobody_began(harness: Harness) -> None:
    """What is in hand may still be settled; the rest is another worker's at once."""
    await fill(harness, 5)
    screener = await harness.open(User.SCREENER)
    subscription = await screener.subscribe(Place.SCREEN, 5)
    await until_depth(harness, Place.SCREEN, 0)
    in_hand = await anext(aiter(subscription))
    await subscription.cancel()
    await until_depth(harness, Place.SCREEN, 4)
    await in_hand.ack()
    assert [each async for each in subscription] == []
    assert len(await take(screener, Place.SCREEN, 4)) == 4
    await screener.close()
    await until_depth(harness, Place.SCREEN, 4)


async def test_cancel_ends_an_iteration_that_waits(harness: Harness) -> None:
    """An idle consumer ends as quickly as a busy one."""
    subscription = await (await harness.open(User.SCREENER)).subscribe(Place.SCREEN, 5)
    found: list[Received] = []
    taking = asyncio.create_task(collect(subscription, found))
    await asyncio.sleep(0)
    await subscription.cancel()
    async with asyncio.timeout(PATIENCE):
        await taking
    assert found == []


async def test_close_hands_back_what_is_in_hand(harness: Harness) -> None:
    """Its holder learns that it is lost."""
    await fill(harness, 3)
    screener = await harness.open(User.SCREENER)
    (received,) = await take(screener, Place.SCREEN, 1, prefetch=2)
    await screener.close()
    assert received.lost
    await until_depth(harness, Place.SCREEN, 3)


async def test_due_later_is_not_seen_before(harness: Harness) -> None:
    """`not_before` hides an item on its way to its stage; it is seen soon after, and one far ahead is not."""
    now = time.time()
    soon, far, fresh = make_item(not_before=now + 3), make_item(not_before=now + 86400), make_item()
    delivery = await harness.open(User.DELIVERY)
    await delivery.publish([to(Place.REDELIVER, make_message(item)) for item in (soon, far, fresh)])
    found = await take(delivery, Place.REDELIVER, 2)
    assert [wire.decode_item(received.body).id for received in found] == [fresh.id, soon.id]
    assert time.time() >= now + 3
    await asyncio.gather(*(received.ack() for received in found))
    await until_depth(harness, Place.REDELIVER, 0)


async def test_queues_do_not_wait_for_each_other(harness: Harness) -> None:
    """A full prefetch on one queue holds nothing of another."""
    screener = await harness.open(User.SCREENER)
    await screener.publish([*(to(Place.DELIVER) for _ in range(5)), *(to(Place.REDELIVER) for _ in range(3))])
    delivery: Broker = await harness.open(User.DELIVERY)
    held = await take(delivery, Place.DELIVER, 2, prefetch=2)
    assert len(await take(delivery, Place.REDELIVER, 3, prefetch=3)) == 3
    assert not any(received.lost for received in held)


async def test_two_workers_share_a_queue(harness: Harness) -> None:
    """Each body goes to one of them."""
    ids = await fill(harness, 40)
    found: list[Received] = []
    subscriptions = [await (await harness.open(User.SCREENER)).subscribe(Place.SCREEN, 20) for _ in range(2)]
    taking = [asyncio.create_task(collect(subscription, found)) for subscription in subscriptions]
    await until(lambda: len(found) == len(ids), "all are taken")
    assert sorted(wire.decode_item(received.body).id for received in found) == sorted(ids)
    await asyncio.gather(*(subscription.cancel() for subscription in subscriptions), *taking)
