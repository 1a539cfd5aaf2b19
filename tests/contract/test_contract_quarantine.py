"""What an operator does with quarantined mail, on every broker."""

import asyncio
import hashlib
import time

import msgspec

from shared import wire
from shared.broker import quarantine
from shared.broker.decision import Decided
from shared.broker.port import Reindexed
from shared.broker.topology import User, bucket_queue
from shared.model import Action, Message, Place, Release, Verdict
from tests.contract.harness import Harness, take, until_depth
from tests.support.messages import CONTENT, make_item, make_message, to

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


async def test_what_does_not_decode_is_counted(harness: Harness) -> None:
    await harness.put(bucket_queue(3), b"not ours")
    operator = await harness.operator()
    assert await operator.reindex() == Reindexed(kept=1, added=0, dropped=0, undecodable=1)
    assert await harness.depth(bucket_queue(3)) == 1


async def test_the_list_can_be_made_anew_out_of_the_originals(harness: Harness) -> None:
    """Whatever it lacks: what counts is what is kept."""
    listed, unlisted = make_message(), make_message(make_item(reason="why"))
    screener = await harness.open(User.SCREENER)
    await screener.publish([to(Place.QUARANTINE, listed)])
    await harness.put(bucket_queue(7), wire.encode(unlisted))
    operator = await harness.operator()
    found = await operator.reindex()
    assert (found.kept, found.dropped, found.undecodable) == (2, 0, 0)
    assert await operator.reindex() == Reindexed(kept=2, added=0, dropped=0, undecodable=0)
    entries = await quarantine.list_kept(operator)
    assert [entry.item for entry in entries] == [listed.item, unlisted.item]
    assert [(entry.octets, entry.reason) for entry in entries] == [(len(CONTENT), None), (len(CONTENT), "why")]
    assert await quarantine.delete(operator, unlisted.item.id, "olga", NOW) == 1
    assert [entry.item for entry in await quarantine.list_kept(operator)] == [listed.item]


async def test_what_the_list_lacks_is_found_all_the_same(harness: Harness) -> None:
    message = make_message()
    await harness.put(bucket_queue(7), wire.encode(message))
    operator = await harness.operator()
    assert [kept.message for kept in await quarantine.show(operator, message.item.id)] == [message]
    assert await quarantine.release(operator, message.item.id, "olga", NOW) == 1
    await until_depth(harness, Place.REDELIVER, 1)


async def test_what_has_expired_is_not_listed(harness: Harness) -> None:
    message = make_message()
    await (await harness.open(User.SCREENER)).publish([to(Place.QUARANTINE, message)])
    operator = await harness.operator()
    (entry,) = await quarantine.list_kept(operator, time.time() - 60)
    assert entry.kept_at is not None
    assert abs(entry.kept_at - time.time()) < 60
    (kept,) = await quarantine.show(operator, message.item.id)
    assert kept.kept_at is not None
    assert abs(kept.kept_at - entry.kept_at) < 2
    assert await quarantine.list_kept(operator, time.time() + 60) == []


async def test_two_operators_list_at_a_time(harness: Harness) -> None:
    """Neither hides anything from the other."""
    messages = [make_message() for _ in range(20)]
    await (await harness.open(User.SCREENER)).publish([to(Place.QUARANTINE, each) for each in messages])
    operators = [await harness.operator() for _ in range(3)]
    for entries in await asyncio.gather(*(quarantine.list_kept(each) for each in operators)):
        assert {entry.item.id for entry in entries if entry.item} == {each.item.id for each in messages}


async def test_splits_of_one_message_are_released_each(harness: Harness) -> None:
    """The same id and the same number, other recipients: no copies of each other."""
    one = make_message(make_item(recipients=("a@one.example",)))
    two = make_message(make_item(one.item.id, recipients=("b@one.example",)))
    await (await harness.open(User.SCREENER)).publish([to(Place.QUARANTINE, each) for each in (one, two)])
    operator = await harness.operator()
    assert len(await quarantine.list_kept(operator)) == 2
    assert await quarantine.release(operator, one.item.id, "olga", NOW) == 2
    await until_depth(harness, Place.REDELIVER, 2)


async def test_a_release_goes_to_delivery_by_destination_with_its_record(harness: Harness) -> None:
    """It is not screened again, and what was kept is gone."""
    verdict = Verdict(action=Action.QUARANTINE, at=NOW - 1, reasons=("extension:exe",))
    item = make_item(recipients=("a@one.example", "b@two.example", "c@one.example"), reason="why")
    kept = make_message(msgspec.structs.replace(item, verdict=verdict))
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
        assert (message.item.id, message.item.verdict) == (kept.item.id, verdict)
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
    assert await quarantine.delete(operator, gone.item.id, "olga", NOW) == 1
    assert await quarantine.delete(operator, gone.item.id, "olga", NOW) == 0
    assert [entry.item for entry in await quarantine.list_kept(operator)] == [stays.item]
    assert await harness.depth(Place.REDELIVER) == 0


async def test_every_decision_is_recorded_and_outlives_the_message(harness: Harness) -> None:
    """Who, what and when: one record for each copy that was not a crash's, none for what is not there."""
    released = make_message(make_item(reason="strip: extension:exe"))
    deleted = make_message(make_item(recipients=("a@one.example", "b@two.example"), reason="quarantine: rule:words"))
    await (await harness.open(User.SCREENER)).publish(
        [to(Place.QUARANTINE, message) for message in (released, deleted, deleted)]
    )
    operator = await harness.operator()
    before = len(await quarantine.decisions(operator))  # a stream cannot be emptied
    await quarantine.release(operator, released.item.id, "olga", NOW)
    await quarantine.delete(operator, deleted.item.id, "otto", NOW + 1)
    await quarantine.delete(operator, deleted.item.id, "otto", NOW + 2)
    one, two = (await quarantine.decisions(await harness.operator()))[before:]
    assert (one.at, one.by, one.decided, one.id) == (NOW, "olga", Decided.RELEASED, released.item.id)
    assert (two.at, two.by, two.decided, two.id) == (NOW + 1, "otto", Decided.DELETED, deleted.item.id)
    assert (two.sender, two.recipients) == (deleted.item.envelope.sender, ("a@one.example", "b@two.example"))
    assert (two.reason, two.octets) == ("quarantine: rule:words", len(CONTENT))
    assert two.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert await quarantine.decisions(operator, NOW + 1) == [two]
    assert "mail.quarantine.index" not in {depth.queue for depth in await operator.depths()}
    await operator.reindex()
    assert (await quarantine.decisions(operator))[before:] == [one, two]


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
