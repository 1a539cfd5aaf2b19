"""Two ingress processes behind HAProxy: with PROXY headers clients are who they are, without them nobody is trusted."""

import json
import smtplib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from tests.support import haproxy
from tests.support.haproxy import HAProxy, Service
from tests.support.ports import free_port
from tests.support.processes import Process, toml
from tests.support.programs import needed
from tests.support.rabbitmq import RabbitNode
from tests.support.rabbitmq_world import on_rabbitmq
from tests.support.waiting import wait_for
from tests.support.world import OUTSIDER, PASSWORD, TRUSTED, USER, Answer, World, mail, octets, transaction, world_on

pytestmark = pytest.mark.rabbitmq

FOREIGN = "someone@elsewhere.example"
HOSTED = "bob@hosted.example"
STRANGER = "stranger@elsewhere.example"
KINDS = ("relay", "submission", "submissions", "bare")
"""Of listener; `bare` is a relay listener without `proxy_from`."""


class Balanced(NamedTuple):
    """The world, and in front of two more ingress processes a port for each kind of listener."""

    world: World
    doors: list[Process]
    balancer: HAProxy
    relay: int
    submission: int
    submissions: int
    bare: int
    old: int
    """The relay listeners again, with headers of version 1."""

    def open(self, source: str, port: int) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", port, "client.example", 60, (source, 0))

    def send(self, source: str, port: int, recipient: str, *, tls: bool = False) -> Answer:
        """Send one message through the balancer."""
        with self.open(source, port) as client:
            if tls:
                client.starttls(context=self.world.trust)
            client.ehlo()
            return transaction(client, STRANGER, recipient, octets(mail(STRANGER, recipient, "balanced")))

    def events(self, door: Process) -> list[dict[str, Any]]:
        """Return the lines that an ingress process has logged."""
        return [json.loads(line) for line in door.log().splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def balanced(rabbit_session: RabbitNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    needed("haproxy")
    directory = tmp_path_factory.mktemp("balanced")
    rabbit_session.ensure_running()
    with ExitStack() as stack:
        broker = stack.enter_context(on_rabbitmq(rabbit_session, directory))
        # The balancer's address is in a trusted network, as it might be by mistake.
        trusted = {"relay": {"trusted_networks": [TRUSTED, haproxy.ADDRESS]}}
        world = stack.enter_context(world_on(broker, directory, trusted))
        ports = [{kind: free_port() for kind in KINDS} for _ in range(2)]
        doors = [
            world.relay.process(f"ingress-{number}", ["ingress"], {"SLUICE_INGRESS__LISTENER": listeners(mine)})
            for number, mine in enumerate(ports)
        ]
        for door in doors:
            stack.callback(door.kill)
            door.start()
        services = [Service([mine[kind] for mine in ports], "send-proxy-v2") for kind in KINDS[:3]]
        services += [Service([mine["bare"] for mine in ports], "")]
        services += [Service([mine["relay"] for mine in ports], "send-proxy")]
        balancer = stack.enter_context(HAProxy(directory, services))
        yield Balanced(world, doors, balancer, *balancer.ports)


def listeners(ports: dict[str, int]) -> str:
    """Return `ingress.listener` of one process, as the environment gives it."""
    return toml(
        [
            {
                "address": f"127.0.0.1:{port}",
                "mode": "relay" if kind == "bare" else kind,
                "proxy_from": [] if kind == "bare" else [haproxy.ADDRESS],
            }
            for kind, port in ports.items()
        ]
    )


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "STARTTLS"])
@pytest.mark.parametrize("version", ["relay", "old"])
def test_a_trusted_client_relays_and_a_stranger_does_not(balanced: Balanced, version: str, tls: bool) -> None:
    port = getattr(balanced, version)
    for _ in range(4):  # at both processes, whoever's turn it is
        assert balanced.send(TRUSTED, port, FOREIGN, tls=tls).code == 250
        refused = balanced.send(OUTSIDER, port, FOREIGN, tls=tls)
        assert (refused.code, refused.status, refused.at) == (550, "5.7.1", "RCPT")
        assert balanced.send(OUTSIDER, port, HOSTED, tls=tls).code == 250
    for door in balanced.doors:
        accepted = [line for line in balanced.events(door) if line["event"] == "accepted"]
        assert {line["client"] for line in accepted} >= {TRUSTED, OUTSIDER}


