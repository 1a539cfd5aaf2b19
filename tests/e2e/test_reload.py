"""SIGHUP to a whole product under way: `sluice up`, and the three processes."""

import os
import signal
import tomllib
from typing import Any

from tests.support.processes import write_config
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import wait_for
from tests.support.world import OUTSIDER, World, mail, octets

SENDER = "stranger@elsewhere.example"


def change(world: World, **sections: dict[str, Any]) -> None:
    """Put other values into the configuration and send every process SIGHUP."""
    path = world.relay.config_file
    config = tomllib.loads(path.read_text())
    for section, values in sections.items():
        config[section] = {**config.get(section, {}), **values}
    write_config(path.with_suffix(".next"), config).replace(path)
    for process in world.relay.processes.values():
        os.kill(process.pid, signal.SIGHUP)


def wait_for_event(world: World, stage: str, event: str, count: int = 1) -> dict[str, Any]:
    """Return a stage's last line about an event once there are so many."""
    process = world.relay[stage]
    wait_for(lambda: len(process.events(event)) >= count)
    return process.events(event)[-1]


def attached(recipient: str) -> bytes:
    message = mail(SENDER, recipient, "with a drawing")
    message.add_attachment(b"lines and circles", maintype="application", subtype="x-draw", filename="plan.draw")
    return octets(message)


def test_every_stage_goes_by_the_new_configuration(world: World) -> None:
    """Ingress by a new deny list, the screener by new extensions, delivery by a new next hop; then all back."""
    old = tomllib.loads(world.relay.config_file.read_text())["relay"]
    with SmtpServer() as other:
        assert world.send(OUTSIDER, SENDER, "one@hosted.example", attached("one@hosted.example")).code == 250
        (before,) = world.arrived("one@hosted.example")
        assert b"plan.draw" in before.content
        change(
            world,
            relay={
                "denied_senders": ["spammer.example"],
                "hosted": {"hosted.example": f"127.0.0.1:{other.port}"},
            },
            screener={"inbound": {"extra_extensions": ["draw"]}},
        )
        for stage in ("ingress", "screener", "delivery"):
            wait_for_event(world, stage, "reloaded")
        assert world.send(OUTSIDER, "x@spammer.example", "two@hosted.example", b"").code == 550
        assert world.send(OUTSIDER, SENDER, "two@hosted.example", attached("two@hosted.example")).code == 250
        (after,) = other.wait_for(1, 60)
        assert after.recipients == ("two@hosted.example",)
        assert b"lines and circles" not in after.content
        assert b"bGluZXMgYW5kIGNpcmNsZXM" not in after.content
        assert world.held("two@hosted.example") == []
        change(world, relay=old, screener={"inbound": {}})
        for stage in ("ingress", "screener", "delivery"):
            wait_for_event(world, stage, "reloaded", 2)


def test_what_delivery_cannot_use_is_refused_and_mail_goes_on(world: World) -> None:
    """In one process none of the stages takes it."""
    change(world, delivery={"retry": []})
    line = wait_for_event(world, "delivery", "not reloaded, the old one stays in force")
    assert line["error"] == 'delivery.retry: it is empty, or a wait in it is 0: write waits such as ["1m", "5m"]'
    assert world.send(OUTSIDER, SENDER, "three@hosted.example", attached("three@hosted.example")).code == 250
    world.arrived("three@hosted.example")
    change(world, delivery={"retry": ["1s"]})
    wait_for(lambda: world.relay["delivery"].events("reloaded")[-1]["keys"] == [])
