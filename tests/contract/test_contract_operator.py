"""What an operator sees and does, on every broker, while services work."""

import time

from shared import wire
from shared.broker.topology import DAY, User, bucket_queue, quorum_queues
from shared.model import Place
from tests.contract.harness import Harness, take, until_depth
from tests.support.messages import make_item, make_message, to


async def test_depths_of_every_queue(harness: Harness) -> None:
    """All of the topology, those that are empty too."""
    screener = await harness.open(User.SCREENER)
    later = make_message(make_item(not_before=time.time() + 400))
    await screener.publish([to(Place.DELIVER), to(Place.DELIVER), to(Place.DEAD), to(Place.SCREEN, later)])
    depths = {each.queue: each for each in await (await harness.operator()).depths()}
    assert set(quorum_queues()) <= set(depths)
    ready = {queue: each.ready for queue, each in depths.items() if each.ready}
    assert ready == {Place.DELIVER: 2, Place.DEAD: 1, "mail.screen.wait.5m": 1}


async def test_depths_tell_of_consumers(harness: Harness) -> None:
    """A queue with work and nobody working is what an operator looks for."""
    screener = await harness.open(User.SCREENER)
    await screener.subscribe(Place.SCREEN, 1)
    depths = {each.queue: each for each in await (await harness.operator()).depths()}
    assert depths[Place.SCREEN].consumers == 1
    assert depths[Place.DEAD].consumers == 0


async def test_looking_leaves_everything_where_it_is(harness: Harness) -> None:
    """Kept messages may be listed any number of times."""
    messages = [make_message(make_item(reason=f"reason {number}")) for number in range(20)]
    screener = await harness.open(User.SCREENER)
    await screener.publish([to(Place.DEAD, message) for message in messages])
    operator = await harness.operator()
    for _ in range(3):
        kept = [each async for each in operator.kept([Place.DEAD])]
        found = {each.message.item.id: each for each in kept if each.message is not None}  # one publish has no order
        assert len(kept) == len(messages)
        assert [found[message.item.id].message for message in messages] == messages
        assert [found[message.item.id].reason for message in messages] == [each.item.reason for each in messages]
        assert {each.queue for each in kept} == {Place.DEAD}
        assert [wire.decode(found[message.item.id].body) for message in messages] == messages


async def test_remove_deletes_one_message_and_every_copy_of_it(harness: Harness) -> None:
    """A crash may have left two; neither may be released again later."""
    gone, stays = make_message(), make_message()
    screener = await harness.open(User.SCREENER)
    await screener.publish([to(Place.DEAD, message) for message in (gone, stays, gone)])
    operator = await harness.operator()
    assert await operator.remove(Place.DEAD, gone.item.id) is True
    assert [each.message async for each in operator.kept([Place.DEAD])] == [stays]
    assert await operator.remove(Place.DEAD, gone.item.id) is False
    await until_depth(harness, Place.DEAD, 1)


async def test_released_from_quarantine_reaches_a_working_delivery(harness: Harness) -> None:
    """The operator's process and the relay's are different ones; publish comes first, then remove."""
    message = make_message()
    days = {int(time.time() // DAY)}
    await (await harness.open(User.SCREENER)).publish([to(Place.QUARANTINE, message)])
    days.add(int(time.time() // DAY))
    delivery = await harness.open(User.DELIVERY)
    subscription = await delivery.subscribe(Place.REDELIVER, 5)
    operator = await harness.operator()
    (kept,) = [each async for each in operator.kept([bucket_queue(day) for day in sorted(days)])]
    assert kept.message is not None
    await operator.publish([to(Place.REDELIVER, kept.message)])
    assert await operator.remove(kept.queue, message.item.id)
    received = await anext(aiter(subscription))
    assert wire.decode(received.body) == message
    await received.ack()
    assert [each async for each in operator.kept([kept.queue])] == []


async def test_any_octets_on_a_queue_can_be_taken(harness: Harness) -> None:
    """A consumer sees what lies there, ours or not."""
    body = bytes(range(256))
    await harness.put(Place.SCREEN, body)
    (received,) = await take(await harness.open(User.SCREENER), Place.SCREEN, 1)
    assert (received.body, received.returns) == (body, 0)
