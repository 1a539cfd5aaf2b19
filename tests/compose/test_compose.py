"""compose.yaml as shipped: mail flows, and nothing is lost when containers go."""

import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.broker import topology
from tests.compose.project import ROOT, SERVICES, Project, tokens
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


def test_every_message_arrives_though_a_delivery_container_is_killed_in_the_middle(relay: Project) -> None:
    """200 messages, three containers of delivery and two of the screener, one of them killed with mail in hand."""
    relay.up("--scale", "delivery=3", "--scale", "screener=2")
    victim, *others = relay.containers("delivery")
    assert len(others) == 2
    assert len(relay.containers("screener")) == 2
    sent = set(tokens(200))
    batches = [sorted(sent)[start::4] for start in range(4)]
    killer = threading.Thread(target=_kill_after, args=(relay, victim, sent, 40))
    killer.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(relay.send, batches))
    killer.join()
    assert victim not in relay.containers("delivery")
    wait_for(lambda: sent <= relay.arrived(), timeout=120, pause=0.5)
    relay.up("--scale", "delivery=1", "--scale", "screener=1")


def _kill_after(relay: Project, container: str, sent: set[str], count: int) -> None:
    wait_for(lambda: len(sent & relay.arrived()) >= count, timeout=120, pause=0.01)
    assert len(sent & relay.arrived()) < len(sent)
    subprocess.run(["docker", "kill", container], check=True, capture_output=True)


def test_queued_mail_survives_down_and_up(relay: Project, admin: str) -> None:
    """Mail that waits for delivery is in the broker, shown by its HTTP API, and delivered after `down` and `up`."""
    relay.compose("stop", "delivery")
    sent = set(tokens(50))
    relay.send(sorted(sent))
    wait_for(lambda: relay.queue("mail.deliver", admin).get("messages_ready") == 50, timeout=120, pause=1)
    _shows_a_readable_item(relay, admin)
    relay.down()
    assert relay.containers("rabbitmq") == []
    relay.up()
    wait_for(lambda: sent <= relay.arrived(), timeout=120, pause=0.5)
    assert relay.password("admin") == admin


def _shows_a_readable_item(relay: Project, admin: str) -> None:
    """What "Get messages" shows in the user interface, in the mode that puts the message back."""
    get = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": 50000}
    shown = relay.api("queues/%2F/mail.deliver/get", admin, get)[0]
    assert shown["payload_encoding"] == "string"
    item, _, content = shown["payload"].partition("\n")
    fields = json.loads(item)["item"]
    assert fields["envelope"]["sender"] == "ann@elsewhere.example"
    assert fields["envelope"]["recipients"][0]["address"] == "bob@example.org"
    assert fields["destination"] == "example.org"
    assert fields["verdict"]["action"] == "pass"
    assert "\r\n\r\nHello Bob.\r\n" in content
    properties = shown["properties"]
    assert properties["message_id"].startswith(fields["id"])
    assert properties["delivery_mode"] == 2
    assert fields["id"] in properties["headers"].values()
    wait_for(lambda: relay.queue("mail.deliver", admin).get("messages_ready") == 50, timeout=60, pause=1)


def test_queued_mail_survives_a_killed_broker(relay: Project) -> None:
    """The broker's container is killed with mail in its queues; `up` starts it again and the services carry on."""
    relay.compose("stop", "delivery")
    sent = set(tokens(20))
    relay.send(sorted(sent))
    subprocess.run(["docker", "kill", *relay.containers("rabbitmq")], check=True, capture_output=True)
    relay.up()
    wait_for(lambda: sent <= relay.arrived(), timeout=120, pause=0.5)


def test_the_http_api_shows_queues_types_and_counts(relay: Project, admin: str) -> None:
    """Every queue of the topology is there, durable and of its type, with its counts."""
    wait_for(lambda: all("messages" in queue for queue in relay.api("queues", admin)), timeout=60, pause=1)
    shown = {queue["name"]: queue for queue in relay.api("queues", admin)}
    expected = dict.fromkeys(topology.quorum_queues(), "quorum") | {topology.QUARANTINE_INDEX: "stream"}
    assert {name: shown[name]["type"] for name in expected} == expected
    assert all(shown[name]["durable"] for name in expected)


def test_the_version_of_the_broker_is_4(relay: Project, admin: str) -> None:
    assert relay.api("overview", admin)["rabbitmq_version"].startswith("4.")


def test_a_stopped_service_drains_and_exits_0(relay: Project) -> None:
    """SIGTERM reaches each service itself, not a shell, and is obeyed within the grace period."""
    stopped = [relay.containers(service)[0] for service in SERVICES]
    relay.compose("stop", *SERVICES)
    assert [container["State"]["ExitCode"] for container in relay.inspect(*stopped)] == [0, 0, 0]
    relay.up()


def test_the_command_line_sees_the_queues(relay: Project) -> None:
    """`cli` speaks to the broker as the operator, and as the administrator where it must."""
    assert "mail.deliver" in relay.compose("run", "--rm", "-T", "cli", "queue", "status")
    relay.compose("run", "--rm", "-T", "cli", "quarantine", "list")
    relay.compose("run", "--rm", "-T", "cli", "broker", "check")


def test_the_example_configuration_is_valid() -> None:
    """What a user edits is accepted as it is shipped, trusts nobody and hosts example.org."""
    from shared.config.load import load  # noqa: PLC0415  (beside its only use)

    config = load(ROOT / "deploy/compose/sluice.toml", {})
    assert config.relay.trusted_networks == ()
    assert list(config.relay.hosted) == ["example.org"]
