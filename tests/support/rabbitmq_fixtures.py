"""Fixtures that give a test a RabbitMQ node; a pytest plugin, loaded by tests/conftest.py."""

import os
import time
from collections.abc import Iterator

import pytest

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
        _keep_streams_over_crashes(node)
        yield node
    finally:
        node.close()


def _keep_streams_over_crashes(node: RabbitNode) -> None:
    """Have the node's first stream declared well before any test kills it.

    RabbitMQ 3.10 writes down that it has a stream coordinator within a second after the first stream was declared, and
    not before: killed in between, its streams stay down for good. Nothing that could be polled tells when it has.
    """
    node.api("PUT", "queues/%2F/first-stream", {"durable": True, "arguments": {"x-queue-type": "stream"}})
    time.sleep(1.5)


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
