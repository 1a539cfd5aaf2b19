"""The topology in effect, on RabbitMQ itself: who may do what, where the ladder leads, what the backstops keep."""

import asyncio
import contextlib
import time
from typing import Any

import pytest
from aiormq import ChannelAccessRefused, Connection
from pamqp.commands import Basic

from shared import wire
from shared.broker import quarantine
from shared.broker.port import Broker
from shared.broker.topology import (
    LARGE,
    QUARANTINE_INDEX,
    RETURN_EXCHANGE,
    SLOT_ROLL,
    Limits,
    Stage,
    User,
    exchanges,
    quorum_queues,
    stage_queues,
    twin,
)
from shared.errors import BrokerFull
from shared.model import Message, Place
from tests.contract.harness import PATIENCE, take, until
from tests.contract.rabbitmq_harness import RabbitHarness
from tests.support.messages import make_item, make_message, to
from tests.support.rabbitmq import RabbitNode
from tests.support.rabbitmq_fixtures import SMALL

pytestmark = pytest.mark.rabbitmq


async def refused(connection: Connection, action: Any) -> bool:
    """Do something on a channel of its own and tell whether RabbitMQ refused it."""
    channel = await connection.channel()
    try:
        async with asyncio.timeout(PATIENCE):
            await action(channel)
    except ChannelAccessRefused:
        return True
    await channel.close()
    return False


@pytest.mark.parametrize("user", User)
async def test_a_service_cannot_write_read_or_declare_what_is_not_its_own(both: RabbitHarness, user: User) -> None:
    """Asked of the broker, exchange by exchange and queue by queue: ingress cannot publish past the screener."""
    mine = {
        User.SCREENER: {Place.SCREEN, twin(Place.SCREEN)},
        User.DELIVERY: {q for place in (Place.DELIVER, Place.REDELIVER) for q in (place.value, twin(place))},
        User.OPERATOR: {q for q in quorum_queues() if "quarantine" in q or "deliver" in q or q == Place.DEAD},
    }.get(user, set())
    async with both.raw(user) as connection:
        writable = {
            exchange
            for exchange in (*exchanges(), "", "amq.direct")
            if not await refused(
                connection, lambda c, e=exchange: c.basic_publish(b"x", exchange=e, routing_key="none")
            )
        }
        readable = {
            queue for queue in quorum_queues() if not await refused(connection, lambda c, q=queue: c.basic_get(q))
        }
        for declaration in (
            lambda c: c.queue_declare("mail.screen", durable=True, arguments={"x-queue-type": "quorum"}),
            lambda c: c.queue_declare("mail.new", durable=True),
            lambda c: c.exchange_declare(exchange="mail.new"),
            lambda c: c.queue_bind("mail.deliver", user.exchange, "mail.deliver"),
            lambda c: c.queue_delete("mail.dead"),
            lambda c: c.queue_purge("mail.dead") if user is not User.OPERATOR else c.queue_delete("mail.screen"),
        ):
            assert await refused(connection, declaration)
    assert writable == {user.exchange}
    assert readable == mine


@pytest.mark.parametrize("size", [100, LARGE + 1])
async def test_every_step_of_the_ladder_comes_back_to_its_own_stage(both: RabbitHarness, size: int) -> None:
    """The shortest step is lived through; the longer ones differ in their time only (tests/unit/test_topology.py)."""
    later = time.time() + 6
    screened = Message(make_item(not_before=later), b"s" * size)
    delivered = Message(make_item(not_before=later), b"d" * size)
    screener, delivery = await both.open(User.SCREENER), await both.open(User.DELIVERY)
    await screener.publish([to(Place.SCREEN, screened)])
    await delivery.publish([to(Place.REDELIVER, delivered)])
    name = twin if size > LARGE else str
    assert [await both.depth(name(place)) for place in (Place.SCREEN, Place.REDELIVER)] == [0, 0]
    for broker, place, message in ((screener, Place.SCREEN, screened), (delivery, Place.REDELIVER, delivered)):
        (received,) = await take(broker, name(place), 1)
        assert time.time() > later - 2, "it waited"
        assert wire.decode(received.body) == message
        assert received.returns == 0
        await received.ack()


async def test_an_expired_retry_that_finds_no_way_back_is_kept(either_node: RabbitNode) -> None:
    """At-least-once dead-lettering is in effect: at most once, RabbitMQ would drop it (BROKER.md 5).

    One queue has no binding back, another a target that is full. RabbitMQ tries again every three minutes, so these
    messages outlive the test, in a vhost of their own.
    """
    harness = await RabbitHarness.create(either_node, "expiring", SMALL)
    unbound = twin(Place.REDELIVER)
    either_node.api("DELETE", f"bindings/expiring/e/{RETURN_EXCHANGE}/q/{unbound}/{unbound}")
    await harness.put("mail.deliver.wait.5s.large", b"x")
    await harness.put("mail.screen.wait.5s", b"x" * 60_000)
    await fill(await harness.open(User.INGRESS))

    def kept() -> bool:
        queues = (
            either_node.api("GET", f"queues/expiring/{queue}")
            for queue in ("mail.deliver.wait.5s.large", "mail.screen.wait.5s")
        )
        return all(isinstance(queue, dict) and queue.get("messages_dlx") == 1 for queue in queues)

    await until(kept, "both have expired and are kept for dead-lettering")
    await harness.close()


