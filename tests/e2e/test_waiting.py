"""`sluice queue flush|hold|resume|bounce` beside a relay at work, on both brokers."""

import json
from typing import Any

from tests.support.cli import Done, sluice
from tests.support.waiting import wait_for
from tests.support.world import TRUSTED, USER, World, mail, octets

LATER, OK = "450 4.2.0 come back later", "250 2.1.5 ok"


def queue(world: World, *args: str) -> Done:
    """Run a command on the relay's queues."""
    config = world.relay.config_file
    done = sluice("queue", *args, "--config", str(config), cwd=config.parent)
    assert done.status == 0, done.err
    return done


def waiting(world: World, to: str) -> list[dict[str, Any]]:
    """Return what waits for a recipient and was tried."""
    lines = [json.loads(line) for line in queue(world, "list", "--json").out.splitlines()]
    return [
        line
        for line in lines
        if line["item"].get("attempt") and line["item"]["envelope"]["recipients"][0]["address"] == to
    ]


def put_off(world: World, to: str) -> str:
    """Send a message that the destination puts off; return its id once it waits for its next try."""
    world.destination.script(f"RCPT {to}", LATER)
    assert world.send(TRUSTED, USER, to, octets(mail(USER, to, "put off"))).code == 250
    wait_for(lambda: len(waiting(world, to)) == 1, pause=0.5)
    (found,) = waiting(world, to)
    world.destination.script(f"RCPT {to}", OK)
    message_id: str = found["id"]
    return message_id


def total(done: Done) -> int:
    """Return the count at the end."""
    return int(done.out.split()[-1])


def flushed(world: World, *domains: str) -> None:
    """Flush until something was made due: what has just been looked at may not be back yet."""
    wait_for(lambda: total(queue(world, "flush", *domains)) >= 1, pause=0.5)


def test_what_is_flushed_is_delivered_now_and_nothing_else(patient: World) -> None:
    put_off(patient, "one@elsewhere.example")
    put_off(patient, "two@hosted.example")
    flushed(patient, "elsewhere.example")
    assert len(patient.arrived("one@elsewhere.example")) == 1
    assert patient.held("two@hosted.example") == []
    flushed(patient)
    assert len(patient.arrived("two@hosted.example")) == 1
    assert len(patient.held("one@elsewhere.example")) == 1


def test_what_fails_again_is_tried_once(patient: World) -> None:
    to = "again@elsewhere.example"
    put_off(patient, to)
    patient.destination.script(f"RCPT {to}", LATER)
    flushed(patient)
    wait_for(lambda: [line["item"]["attempt"] for line in waiting(patient, to)] == [2], pause=0.5)
    assert sum(to in command for command in patient.destination.commands) == 2
    patient.destination.script(f"RCPT {to}", OK)
    flushed(patient)
    patient.arrived(to)


def test_held_mail_stays_until_it_is_resumed(patient: World) -> None:
    to = "held@elsewhere.example"
    message_id = put_off(patient, to)
    wait_for(lambda: total(queue(patient, "hold", message_id)) == 1, pause=0.5)
    assert total(queue(patient, "flush")) == 0
    assert patient.held(to) == []
    wait_for(lambda: total(queue(patient, "resume", message_id)) == 1, pause=0.5)
    assert len(patient.arrived(to)) == 1


def test_the_sender_of_what_is_given_up_is_told(patient: World) -> None:
    to = "never@elsewhere.example"
    message_id = put_off(patient, to)
    wait_for(lambda: total(queue(patient, "bounce", message_id, "--yes", "--reason", "too late")) == 1, pause=0.5)
    report = patient.report(to)
    assert list(report.recipients) == [USER]
    assert b"given up by the operator: too late" in report.content
    assert b"the last answer of mx.elsewhere.example was: 450 4.2.0 come back later" in report.content
    assert patient.held(to) == []
