"""One relay per module and broker: `sluice up` on SQLite, three processes on RabbitMQ."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.world import World, on_sqlite, world_on


@pytest.fixture(scope="module", params=["sqlite", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory: Path = tmp_path_factory.mktemp("world")
    with world_on(on_sqlite(directory), directory) as world:
        yield world
