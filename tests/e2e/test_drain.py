"""SIGTERM: what is in hand is finished or handed back, the process ends with 0, and nothing is lost or sent twice."""

import contextlib
import smtplib

import pytest

from tests.support.smtp_server import Delay
from tests.support.waiting import wait_for
from tests.support.world import OUTSIDER, TRUSTED, USER, World, mail, octets

STRANGER = "stranger@elsewhere.example"


def test_a_transaction_past_the_final_dot_is_finished_when_ingress_is_told_to_stop(world: World) -> None:
    """The broker is slow to confirm; SIGTERM comes meanwhile; the client still gets its answer, and it is true."""
    to = "past-dot@hosted.example"
    content = octets(mail(STRANGER, to, "past the dot"))
    process = world.relay["ingress"]
    with contextlib.closing(begin(world, to)) as client:
        with world.broker.hold():
            client.send(ending(content))
            wait_for(lambda: process.readiness()[0] == 503, 60)
            process.signal_term()
            wait_for(lambda: "draining" in process.readiness()[1], 60)
        assert client.getreply()[0] == 250
    assert process.wait() == 0, process.tail()
    process.start()
    world.arrived(to)


def test_a_transaction_before_the_final_dot_is_told_to_come_back(world: World) -> None:
    to = "before-dot@hosted.example"
    content = octets(mail(STRANGER, to, "before the dot"))
    process = world.relay["ingress"]
    with contextlib.closing(begin(world, to)) as client:
        client.send(content[:40])
        process.signal_term()
        assert client.getreply()[0] == 421
    assert process.wait() == 0, process.tail()
    process.start()
    assert world.send(OUTSIDER, STRANGER, to, content).code == 250
    assert len(world.arrived(to)) == 1


def begin(world: World, recipient: str) -> smtplib.SMTP:
    """Return a session with a transaction whose content is awaited."""
    client = smtplib.SMTP("127.0.0.1", world.ports.relay, "client.example", 60, (OUTSIDER, 0))
    client.ehlo()
    client.mail(STRANGER)
    client.rcpt(recipient)
    assert client.docmd("DATA")[0] == 354
    return client


def ending(content: bytes) -> bytes:
    """Return content as it goes over the wire, the final dot included."""
    return content.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def test_a_delivery_in_progress_is_finished_once_when_delivery_is_told_to_stop(world: World) -> None:
    to = "slow@elsewhere.example"
    process = world.relay["delivery"]
    world.destination.script(".", Delay(2, "250 2.0.0 at last"), "250 2.0.0 ok")
    assert world.send(TRUSTED, USER, to, octets(mail(USER, to, "slow"))).code == 250
    wait_for(lambda: any(to in line for line in world.destination.commands), 60)
    assert process.terminate() == 0, process.tail()
    assert len(world.held(to)) == 1
    process.start()
    after = "after-slow@elsewhere.example"
    assert world.send(TRUSTED, USER, after, octets(mail(USER, after, "after"))).code == 250
    world.arrived(after)
    assert len(world.held(to)) == 1


@pytest.mark.parametrize("stage", ["ingress", "screener", "delivery"])
def test_an_idle_process_ends_with_status_0(world: World, stage: str) -> None:
    process = world.relay[stage]
    assert process.terminate() == 0, process.tail()
    process.start()
