"""A subscription lives through whatever RabbitMQ does to its channel and connection."""

import asyncio

import pytest

from shared import wire
from shared.broker import quarantine
from shared.broker.admin import apply
from shared.broker.rabbitmq import RabbitBroker, RabbitOperator
from shared.broker.topology import QUARANTINE_INDEX, User, twin
from shared.model import Place
from tests.contract.harness import PATIENCE, until, until_depth
from tests.contract.rabbitmq_harness import PASSWORDS, RabbitHarness
from tests.support.messages import make_item, make_message, to
from tests.support.rabbitmq_fixtures import SMALL

pytestmark = pytest.mark.rabbitmq


async def opened(harness: RabbitHarness, user: User) -> RabbitBroker:
    broker = await harness.open(user)
    assert isinstance(broker, RabbitBroker)
    return broker


async def consumers(harness: RabbitHarness, queue: str) -> int:
    async with harness.raw() as connection:
        declared = await (await connection.channel()).queue_declare(queue, passive=True)
        return declared.consumer_count or 0


async def test_every_subscription_is_restored_after_a_crash_and_nothing_is_lost(rabbit: RabbitHarness) -> None:
    """Eight consumers before, eight after; what was in hand comes again, and its first delivery is marked lost."""
    screener, delivery = await opened(rabbit, User.SCREENER), await opened(rabbit, User.DELIVERY)
    queues = {
        queue: broker
        for broker, places in ((screener, [Place.SCREEN]), (delivery, [Place.DELIVER, Place.REDELIVER]))
        for place in places
        for queue in (place.value, twin(place))
    }
    subscriptions = {queue: await broker.subscribe(queue, 10) for queue, broker in queues.items()}
    for queue in queues:
        await rabbit.put(queue, queue.encode())
    before = {queue: await anext(aiter(subscription)) for queue, subscription in subscriptions.items()}
    await rabbit.restart()
    async with asyncio.timeout(PATIENCE):
        after = {queue: await anext(aiter(subscription)) for queue, subscription in subscriptions.items()}
    assert all(received.lost for received in before.values())
    assert {queue: received.body.decode() for queue, received in after.items()} == {queue: queue for queue in queues}
    await asyncio.gather(*(received.ack() for received in (*before.values(), *after.values())))
    await until(lambda: screener.trouble() is None and delivery.trouble() is None, "trouble is over")
    assert [await consumers(rabbit, queue) for queue in queues] == [1] * 6
    assert [await rabbit.depth(queue) for queue in queues] == [0] * 6


async def test_a_wider_prefetch_begins_anew_after_a_crash(rabbit: RabbitHarness) -> None:
    """Whoever asked for more has lost all in hand; asking while RabbitMQ is away changes nothing and raises nothing."""
    screener = await opened(rabbit, User.SCREENER)
    subscription = await screener.subscribe(Place.SCREEN, 2)
    await subscription.allow(4)
    await subscription.allow(7)
    assert await consumers(rabbit, Place.SCREEN) == 3
    rabbit.node.kill()
    await until(lambda: screener.trouble() is not None, "the connection is gone")
    await subscription.allow(9)
    await subscription.allow(2)
    await rabbit.restart()
    await until(lambda: screener.trouble() is None, "it consumes again")
    assert subscription.prefetch == 2
    assert await consumers(rabbit, Place.SCREEN) == 1
    await subscription.allow(4)
    for _ in range(6):
        await rabbit.put(Place.SCREEN, b"x")
    async with asyncio.timeout(PATIENCE):
        in_hand = [await anext(aiter(subscription)) for _ in range(4)]
    await until_depth(rabbit, Place.SCREEN, 2)
    assert not any(received.lost for received in in_hand)


async def test_consumer_that_rabbitmq_cancels_comes_back(damaged: RabbitHarness) -> None:
    """A deleted queue cancels its consumers (BROKER.md 16); when the queue is there again, so are they."""
    screener = await opened(damaged, User.SCREENER)
    subscription = await screener.subscribe(Place.SCREEN, 10)
    damaged.node.api("DELETE", "queues/damaged/mail.screen")
    await until(lambda: "cannot consume mail.screen: " in (screener.trouble() or ""), "its queue is missed")
    await until(lambda: "sluice broker apply" in (screener.trouble() or ""), "with the remedy")
    assert await apply(damaged.target, PASSWORDS, SMALL) == []
    await until(lambda: screener.trouble() is None, "it consumes again")
    await damaged.put(Place.SCREEN, b"x")
    async with asyncio.timeout(PATIENCE):
        received = await anext(aiter(subscription))
    assert received.body == b"x"
    await received.ack()


