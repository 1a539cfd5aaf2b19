"""One relay per module and broker: `sluice up` on SQLite, three processes on RabbitMQ."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.rabbitmq import RabbitNode
from tests.support.rabbitmq_world import on_rabbitmq
from tests.support.world import World, on_sqlite, world_on


@pytest.fixture(scope="module", params=["sqlite", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running relay and its neighbours, shared by a module's tests: each uses recipients of its own."""
    directory = tmp_path_factory.mktemp("world")
    with ExitStack() as stack:
        if request.param == "sqlite":
            broker = on_sqlite(directory)
        else:
            node: RabbitNode = request.getfixturevalue("rabbit_session")
            node.ensure_running()
            broker = stack.enter_context(on_rabbitmq(node, directory))
        yield stack.enter_context(world_on(broker, directory))
