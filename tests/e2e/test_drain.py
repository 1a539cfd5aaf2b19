"""SIGTERM: what is in hand is finished or handed back, the process ends with 0, and nothing is lost or sent twice."""

import smtplib

import pytest

from tests.support.smtp_server import Delay
from tests.support.waiting import wait_for
from tests.support.world import OUTSIDER, TRUSTED, USER, World, mail, octets

STRANGER = "stranger@elsewhere.example"


def test_a_transaction_past_data_is_finished_when_ingress_is_told_to_stop(world: World) -> None:
    to = "drain@hosted.example"
    content = octets(mail(STRANGER, to, "drain"))
    process = world.relay["ingress"]
    with smtplib.SMTP("127.0.0.1", world.ports.relay, "client.example", 60, (OUTSIDER, 0)) as client:
        client.ehlo()
        client.mail(STRANGER)
        client.rcpt(to)
        assert client.docmd("DATA")[0] == 354
        client.send(content[:40])
        process.signal_term()
        wait_for(lambda: process.readiness()[0] != 200, 60)
        client.send(content[40:].replace(b"\r\n.", b"\r\n..") + b".\r\n")
        answered = client.getreply()[0]
    assert process.wait() == 0, process.tail()
    process.start()
    assert answered in {250, 421}
    if answered == 250:
        world.arrived(to)


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
