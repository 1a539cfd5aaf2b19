"""The broker goes and comes back: clients are told at once, and mail flows again with no restart of ours."""

import time
from collections.abc import Iterator

import pytest

from tests.support.rabbitmq import RabbitNode
from tests.support.rabbitmq_world import on_rabbitmq
from tests.support.waiting import wait_for
from tests.support.world import OUTSIDER, World, mail, octets, world_on

pytestmark = pytest.mark.rabbitmq
STRANGER = "stranger@elsewhere.example"


@pytest.fixture
def world(rabbit_node: RabbitNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three processes of its own."""
    directory = tmp_path_factory.mktemp("outage")
    with on_rabbitmq(rabbit_node, directory) as broker, world_on(broker, directory) as world:
        yield world


def test_a_stopped_broker_means_451_and_a_started_one_means_mail(world: World, rabbit_node: RabbitNode) -> None:
    def send(name: str) -> tuple[int, str]:
        to = f"{name}@hosted.example"
        answer = world.send(OUTSIDER, STRANGER, to, octets(mail(STRANGER, to, name)))
        return answer.code, answer.status

    pids = [process.pid for process in world.relay.processes.values()]
    assert send("before")[0] == 250
    rabbit_node.stop()
    try:
        start = time.monotonic()
        assert send("during") == (451, "4.3.2")
        assert time.monotonic() - start < 5  # the promise is one second; the rest is for a busy test machine
        wait_for(lambda: world.relay["ingress"].readiness()[0] == 503, 30)
    finally:
        rabbit_node.start()
    wait_for(lambda: send("after")[0] == 250, 60, pause=0.5)
    world.arrived("before@hosted.example")
    world.arrived("after@hosted.example")
    assert world.held("during@hosted.example") == []
    assert [process.pid for process in world.relay.processes.values()] == pids
    for process in world.relay.processes.values():
        process.wait_ready()
