"""kill -9 of every process under load: what was answered 250 is delivered, at least once."""

import time
from collections.abc import Iterator

import pytest

from tests.support.ordeal import BROAD, MESSAGES, Ordeal, at_each_mark, under_load
from tests.support.processes import Process
from tests.support.rabbitmq import RabbitNode
from tests.support.rabbitmq_world import on_rabbitmq
from tests.support.world import World, on_sqlite, world_on

pytestmark = pytest.mark.chaos
MARKS = (150, 400, 650, 900)


@pytest.fixture
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """`sluice up` on SQLite."""
    directory = tmp_path_factory.mktemp("chaos")
    with world_on(on_sqlite(directory), directory, BROAD) as world:
        yield world


@pytest.fixture
def cluster(rabbit_node: RabbitNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three processes on RabbitMQ."""
    directory = tmp_path_factory.mktemp("chaos")
    with on_rabbitmq(rabbit_node, directory) as broker, world_on(broker, directory, BROAD) as world:
        yield world


def kill_and_restart(process: Process) -> None:
    process.kill()
    process.start()


def assert_nothing_lost(ordeal: Ordeal) -> None:
    assert ordeal.ledger.answered == MESSAGES
    assert ordeal.ledger.missing() == [], ordeal.world.relay.log()[-20000:]


@pytest.mark.rabbitmq
@pytest.mark.parametrize("stage", ["ingress", "screener", "delivery"])
async def test_a_service_killed_again_and_again_under_load_loses_nothing(cluster: World, stage: str) -> None:
    process = cluster.relay[stage]
    async with under_load(cluster) as ordeal:
        await at_each_mark(ordeal, MARKS, lambda: kill_and_restart(process))
    assert_nothing_lost(ordeal)
    if stage == "ingress":
        assert ordeal.load.troubles > 0, "no kill was felt at the door"


@pytest.mark.rabbitmq
async def test_the_broker_killed_under_load_loses_nothing(cluster: World, rabbit_node: RabbitNode) -> None:
    pids = [process.pid for process in cluster.relay.processes.values()]

    def strike() -> None:
        rabbit_node.kill()
        time.sleep(1)  # long enough for clients to be refused meanwhile
        rabbit_node.start()

    async with under_load(cluster) as ordeal:
        await at_each_mark(ordeal, (200, 700), strike)
    assert_nothing_lost(ordeal)
    assert ordeal.load.troubles > 0, "no kill was felt at the door"
    assert [process.pid for process in cluster.relay.processes.values()] == pids
    assert all(process.running for process in cluster.relay.processes.values())


async def test_the_embedded_relay_killed_again_and_again_under_load_loses_nothing(embedded: World) -> None:
    process = embedded.relay["up"]
    async with under_load(embedded) as ordeal:
        await at_each_mark(ordeal, MARKS, lambda: kill_and_restart(process))
    assert_nothing_lost(ordeal)
    assert ordeal.load.troubles > 0, "no kill was felt at the door"