async def test_quarantined_mail_expires_by_itself_and_leaves_the_list(either_node: RabbitNode) -> None:
    """Its bucket's time to live is the retention; what an operator still finds listed elsewhere is gone, not lost."""
    harness = await RabbitHarness.create(either_node, "forgetting", Limits(retention=3))
    message = make_message()
    await (await harness.open(User.SCREENER)).publish([to(Place.QUARANTINE, message)])
    operator = await harness.operator()
    (entry,) = await quarantine.list_kept(operator)
    assert [kept.message for kept in await quarantine.show(operator, message.item.id)] == [message]

    async def expired() -> bool:
        return await quarantine.show(operator, message.item.id) == []

    await until(expired, "the bucket has let go of it")
    assert await harness.depth(entry.queue) == 0
    assert await quarantine.list_kept(operator, time.time() - 3) == []
    assert await quarantine.release(operator, message.item.id, "olga", time.time()) == 0
    assert (await operator.reindex()).dropped == 1
    await harness.close()


async def fill(broker: Broker) -> None:
    """Publish to mail.screen until it refuses more."""
    with contextlib.suppress(BrokerFull):
        for _ in range(100):
            await broker.publish([to(Place.SCREEN, make_message(content=b"x" * 30_000))])
        pytest.fail("mail.screen has no limit")


async def test_what_comes_back_too_often_is_kept_in_mail_dead(damaged: RabbitHarness) -> None:
    """RabbitMQ's delivery limit is a backstop behind our own counter, and drops nothing (BROKER.md 3)."""
    lower = {
        "delivery-limit": 2,
        "dead-letter-exchange": "mail.dead-letter",
        "dead-letter-routing-key": "mail.dead",
        "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
    }
    policy = "policies/damaged/mail-redeliver"
    pattern = r"^mail\.redeliver(\.large)?$"
    damaged.node.api("PUT", policy, {"pattern": pattern, "definition": lower, "apply-to": "queues", "priority": 0})
    message = make_message()
    delivery = await damaged.open(User.DELIVERY)
    await delivery.publish([to(Place.REDELIVER, message)])
    subscription = await delivery.subscribe(Place.REDELIVER, 1)
    seen = []
    for _ in range(3):
        async with asyncio.timeout(PATIENCE):
            received = await anext(aiter(subscription))
        seen.append(received.returns)
        await received.release()

    async def kept() -> bool:
        return await damaged.depth(Place.DEAD) == 1

    await until(kept, "it is in mail.dead")
    assert seen == [0, 1, 2]
    operator = await damaged.operator()
    assert [each.message async for each in operator.kept([Place.DEAD])] == [message]


async def test_every_queue_is_of_its_type_and_durable(both: RabbitHarness) -> None:
    """A confirm of anything but a quorum queue promises nothing (BROKER.md 1)."""
    listed = both.node.api("GET", f"queues/{both.vhost}?disable_stats=true&enable_queue_totals=true")
    assert isinstance(listed, list)
    types = {queue["name"]: (queue["type"], queue["durable"], queue["arguments"]) for queue in listed}
    quorum = ("quorum", True, {"x-queue-type": "quorum"})
    stream = ("stream", True, {"x-queue-type": "stream"})
    classic = ("classic", True, {"x-queue-type": "classic"})
    assert types == {**dict.fromkeys(quorum_queues(), quorum), QUARANTINE_INDEX: stream, SLOT_ROLL: classic}
    assert {queue for stage in Stage for queue in stage_queues(stage)} <= set(types)


async def test_a_body_of_the_largest_size_is_taken(both: RabbitHarness) -> None:
    """`max_message_size` of deploy/rabbitmq.conf is in force on 4.x too, whose own default is 16 MiB (BROKER.md 2)."""
    message = make_message(content=b"x" * (40 * 1024**2))
    await (await both.open(User.INGRESS)).publish([to(Place.SCREEN, message)])
    (received,) = await take(await both.open(User.SCREENER), twin(Place.SCREEN), 1)
    assert wire.decode(received.body).content == message.content
    await received.ack()


async def test_unroutable_is_returned_by_rabbitmq_and_confirmed_all_the_same(both: RabbitHarness) -> None:
    """Why every publish is mandatory (BROKER.md 17)."""
    async with both.raw() as connection:
        channel = await connection.channel(on_return_raises=False)
        confirmed = await channel.basic_publish(
            b"x", exchange=User.INGRESS.exchange, routing_key="nowhere", properties=Basic.Properties(delivery_mode=2)
        )
        assert isinstance(confirmed, Basic.Ack)
