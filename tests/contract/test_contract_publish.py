"""A publish that returns is durable, on every broker; one that raises may be made again."""

import asyncio
import time

import pytest

from shared import wire
from shared.broker.port import Broker
from shared.broker.topology import DAY, LARGE, User, bucket_queue, twin
from shared.errors import BrokerError
from shared.model import Envelope, Item, Message, Origin, Place, Recipient
from tests.contract.harness import PATIENCE, Harness, take, until, until_depth
from tests.support.messages import make_item, make_message, to


async def publish_until_it_fails(broker: Broker, message: Message) -> None:
    """One that was on its way when the broker went may still be confirmed."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await broker.publish([to(Place.SCREEN, message)])


async def test_published_is_still_there_after_the_broker_was_killed(harness: Harness) -> None:
    """`publish` returning means: no crash loses it."""
    message = make_message()
    broker = await harness.open(User.INGRESS)
    await broker.publish([to(Place.SCREEN, message)])
    await harness.restart()
    (received,) = await take(await harness.open(User.SCREENER), Place.SCREEN, 1)
    assert wire.decode(received.body) == message


async def test_every_send_of_a_publish_is_durable(harness: Harness) -> None:
    """Several places in one call: each has what was sent to it."""
    screener = await harness.open(User.SCREENER)
    await screener.publish([to(Place.DELIVER), to(Place.DELIVER), to(Place.DEAD), to(Place.QUARANTINE)])
    await harness.restart()
    await until_depth(harness, Place.DELIVER, 2)
    await until_depth(harness, Place.DEAD, 1)
    await until_depth(harness, bucket_queue(int(time.time() // DAY)), 1)


async def test_nothing_to_send_is_nothing_sent(harness: Harness) -> None:
    """A finished item has no sends."""
    broker = await harness.open(User.SCREENER)
    await broker.publish([])
    await until_depth(harness, Place.DELIVER, 0)


async def test_200_concurrent_publishers_each_message_exactly_once(harness: Harness) -> None:
    """Confirms are not mixed up, and nothing is doubled without a crash."""
    messages = [make_message() for _ in range(1000)]
    waiting = iter(messages)
    ingress = await harness.open(User.INGRESS)

    async def publisher() -> None:
        for message in waiting:
            await ingress.publish([to(Place.SCREEN, message)])

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(publisher() for _ in range(200)))
    screener = await harness.open(User.SCREENER)
    found = await take(screener, Place.SCREEN, len(messages))
    ids = [wire.decode_item(received.body).id for received in found]
    assert sorted(ids) == sorted(message.item.id for message in messages)
    await asyncio.gather(*(received.ack() for received in found))
    await until_depth(harness, Place.SCREEN, 0)


@pytest.mark.parametrize(("octets", "queue"), [(1000, Place.SCREEN.value), (LARGE + 1, twin(Place.SCREEN))])
async def test_large_bodies_have_queues_of_their_own(harness: Harness, octets: int, queue: str) -> None:
    """A body over 1 MiB goes to the twin, where few are in hand at a time."""
    message = make_message(content=b"x" * octets)
    await (await harness.open(User.INGRESS)).publish([to(Place.SCREEN, message)])
    (received,) = await take(await harness.open(User.SCREENER), queue, 1)
    assert wire.decode(received.body) == message


async def test_a_thousand_long_recipients_with_orcpt(harness: Harness) -> None:
    """The envelope is in the body, because no AMQP header takes it (BROKER.md: one frame)."""
    domain = ".".join(("y" * 62, "y" * 62, "y" * 63))
    addresses = [f"{number:04d}{'x' * 60}@{domain}" for number in range(1000)]
    recipients = tuple(Recipient(address=each, orcpt=f"rfc822;{each.upper()}") for each in addresses)
    assert {len(each) for each in addresses} == {254}
    envelope = Envelope(sender=None, recipients=recipients)
    message = Message(Item(id="M", envelope=envelope, origin=Origin.TRUSTED, accepted_at=1.5), bytes(range(256)))
    await (await harness.open(User.INGRESS)).publish([to(Place.SCREEN, message)])
    (received,) = await take(await harness.open(User.SCREENER), Place.SCREEN, 1)
    assert wire.decode(received.body) == message


async def test_unavailable_broker_raises_and_the_same_publish_succeeds_later(harness: Harness) -> None:
    """Nothing is half done: after the outage the same call is made again, and trouble is over."""
    ingress = await harness.open(User.INGRESS)
    message = make_message()
    await harness.stop()
    try:
        with pytest.raises(BrokerError):
            await publish_until_it_fails(ingress, message)
        await until(lambda: ingress.trouble() is not None, "trouble is told")
    finally:
        await harness.start()
    await until(lambda: ingress.trouble() is None, "trouble is over")
    await ingress.publish([to(Place.SCREEN, message)])
    assert await harness.depth(Place.SCREEN) >= 1


async def test_no_trouble_when_all_is_well(harness: Harness) -> None:
    """An idle broker takes new mail."""
    assert (await harness.open(User.INGRESS)).trouble() is None


async def test_parked_body_is_kept_as_it_is_with_its_reason(harness: Harness) -> None:
    """What does not decode is for people to look at."""
    body = b"\x00\xff not an item\r\n"
    await (await harness.open(User.SCREENER)).park(body, "no line feed")
    kept = [each async for each in (await harness.operator()).kept([Place.DEAD])]
    assert [(each.queue, each.message, each.body, each.reason) for each in kept] == [
        (Place.DEAD, None, body, "no line feed")
    ]


async def test_quarantined_goes_to_todays_bucket(harness: Harness) -> None:
    """A ring of day buckets, so that a release reads one."""
    message = make_message(make_item(reason="banned"))
    days = {int(time.time() // DAY)}
    await (await harness.open(User.SCREENER)).publish([to(Place.QUARANTINE, message)])
    days.add(int(time.time() // DAY))
    kept = [each async for each in (await harness.operator()).kept([bucket_queue(day) for day in sorted(days)])]
    assert [(each.message, each.reason) for each in kept] == [(message, "banned")]