def test_the_trace_field_names_the_client_and_not_the_balancer(balanced: Balanced) -> None:
    to = "traced@hosted.example"
    assert balanced.send(OUTSIDER, balanced.relay, to).code == 250
    (arrived,) = balanced.world.arrived(to)
    assert f"([{OUTSIDER}])".encode() in arrived.content
    assert haproxy.ADDRESS.encode() not in arrived.content


@pytest.mark.parametrize("source", [TRUSTED, OUTSIDER])
def test_tls_from_the_first_octet_goes_through(balanced: Balanced, source: str) -> None:
    """The balancer does not end it: the header is in front, in clear."""
    to = f"{source}@elsewhere.example"
    for _ in range(2):
        with smtplib.SMTP_SSL(
            "127.0.0.1",
            balanced.submissions,
            "client.example",
            timeout=60,
            source_address=(source, 0),
            context=balanced.world.trust,
        ) as client:
            client.ehlo()
            assert transaction(client, USER, to, b"").code == 530
            client.login(USER, PASSWORD)
            assert transaction(client, USER, to, octets(mail(USER, to, "submitted"))).code == 250
    clients = {line["client"] for door in balanced.doors for line in balanced.events(door) if line.get("user") == USER}
    assert source in clients
    assert haproxy.ADDRESS not in clients


def test_starttls_on_the_submission_port_goes_through(balanced: Balanced) -> None:
    with balanced.open(OUTSIDER, balanced.submission) as client:
        client.starttls(context=balanced.world.trust)
        client.login(USER, PASSWORD)
        assert transaction(client, USER, FOREIGN, octets(mail(USER, FOREIGN, "submitted"))).code == 250


@pytest.mark.parametrize("source", [TRUSTED, OUTSIDER])
def test_without_a_header_nobody_behind_the_balancer_is_trusted(balanced: Balanced, source: str) -> None:
    refused = balanced.send(source, balanced.bare, FOREIGN)
    assert (refused.code, refused.status) == (550, "5.7.1")
    assert balanced.send(source, balanced.bare, HOSTED).code == 250


def test_the_balancers_checks_leave_no_line(balanced: Balanced) -> None:
    """Every tenth of a second at each listener with `proxy_from`, for all the time that these tests take."""
    for door in balanced.doors:
        lines = [line for line in balanced.events(door) if line.get("client") in {haproxy.ADDRESS, "unknown"}]
        assert [line for line in lines if line["event"] == "session" and not line["commands"]] == []
        assert [line for line in lines if line["event"] == "refused" and line["rule"] != "relay.hosted"] == []


def test_the_start_warns_of_what_the_configuration_gets_wrong(balanced: Balanced) -> None:
    for door in balanced.doors:
        problems = [line["problem"] for line in balanced.events(door) if line["event"] == "configuration problem"]
        assert [text for text in problems if "relay.trusted_networks" in text and "never trusted" in text]
        assert [text for text in problems if "ingress.listener[3].proxy_from: takes no PROXY header" in text]


def test_mail_goes_on_while_one_of_the_processes_is_down(balanced: Balanced) -> None:
    first = balanced.doors[0]
    first.kill()
    try:
        wait_for(lambda: "s0 is DOWN" in balanced.balancer.log())
        for _ in range(4):
            assert balanced.send(OUTSIDER, balanced.relay, HOSTED).code == 250
    finally:
        first.start()
    wait_for(lambda: "s0 is UP" in balanced.balancer.log())
    before = first.log().count('"accepted"')
    for _ in range(4):
        assert balanced.send(OUTSIDER, balanced.relay, HOSTED).code == 250
    assert first.log().count('"accepted"') > before
