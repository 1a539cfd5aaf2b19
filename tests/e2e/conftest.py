"""One relay per module and broker: `sluice up` on SQLite, three processes on RabbitMQ."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.support.rabbitmq import RabbitNode
from tests.support.rabbitmq_world import on_rabbitmq
from tests.support.world import World, on_sqlite, world_on


@contextmanager
def running(
    request: pytest.FixtureRequest, factory: pytest.TempPathFactory, extra: Mapping[str, Any] | None = None
) -> Iterator[World]:
    """Run a relay on the broker that is the request's parameter."""
    directory = factory.mktemp("world")
    with ExitStack() as stack:
        if request.param == "sqlite":
            broker = on_sqlite(directory)
        else:
            node: RabbitNode = request.getfixturevalue("rabbit_session")
            node.ensure_running()
            broker = stack.enter_context(on_rabbitmq(node, directory))
        yield stack.enter_context(world_on(broker, directory, extra))


@pytest.fixture(scope="module", params=["sqlite", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running relay and its neighbours, shared by a module's tests: each uses recipients of its own."""
    with running(request, tmp_path_factory) as world:
        yield world


@pytest.fixture(scope="module", params=["sqlite", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def patient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """As `world`, but what a host puts off waits for two hours."""
    with running(request, tmp_path_factory, {"delivery": {"retry": ["2h"]}}) as world:
        yield world
