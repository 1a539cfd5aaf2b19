"""compose.yaml as shipped: two ingress containers behind the balancer see their clients' own addresses."""

import json
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.project import Project, message, tokens
from tests.support.balancer import version_1, version_2
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

SCRIPT = (Path(__file__).parent / "client.py").read_text()
INSIDER, OUTSIDER = "198.18.26.10", "198.18.26.11"
HOSTED, FOREIGN = "bob@example.org", "bob@foreign.example"
ACCEPTED = {"greeting": 220, "EHLO": 250, "MAIL": 250, "RCPT": 250}
RELAY_DENIED = ACCEPTED | {"RCPT": 550}


@pytest.fixture(scope="module")
def doors(relay: Project) -> Iterator[Project]:
    """The project with two containers of ingress, both known to the balancer."""
    relay.up("--scale", "ingress=2")
    wait_for(lambda: all(_served(relay).values()), timeout=120, pause=0.5)
    yield relay
    relay.up("--scale", "ingress=1")


def _served(relay: Project) -> dict[str, bool]:
    """Send a message, and return which containers of ingress have accepted any from the outsider."""
    heard(relay, "outsider", HOSTED, tokens(1)[0])
    return {container: OUTSIDER in _accepted(container) for container in relay.containers("ingress")}


def _accepted(container: str) -> set[str]:
    """Return the clients from which a container has accepted mail."""
    done = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    return {line["client"] for line in lines if line["event"] == "accepted"}


def heard(
    relay: Project, service: str, recipient: str, token: str = "", first: bytes = b"", host: str = "balancer"
) -> dict[str, int]:
    """Return what a client in a container of its own hears."""
    arguments = (host, first.hex(), recipient, token)
    found: dict[str, int] = json.loads(relay.compose("exec", "-T", service, "python", "-", *arguments, stdin=SCRIPT))
    return found


def test_a_trusted_client_may_relay_and_another_may_not(doors: Project) -> None:
    assert len(doors.containers("ingress")) == 2
    for _ in range(4):
        assert heard(doors, "insider", FOREIGN) == ACCEPTED
        assert heard(doors, "outsider", FOREIGN) == RELAY_DENIED
        assert heard(doors, "outsider", HOSTED) == ACCEPTED


def test_the_address_of_the_client_is_on_its_mail(doors: Project) -> None:
    (token,) = tokens(1)
    assert heard(doors, "outsider", HOSTED, token)["."] == 250
    wait_for(lambda: token in doors.arrived(), timeout=120, pause=0.5)
    (mail,) = [path.read_text() for path in doors.sink.glob("[!.]*") if f"X-Token: {token}" in path.read_text()]
    assert f"Received: from client.example ([{OUTSIDER}])" in mail


@pytest.mark.parametrize("header", [version_1(INSIDER), version_2(INSIDER)], ids=["v1", "v2"])
def test_nobody_but_the_balancer_may_say_who_the_client_is(doors: Project, header: bytes) -> None:
    """Neither to the balancer, nor to ingress from another container."""
    told = heard(doors, "outsider", FOREIGN, first=header)
    assert told.get("RCPT") != 250
    told = heard(doors, "sink", FOREIGN, first=header, host="ingress")
    assert told.get("RCPT") != 250
    assert heard(doors, "sink", FOREIGN, host="ingress") == RELAY_DENIED


def test_a_client_of_the_published_port_is_a_stranger_whatever_docker_shows(doors: Project) -> None:
    """On this machine that is the gateway of the balancer's network: in no range that anybody would trust."""
    host, port = doors.port("balancer", 2525)
    with smtplib.SMTP(host, port, timeout=60) as client, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.sendmail("ann@elsewhere.example", [FOREIGN], message("foreign"))
    assert refused.value.recipients[FOREIGN][0] == 550


def test_the_check_warns_of_trusting_the_gateway(doors: Project) -> None:
    trusting = "SLUICE_RELAY__TRUSTED_NETWORKS=198.18.0.0/15"
    with pytest.raises(AssertionError) as failed:
        doors.compose("run", "--rm", "-T", "-e", trusting, "cli", "check")
    said = str(failed.value)
    assert "gateway 198.18.25.1" in said
    assert "198.18.0.0/15 contains balancers" in said


def test_mail_goes_on_while_a_container_of_ingress_is_gone(doors: Project) -> None:
    subprocess.run(["docker", "kill", doors.containers("ingress")[0]], check=True, capture_output=True)
    assert len(doors.containers("ingress")) == 1
    sent = set(tokens(10))
    for token in sorted(sent):
        assert heard(doors, "outsider", HOSTED, token)["."] == 250
    wait_for(lambda: sent <= doors.arrived(), timeout=120, pause=0.5)
    doors.up("--scale", "ingress=2")