async def test_consuming_what_one_may_not_read_is_trouble(rabbit: RabbitHarness) -> None:
    """The channel is closed for it; the stage's other queues go on."""
    screener = await opened(rabbit, User.SCREENER)
    refused = await screener.subscribe(Place.DELIVER, 1)
    assert "cannot consume mail.deliver: " in (screener.trouble() or "")
    assert "lacks the permission" in (screener.trouble() or "")
    allowed = await screener.subscribe(Place.SCREEN, 1)
    await rabbit.put(Place.SCREEN, b"x")
    async with asyncio.timeout(PATIENCE):
        await (await anext(aiter(allowed))).ack()
    await refused.cancel()
    async with asyncio.timeout(PATIENCE):
        assert [received async for received in refused] == []


async def test_cancelled_while_the_broker_is_away_stays_cancelled(rabbit: RabbitHarness) -> None:
    """A drain in the middle of an outage ends the iteration at once, and consumes nothing afterwards."""
    screener = await opened(rabbit, User.SCREENER)
    subscription = await screener.subscribe(Place.SCREEN, 10)
    await rabbit.put(Place.SCREEN, b"x")
    await rabbit.stop()
    await until(lambda: screener.trouble() is not None, "the outage is noticed")
    async with asyncio.timeout(10):
        await subscription.cancel()
        assert [received async for received in subscription] == []
    await rabbit.start()
    await until(lambda: screener.trouble() is None, "it is connected again")
    assert await consumers(rabbit, Place.SCREEN) == 0
    assert await rabbit.depth(Place.SCREEN) == 1


async def test_acknowledgements_arrive_before_the_connection_closes(rabbit: RabbitHarness) -> None:
    """A clean stop makes no duplicates."""
    screener = await opened(rabbit, User.SCREENER)
    subscription = await screener.subscribe(Place.SCREEN, 500)
    for number in range(200):
        await rabbit.put(Place.SCREEN, str(number).encode())
    async with asyncio.timeout(PATIENCE):
        taken = [await anext(aiter(subscription)) for _ in range(200)]
    for received in taken:
        await received.ack()
    await screener.close()
    assert await rabbit.depth(Place.SCREEN) == 0


async def test_people_find_in_the_headers_whose_mail_it_is(both: RabbitHarness) -> None:
    """What "Get messages" in the UI shows: id, sender, recipient and attempt, and the item in the body's first line."""
    message = make_message(make_item(recipients=["x" * 300 + "@example.org", "c@example.org"]))
    await (await opened(both, User.INGRESS)).publish([to(Place.SCREEN, message)])
    shown = both.node.api(
        "POST",
        f"queues/{both.vhost}/{Place.SCREEN}/get",
        {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"},
    )
    assert isinstance(shown, list)
    properties = shown[0]["properties"]
    assert {key: properties["headers"][key] for key in ("id", "sender", "attempt")} == {
        "id": message.item.id,
        "sender": "a@example.net",
        "attempt": 0,
    }
    assert properties["headers"]["recipient"] == "x" * 100
    assert (properties["message_id"], properties["app_id"], properties["type"]) == (message.item.key, "ingress", "item")
    assert properties["delivery_mode"] == 2
    assert shown[0]["payload"].encode() == wire.encode(message)


async def test_quarantine_is_indexed_with_its_bucket(both: RabbitHarness) -> None:
    """The index has what a list needs, and no content."""
    message = make_message(make_item(reason="banned"), content=b"the content itself")
    screener = await opened(both, User.SCREENER)
    await screener.publish([to(Place.QUARANTINE, message)])
    entries: list[bytes] = []
    async with both.raw() as connection:
        channel = await connection.channel()
        await channel.basic_qos(prefetch_count=1000)

        async def collect(delivered: object) -> None:
            entries.append(delivered.body)  # type: ignore[attr-defined]  # (aiormq's DeliveredMessage)

        await channel.basic_consume(QUARANTINE_INDEX, collect, arguments={"x-stream-offset": "first"})
        await until(lambda: any(message.item.id.encode() in entry for entry in entries), "the entry is there")
    (entry,) = (entry for entry in entries if message.item.id.encode() in entry)
    assert b'"bucket":"mail.quarantine.' in entry
    assert b"the content itself" not in entry


async def test_quarantined_without_its_index(damaged: RabbitHarness) -> None:
    """The bucket is complete without the index: failing would store the original again at each retry."""
    damaged.node.api("DELETE", f"queues/damaged/{QUARANTINE_INDEX}")
    screener = await opened(damaged, User.SCREENER)
    await screener.publish([to(Place.QUARANTINE)])
    assert screener.trouble() is None
    operator = await damaged.operator()
    assert isinstance(operator, RabbitOperator)
    assert sum(depth.ready for depth in await operator.depths()) == 1
    (entry,) = await quarantine.list_kept(operator)
    assert entry.item is not None
    assert await quarantine.release(operator, entry.item.id, "olga", 1.0) == 1
