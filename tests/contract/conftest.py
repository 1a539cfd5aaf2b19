"""The contract suite runs on every broker: `harness` is one empty broker of each kind in turn."""

import importlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.harness import Harness
from tests.contract.sqlite_harness import SqliteHarness

NODES = {"rabbitmq": "rabbit_node", "rabbitmq-4": "rabbit_node_4"}
"""The session fixture of each node, from tests/support/rabbitmq_fixtures.py."""


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("rabbitmq", marks=pytest.mark.rabbitmq),
        pytest.param("rabbitmq-4", marks=(pytest.mark.rabbitmq, pytest.mark.docker)),
    ]
)
def broker_kind(request: pytest.FixtureRequest) -> tuple[str, object]:
    """The broker's name, and the running node where there is one."""
    kind: str = request.param
    return kind, request.getfixturevalue(NODES[kind]) if kind in NODES else None


@pytest.fixture
async def harness(broker_kind: tuple[str, object], tmp_path: Path) -> AsyncIterator[Harness]:
    """One empty broker with the whole topology."""
    kind, node = broker_kind
    opened: Harness
    if kind == "sqlite":
        opened = SqliteHarness(tmp_path)
    else:
        opened = await importlib.import_module("tests.contract.rabbitmq_harness").RabbitHarness.create(node)
    yield opened
    await opened.close()
