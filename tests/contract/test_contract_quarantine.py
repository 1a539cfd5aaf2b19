"""What an operator does with quarantined mail, on every broker."""

import time

from shared import wire
from shared.broker import quarantine
from shared.broker.topology import User, bucket_queue
from shared.model import Message, Place, Release
from tests.contract.harness import Harness, take, until_depth
from tests.support.messages import make_item, make_message, to

NOW = 1_790_000_000.0


async def test_what_is_kept_is_listed_oldest_first_and_shown(harness: Harness) -> None:
    """The list holds no contents; showing one id gives all of it."""
    one, two = make_message(make_item(reason="strip: extension:exe")), make_message()
    screener = await harness.open(User.SCREENER)
    await screener.publish([to(Place.QUARANTINE, two), to(Place.QUARANTINE, one)])
    operator = await harness.operator()
    listed = await quarantine.list_kept(operator)
    assert [entry.item and entry.item.id for entry in listed] == [one.item.id, two.item.id]
    assert (listed[0].reason, listed[0].octets) == ("strip: extension:exe", len(one.content))
    assert [kept.message for kept in await quarantine.show(operator, two.item.id)] == [two]
    assert await quarantine.show(operator, "01K5Q0000000000000000000ZZ") == []


async def test_what_does_not_decode_is_listed_too(harness: Harness) -> None:
    await harness.put(bucket_queue(3), b"not ours")
    operator = await harness.operator()
    (entry,) = await quarantine.list_kept(operator)
    assert (entry.queue, entry.item, entry.octets) == ("mail.quarantine.03", None, 8)


async def test_a_release_goes_to_delivery_by_destination_with_its_record(harness: Harness) -> None:
    """It is not screened again, and what was kept is gone."""
    kept = make_message(make_item(recipients=("a@one.example", "b@two.example", "c@one.example"), reason="why"))
    other = make_message()
    screener = await harness.open(User.SCREENER)
    await screener.publish([to(Place.QUARANTINE, message) for message in (kept, other)])
    operator = await harness.operator()
    assert await quarantine.release(operator, kept.item.id, "olga", NOW) == 1
    delivery = await harness.open(User.DELIVERY)
    found = [wire.decode(received.body) for received in await take(delivery, Place.REDELIVER, 2)]
    assert {message.item.destination for message in found} == {"one.example", "two.example"}
    for message in found:
        release = message.item.release
        assert release is not None
        assert (release.by, release.at) == ("olga", NOW)
        assert message.item.may_be_delivered
        assert message.item.reason is None
        assert message.item.split > quarantine.RELEASED
        assert message.content == kept.content
    assert [entry.item for entry in await quarantine.list_kept(operator)] == [other.item]


async def test_copies_of_one_id_are_released_once_each_and_removed(harness: Harness) -> None:
    """A crash may have kept one twice; delivery may have kept a split of its own."""
    whole = make_message(make_item(recipients=("a@one.example",)))
    part = make_message(make_item(whole.item.id, recipients=("b@two.example",)))
    part = Message(quarantine.released(part, Release(at=0, by=""))[0].message.item, part.content)
    screener = await harness.open(User.SCREENER)
    await screener.publish([to(Place.QUARANTINE, message) for message in (whole, whole, part)])
    operator = await harness.operator()
    assert await quarantine.release(operator, whole.item.id, "olga", NOW) == 3
    await until_depth(harness, Place.REDELIVER, 2)
    assert await quarantine.list_kept(operator) == []
    assert await quarantine.release(operator, whole.item.id, "olga", NOW) == 0
    await until_depth(harness, Place.REDELIVER, 2)


async def test_delete_removes_one_message_and_sends_nothing(harness: Harness) -> None:
    gone, stays = make_message(), make_message()
    screener = await harness.open(User.SCREENER)
    await screener.publish([to(Place.QUARANTINE, message) for message in (gone, stays)])
    operator = await harness.operator()
    assert await quarantine.delete(operator, gone.item.id) == 1
    assert await quarantine.delete(operator, gone.item.id) == 0
    assert [entry.item for entry in await quarantine.list_kept(operator)] == [stays.item]
    assert await harness.depth(Place.REDELIVER) == 0


async def test_a_large_message_is_kept_and_released(harness: Harness) -> None:
    """Quarantine has no twins for large bodies; delivery has."""
    big = make_message(content=b"Subject: x\r\n\r\n" + b"x" * 78 * 20_000)
    screener = await harness.open(User.SCREENER)
    await screener.publish([to(Place.QUARANTINE, big)])
    operator = await harness.operator()
    (entry,) = await quarantine.list_kept(operator)
    assert entry.queue == bucket_queue(int(time.time() // 86400))
    assert await quarantine.release(operator, big.item.id, "olga", NOW) == 1
    await until_depth(harness, "mail.redeliver.large", 1)
