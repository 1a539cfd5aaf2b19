"""The account of the kill tests is itself tested: a screener that acknowledges before publishing makes it fail."""

import sys
from collections.abc import Iterator

import pytest

from tests.support.ordeal import BROAD, at_each_mark, under_load
from tests.support.processes import Process
from tests.support.rabbitmq import RabbitNode
from tests.support.rabbitmq_world import on_rabbitmq
from tests.support.world import World, world_on

pytestmark = [pytest.mark.chaos, pytest.mark.rabbitmq]


@pytest.fixture
def world(rabbit_node: RabbitNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three processes on RabbitMQ."""
    directory = tmp_path_factory.mktemp("ack-first")
    with on_rabbitmq(rabbit_node, directory) as broker, world_on(broker, directory, BROAD) as world:
        yield world


@pytest.fixture
def wrong(world: World) -> Iterator[Process]:
    """The wrong screener in the place of the right one."""
    world.relay["screener"].kill()
    argv = [sys.executable, "-m", "tests.support.ack_first", str(world.relay.config_file)]
    process = Process("ack-first", argv, world.relay.directory).start()
    yield process
    process.kill()


async def test_a_worker_that_acknowledges_first_is_caught(world: World, wrong: Process) -> None:
    def strike() -> None:
        wrong.kill()
        wrong.start()

    async with under_load(world, messages=300, quiet=10) as ordeal:
        await at_each_mark(ordeal, (100, 200), strike)
    assert ordeal.ledger.answered == 300
    assert ordeal.ledger.missing(), "the loss was not noticed"


async def test_the_same_worker_loses_nothing_while_nobody_kills_it(world: World, wrong: Process) -> None:
    """So it is the order that loses mail, not something else about this screener."""
    async with under_load(world, messages=100) as ordeal:
        pass
    assert ordeal.ledger.missing() == []
