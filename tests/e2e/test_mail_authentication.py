"""What SPF says of a stranger decides, three stages later, whether the sender may be told of a failure."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_for
from tests.support.world import OUTSIDER, World, mail, octets, on_sqlite, world_on

NO_SUCH_USER = "550 5.1.1 no such user here"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A relay that verifies strangers; its next hop knows nobody, and takes the mail of the senders' domains, too."""
    directory: Path = tmp_path_factory.mktemp("spf")
    with world_on(on_sqlite(directory), directory, {"ingress": {"authentication": {"verify": True}}}) as world:
        for name in ("vouched", "unknown", "forged"):
            world.dns.zone[f"{name}.example"] = {"MX": ["10 mx.elsewhere.example."]}
        world.dns.zone["vouched.example"]["TXT"] = [f'"v=spf1 ip4:{OUTSIDER} -all"']
        world.dns.zone["forged.example"]["TXT"] = ['"v=spf1 ip4:192.0.2.1 -all"']
        for name in ("vouched", "unknown", "forged"):
            world.destination.script(f"RCPT {name}@hosted.example", NO_SUCH_USER)
        yield world


def send(world: World, name: str) -> str:
    """Send to a recipient who does not exist; return the id."""
    sender, to = f"sender@{name}.example", f"{name}@hosted.example"
    answer = world.send(OUTSIDER, sender, to, octets(mail(sender, to, f"from {name}")))
    assert answer.code == 250, answer
    found = re.search(r"[0-9A-HJKMNP-TV-Z]{26}", answer.text)
    assert found
    return found[0]


def test_a_sender_whom_spf_vouches_for_gets_a_report(world: World) -> None:
    send(world, "vouched")
    report = world.report("vouched@hosted.example")
    assert report.recipients == ("sender@vouched.example",)
    assert b"5.1.1" in report.content


@pytest.mark.parametrize("name", ["unknown", "forged"])
def test_nobody_else_does_and_the_message_is_kept(world: World, name: str) -> None:
    message_id = send(world, name)
    wait_for(lambda: message_id in world.relay.cli("quarantine", "list").stdout)
    assert world.held(f"sender@{name}.example") == []


def test_the_results_stand_in_front_of_what_arrives(world: World) -> None:
    world.send(OUTSIDER, "a@vouched.example", "bob@hosted.example", octets(mail("a@vouched.example", "b", "results")))
    (arrived,) = world.arrived("bob@hosted.example")
    field = arrived.content.partition(b"Authentication-Results: ")[2].partition(b"\r\nFrom:")[0]
    assert field.startswith(b"relay.hosted.example;")
    assert b"spf=pass" in field
