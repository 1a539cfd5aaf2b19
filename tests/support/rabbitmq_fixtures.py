"""Fixtures that give a test a RabbitMQ node; a pytest plugin, loaded by tests/conftest.py."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from shared.broker.topology import Limits
from tests.contract.rabbitmq_harness import RabbitHarness
from tests.support.rabbitmq import Node, RabbitNode
from tests.support.rabbitmq_image import ImageNode, docker_answers


def _absent(what: str) -> None:
    """Fail where the suite must be complete, skip with the reason elsewhere."""
    if os.environ.get("CI") == "true" or os.environ.get("SLUICE_REQUIRE_RABBITMQ"):
        pytest.fail(f"{what}: the broker tests may not be skipped here")
    pytest.skip(f"{what}: broker tests did NOT run")


def _started(node: RabbitNode) -> Iterator[RabbitNode]:
    try:
        node.start()
        yield node
    finally:
        node.close()


@pytest.fixture(scope="session")
def rabbit_session() -> Iterator[RabbitNode]:
    """Yield the session's Debian node. Tests use `rabbit_node`, which repairs it after each."""
    if not Node.installed():
        _absent("rabbitmq-server is not installed (apt-get install rabbitmq-server)")
    yield from _started(Node())


@pytest.fixture(scope="session")
def rabbit_session_4() -> Iterator[RabbitNode]:
    """Yield the session's node from the 4.x image."""
    if not docker_answers():
        _absent("no Docker engine answers")
    yield from _started(ImageNode())


@pytest.fixture
def rabbit_node(rabbit_session: RabbitNode) -> Iterator[RabbitNode]:
    """Yield a running Debian node; the test may kill, stop or pause it."""
    rabbit_session.ensure_running()
    yield rabbit_session
    rabbit_session.ensure_running()


@pytest.fixture
def rabbit_node_4(rabbit_session_4: RabbitNode) -> Iterator[RabbitNode]:
    """Yield a running 4.x node; the test may kill, stop or pause it."""
    rabbit_session_4.ensure_running()
    yield rabbit_session_4
    rabbit_session_4.ensure_running()


BOTH = [
    pytest.param("rabbit_node", marks=pytest.mark.rabbitmq, id="3.10"),
    pytest.param("rabbit_node_4", marks=(pytest.mark.rabbitmq, pytest.mark.docker), id="4"),
]
SMALL = Limits(work_bytes=100_000)
"""Queues for fresh mail that are soon full."""


@pytest.fixture
async def rabbit(rabbit_node: RabbitNode) -> AsyncIterator[RabbitHarness]:
    """Yield Debian's node with an empty topology."""
    harness = await RabbitHarness.create(rabbit_node)
    yield harness
    await harness.close()


@pytest.fixture(params=BOTH)
def either_node(request: pytest.FixtureRequest) -> RabbitNode:
    """Return each node in turn."""
    node = request.getfixturevalue(request.param)
    assert isinstance(node, RabbitNode)
    return node


@pytest.fixture
async def both(either_node: RabbitNode) -> AsyncIterator[RabbitHarness]:
    """Yield each node in turn with an empty topology."""
    harness = await RabbitHarness.create(either_node)
    yield harness
    await harness.close()


@pytest.fixture
async def damaged(either_node: RabbitNode) -> AsyncIterator[RabbitHarness]:
    """Yield each node in turn with a vhost that the test may damage, and queues for fresh mail that are soon full."""
    harness = await RabbitHarness.create(either_node, "damaged", SMALL)
    yield harness
    await harness.close()
