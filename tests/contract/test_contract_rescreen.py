"""`sluice queue rescreen` on every broker: what waits for delivery goes back to the screener, nothing is lost."""

import time

import msgspec
import pytest

from services.screener.handler import Screener
from services.screener.settings import Settings
from shared import wire
from shared.broker.rescreen import QUEUES, again, rescreen
from shared.broker.topology import STEPS, Stage, User, queue_for, twin, wait_queue
from shared.config.model import Config
from shared.model import Action, Attempt, Item, Message, Origin, Place, Release, Verdict
from tests.contract.harness import Harness, take, until_depth
from tests.support import mail_samples as samples
from tests.support.messages import make_item, make_message, to

PASSED = Verdict(action=Action.PASS, at=1.0)


def waiting(content: bytes = samples.OUTLOOK, **changes: object) -> Message:
    item = msgspec.structs.replace(make_item(), verdict=PASSED, destination="example.org", split=1, **changes)
    return make_message(item, content)


@pytest.mark.parametrize(
    ("changes", "moves"),
    [
        ({}, True),
        ({"not_before": 5e9, "attempt": 3}, True),
        ({"release": Release(at=1.0, by="olga")}, False),
        ({"origin": Origin.GENERATED}, False),
        ({"verdict": None}, False),
    ],
)
def test_what_is_screened_again(changes: dict[str, object], moves: bool) -> None:
    item = msgspec.structs.replace(waiting().item, **changes)
    sends = again(Message(item, b"x"))
    if not moves:
        assert sends is None
        return
    assert sends is not None
    (send,) = sends
    assert send.place is Place.SCREEN
    assert send.message.item == msgspec.structs.replace(item, verdict=None, not_before=None)
    assert send.message.content == b"x"


async def test_everything_that_waits_goes_back(harness: Harness) -> None:
    """Fresh mail, large mail, retries on every step; released mail and reports stay where they are."""
    large = samples.OUTLOOK + b"x" * 78 * 20_000
    delivery = await harness.open(User.DELIVERY)
    screener = await harness.open(User.SCREENER)
    fresh, big = waiting(), waiting(large)
    retries = [waiting(not_before=time.time() + seconds * 1.5, attempt=2) for _, seconds in STEPS[2:]]
    stays = [waiting(release=Release(at=1.0, by="olga")), waiting(origin=Origin.GENERATED)]
    await screener.publish([to(Place.DELIVER, fresh), to(Place.DELIVER, big)])
    await delivery.publish([to(Place.REDELIVER, each) for each in [*retries, *stays]])
    moved = await rescreen(await harness.operator())
    assert sum(moved.values()) == 2 + len(retries)
    assert (moved[Place.DELIVER], moved[twin(Place.DELIVER)]) == (1, 1)
    await until_depth(harness, Place.REDELIVER, 2)
    await until_depth(harness, Place.DELIVER, 0)
    screening = await harness.open(User.SCREENER)
    bodies = [each.body for each in await take(screening, Place.SCREEN, 1 + len(retries))]
    bodies += [each.body for each in await take(screening, twin(Place.SCREEN), 1)]
    found = {message.item.id: message for message in map(wire.decode, bodies)}
    assert {message.item.id for message in (fresh, big, *retries)} == set(found)
    for message in (fresh, big, *retries):
        assert found[message.item.id].content == message.content
        assert found[message.item.id].item.verdict is None
        assert found[message.item.id].item.attempt == message.item.attempt


async def test_what_delivery_has_in_hand_goes_on(harness: Harness) -> None:
    message = waiting()
    await (await harness.open(User.SCREENER)).publish([to(Place.DELIVER, message)])
    (received,) = await take(await harness.open(User.DELIVERY), Place.DELIVER, 1)
    assert sum((await rescreen(await harness.operator())).values()) == 0
    await received.ack()
    assert sum((await rescreen(await harness.operator())).values()) == 0
    assert await harness.depth(Place.SCREEN) == 0


async def test_what_does_not_decode_stays_for_delivery_to_park(harness: Harness) -> None:
    await harness.put(Place.DELIVER, b"not ours")
    assert sum((await rescreen(await harness.operator())).values()) == 0
    assert await harness.depth(Place.DELIVER) == 1


def test_the_queues_are_those_of_delivery() -> None:
    ladder = {queue_for(Place.REDELIVER, size, 1e6, 0.0) for size in (1, 2_000_000)}
    assert ladder | {Place.DELIVER, Place.REDELIVER, wait_queue(Stage.DELIVER, "5s")} <= set(QUEUES)


@pytest.mark.parametrize(
    ("content", "place"), [(samples.OUTLOOK, Place.DELIVER), (samples.SIGNED_EXE, Place.QUARANTINE)]
)
async def test_what_passes_again_is_for_delivery_what_it_was(content: bytes, place: Place) -> None:
    history = (Attempt(at=2.0, stage="deliver", text="450 4.2.0 greylisted"),)
    before = waiting(content, attempt=1, history=history, not_before=5e9)
    sends = again(before)
    assert sends is not None
    screener = Screener(Settings.of(Config()), clock=lambda: 7.0)
    (send,) = await screener(sends[0].message)
    assert (send.place, send.message.content) == (place, content)
    item: Item = send.message.item
    assert (item.split, item.attempt, item.history, item.destination) == (1, 1, history, "example.org")
    assert item.not_before is None
    assert item.verdict is not None
    assert item.verdict.at == 7.0
