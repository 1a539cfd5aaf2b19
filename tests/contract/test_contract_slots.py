"""Slots: a site's connections in the whole cluster, on every broker."""

import asyncio

import pytest

from shared.broker.port import Slots
from shared.broker.topology import User
from tests.contract.harness import PATIENCE, Harness, until


def never() -> None:
    """Fail: nothing was to be lost."""
    pytest.fail("a slot was lost")


async def slots_of(harness: Harness) -> Slots:
    return (await harness.open(User.DELIVERY)).slots()


async def test_a_site_has_so_many_slots_and_no_more(harness: Harness) -> None:
    slots = await slots_of(harness)
    held = [await slots.take("example.net", 3, never) for _ in range(4)]
    assert [slot is not None for slot in held] == [True, True, True, False]
    assert await slots.take("example.com", 3, never) is not None


async def test_a_slot_given_back_is_free(harness: Harness) -> None:
    slots = await slots_of(harness)
    first = await slots.take("example.net", 1, never)
    assert first is not None
    assert await slots.take("example.net", 1, never) is None
    await first.release()
    await first.release()
    again = await slots.take("example.net", 1, never)
    assert again is not None
    await first.release()
    assert await slots.take("example.net", 1, never) is None


async def test_many_who_ask_at_once_get_no_more_than_there_are(harness: Harness) -> None:
    slots = await slots_of(harness)
    held = await asyncio.gather(*(slots.take("example.net", 5, never) for _ in range(20)))
    assert sum(slot is not None for slot in held) == 5


async def test_who_gives_up_asking_keeps_nothing(harness: Harness) -> None:
    slots = await slots_of(harness)
    for _ in range(5):
        asking = asyncio.create_task(slots.take("example.net", 1, never))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        if not asking.cancelled() and (slot := asking.result()) is not None:
            await slot.release()

    async def free() -> bool:
        slot = await slots.take("example.net", 1, never)
        return slot is not None

    await until(free, "the one slot is free")


async def test_a_broker_that_closes_gives_its_slots_back(harness: Harness) -> None:
    broker = await harness.open(User.DELIVERY)
    assert await broker.slots().take("example.net", 1, lambda: None) is not None
    await broker.close()
    slots = await slots_of(harness)
    async with asyncio.timeout(PATIENCE):
        while await slots.take("example.net", 1, never) is None:
            await asyncio.sleep(0.02)
