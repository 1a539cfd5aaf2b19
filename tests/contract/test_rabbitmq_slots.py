"""Slots on RabbitMQ among several workers: who vanishes, who stops, whose link is cut."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from shared.broker.admin import apply
from shared.broker.rabbitmq import RabbitBroker, Settings, connect
from shared.broker.rabbitmq.roll import Roll, counted
from shared.broker.topology import SLOT_PREFIX, SLOT_ROLL, Limits, User
from tests.contract.harness import PATIENCE, until
from tests.contract.rabbitmq_harness import PASSWORDS, RabbitHarness
from tests.support.proxy import Proxy

pytestmark = pytest.mark.rabbitmq
SITE = "example.net"
QUICK = Settings(slot_probe=0.05, slot_silence=0.5, slot_guard=1.5, slot_absence=0.2)


@pytest.fixture
async def proxy(both: RabbitHarness) -> AsyncIterator[Proxy]:
    """Yield a proxy in front of the node."""
    async with Proxy(both.node.amqp_port) as proxy:
        yield proxy


async def behind(harness: RabbitHarness, proxy: Proxy, settings: Settings = QUICK) -> RabbitBroker:
    """Return a delivery worker's broker whose connections go through the proxy."""
    url = re.sub(r":\d+/", f":{proxy.port}/", harness.url(User.DELIVERY))
    return await connect(url, User.DELIVERY, settings)


class Holder:
    """Takes every slot of a site and notes when it loses one."""

    def __init__(self, broker: RabbitBroker, limit: int) -> None:
        self.broker = broker
        self.limit = limit
        self.lost = 0

    def _lose(self) -> None:
        self.lost += 1

    async def fill(self) -> None:
        async with asyncio.timeout(PATIENCE):
            for _ in range(self.limit):
                while await self.broker.slots().take(SITE, self.limit, self._lose) is None:
                    await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("count", "before", "guarded"), [(3, None, False), (3, 3, False), (4, 3, False), (2, 3, True), (0, 3, True)]
)
def test_a_smaller_roll_begins_the_guard_time(count: int, before: int | None, guarded: bool) -> None:
    roll = counted(Roll(before, 50.0), count, 100.0, 15.0)
    assert roll == Roll(count, 115.0 if guarded else 50.0)


async def test_what_one_worker_holds_no_other_gets(both: RabbitHarness) -> None:
    first, second = await both.open(User.DELIVERY), await both.open(User.DELIVERY)
    held = [await broker.slots().take(SITE, 3, lambda: None) for broker in (first, second) * 3]
    assert sum(slot is not None for slot in held) == 3


@pytest.mark.parametrize("harm", ["cut", "cut_far_side", "silence"])
async def test_no_slot_is_anothers_before_its_holder_knows(both: RabbitHarness, proxy: Proxy, harm: str) -> None:
    """Cut on both sides, at the broker's side alone (a middlebox), or silent: the holder always hears of it first."""
    other = await connect(both.url(User.DELIVERY), User.DELIVERY, QUICK)
    assert await other.slots().take("another.example", 1, lambda: None) is not None
    holder = Holder(await behind(both, proxy), 2)
    await holder.fill()
    await until(lambda: other.slots().workers == 2, "the holder is counted")
    assert await other.slots().take(SITE, 2, lambda: None) is None
    getattr(proxy, harm)()
    taken_early = 0
    while holder.lost < 2:
        if await other.slots().take(SITE, 2, lambda: None) is not None:
            taken_early += 1
        await asyncio.sleep(0.01)
    assert taken_early == 0
    if harm != "silence":  # RabbitMQ waits for two heartbeats of a silent one

        async def free() -> bool:
            return await other.slots().take(SITE, 2, lambda: None) is not None

        await until(free, "the slots are free")
    proxy.resume()
    proxy.cut()
    await holder.broker.close()
    await other.close()


async def test_whoever_lost_slots_is_missed_and_takes_none(both: RabbitHarness, proxy: Proxy) -> None:
    """A host may see later than its client that a session was aborted: connected at once, it sees one more."""
    other = await connect(both.url(User.DELIVERY), User.DELIVERY, QUICK._replace(slot_guard=120))
    assert await other.slots().take("another.example", 1, lambda: None) is not None
    holder = Holder(await behind(both, proxy, QUICK._replace(slot_absence=60)), 2)
    await holder.fill()
    await until(lambda: other.slots().workers == 2, "the holder is counted")
    connections = proxy.connections
    proxy.cut()
    await until(lambda: holder.lost == 2 and proxy.connections >= connections + 2, "it is connected again")
    await until(lambda: other.slots().workers == 1, "it is missed")
    assert await holder.broker.slots().take(SITE, 2, lambda: None) is None
    assert await other.slots().take(SITE, 2, lambda: None) is None
    await holder.broker.close()
    await other.close()


async def test_slots_are_had_again_after_the_broker_was_killed(both: RabbitHarness) -> None:
    holder = Holder(await connect(both.url(User.DELIVERY), User.DELIVERY, QUICK), 2)
    await holder.fill()
    await both.restart()
    await until(lambda: holder.lost == 2, "both slots are lost")
    await holder.fill()
    assert holder.broker.slots().trouble() is None
    await holder.broker.close()


async def test_without_the_permission_the_remedy_is_named(both: RabbitHarness) -> None:
    broker = await connect(both.url(User.SCREENER), User.SCREENER, QUICK)
    slots = broker.slots()
    asking = asyncio.create_task(slots.take(SITE, 1, lambda: None))
    await until(lambda: "sluice broker apply" in (slots.trouble() or ""), "the trouble is told")
    assert await asking is None
    await broker.close()


async def test_slots_are_had_while_there_is_no_roll(both: RabbitHarness) -> None:
    """It is on one node of a cluster: while that is down, connections are opened without a guard time."""
    broker = await connect(both.url(User.DELIVERY), User.DELIVERY, QUICK)
    slots = broker.slots()
    assert await slots.take(SITE, 3, lambda: None) is not None
    both.node.api("DELETE", f"queues/{both.vhost}/{SLOT_ROLL}")
    assert await slots.take(SITE, 3, lambda: None) is not None
    await until(lambda: slots.workers == 0, "nobody is counted")
    assert not await apply(both.target, PASSWORDS, Limits())
    await until(lambda: slots.workers == 1, "the worker is counted again")
    assert await slots.take(SITE, 3, lambda: None) is not None
    assert await slots.take(SITE, 3, lambda: None) is None
    await broker.close()


async def test_names_leave_nothing_behind(both: RabbitHarness) -> None:
    """No queue remains, and no atom is made of a site's name."""
    slots = (await both.open(User.DELIVERY)).slots()

    def atoms() -> int:
        return int(both.node.ctl("eval", "erlang:system_info(atom_count)."))

    async def use(first: int) -> None:
        for number in range(first, first + 50):
            slot = await slots.take(f"site{number}.example", 1, lambda: None)
            assert slot is not None
            await slot.release()

    await use(0)
    before = await asyncio.to_thread(atoms)
    await use(50)
    assert await asyncio.to_thread(atoms) - before < 40
    queues = both.node.api("GET", f"queues/{both.vhost}?disable_stats=true&enable_queue_totals=true")
    assert isinstance(queues, list)
    left = {queue["name"] for queue in queues if queue["name"].startswith(SLOT_PREFIX)}
    assert left == {SLOT_ROLL}
