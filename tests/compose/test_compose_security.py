"""compose.yaml as shipped: no password, no port and no right that is not needed."""

import json
import smtplib
from pathlib import Path

import pytest

from tests.compose.project import SERVICES, Project, message, project, refuses_connections

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

PROBE = (Path(__file__).parent / "probe.py").read_text()

OWN = {
    "ingress": ["publish/mail.from-ingress"],
    "screener": ["publish/mail.from-screener", "read/mail.screen", "read/mail.screen.large"],
    "delivery": ["publish/mail.from-delivery", "read/mail.deliver", "read/mail.redeliver", "read/mail.deliver.large"],
}
QUEUES = ("mail.screen", "mail.deliver", "mail.redeliver", "mail.dead", "mail.quarantine.00", "mail.deliver.wait.5s")
EXCHANGES = (
    *(f"mail.from-{user}" for user in (*SERVICES, "operator")),
    "mail.return",
    "mail.dead-letter",
    "amq.direct",
)
FOREIGN = [
    *(f"read/{queue}" for queue in QUEUES),
    *(f"publish/{exchange}" for exchange in EXCHANGES),
    *(f"purge/{queue}" for queue in ("mail.dead", "mail.quarantine.00")),
    "delete/mail.dead",
    "declare/mail.mine",
    "declare/mine",
    "bind/mail.dead@mail.from-ingress",
]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_do_its_own_work_and_nothing_else(relay: Project, service: str) -> None:
    """With the credentials in each container: its exchange, its queues; any other thing is ACCESS_REFUSED."""
    asked = [*OWN[service], *(pair for pair in FOREIGN if pair not in OWN[service])]
    output = relay.compose("exec", "-T", service, "python", "-", *asked, stdin=PROBE)
    expected = {pair: "ok" if pair in OWN[service] else "ChannelAccessRefused" for pair in asked}
    assert json.loads(output) == expected


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_holds_no_password_but_its_own(relay: Project, service: str) -> None:
    assert relay.compose("exec", "-T", service, "ls", "/run/sluice").split() == ["broker"]
    assert relay.compose("exec", "-T", service, "cat", "/run/sluice/broker").strip() == relay.password(service)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_as_nobody_in_a_container_it_cannot_change(relay: Project, service: str) -> None:
    container = relay.inspect(relay.containers(service)[0])[0]
    assert relay.compose("exec", "-T", service, "id", "-u").strip() == "10001"
    assert container["HostConfig"]["ReadonlyRootfs"] is True
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert container["HostConfig"]["Privileged"] is False


def test_the_balancer_runs_as_nobody_in_a_container_it_cannot_change(relay: Project) -> None:
    container = relay.inspect(relay.containers("balancer")[0])[0]
    assert relay.compose("exec", "-T", "balancer", "id", "-u").strip() != "0"
    assert container["HostConfig"]["ReadonlyRootfs"] is True
    assert container["HostConfig"]["CapDrop"] == ["ALL"]


def test_only_smtp_and_the_user_interface_are_published_and_only_on_loopback(relay: Project) -> None:
    running = relay.inspect(*(relay.containers(service)[0] for service in (*SERVICES, "balancer", "rabbitmq")))
    published = {
        (container["Config"]["Labels"]["com.docker.compose.service"], inside, binding["HostIp"])
        for container in running
        for inside, bindings in container["NetworkSettings"]["Ports"].items()
        for binding in bindings or []
    }
    assert published == {("balancer", "2525/tcp", "127.0.0.1"), ("rabbitmq", "15672/tcp", "127.0.0.1")}


def test_the_user_interface_answers_on_no_other_address(relay: Project) -> None:
    """The port that is open on 127.0.0.1 is closed on 127.0.0.2 and on the machine's other addresses."""
    _, port = relay.port("rabbitmq", 15672)
    assert not refuses_connections("127.0.0.1", port)
    assert refuses_connections("127.0.0.2", port)


def test_the_example_is_no_open_relay(relay: Project) -> None:
    """A client of the published port, whatever address Docker gives it, is a stranger."""
    host, port = relay.port("balancer", 2525)
    with smtplib.SMTP(host, port, timeout=60) as client, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.sendmail("ann@elsewhere.example", ["bob@foreign.example"], message("foreign"))
    code, text = refused.value.recipients["bob@foreign.example"]
    assert (code, text[:5]) == (550, b"5.7.1")


def test_no_password_is_logged(relay: Project) -> None:
    """Only the set-up prints one, the user interface's, once."""
    users = ("admin", "operator", *SERVICES)
    passwords = [relay.password(user) for user in users]
    logs = relay.compose("logs", "--no-color", "rabbitmq", "apply", *SERVICES)
    assert logs
    assert [user for user, password in zip(users, passwords, strict=True) if password in logs] == []
    described = json.dumps(relay.inspect(*(relay.containers(service)[0] for service in SERVICES)))
    assert [user for user, password in zip(users, passwords, strict=True) if password in described] == []


def test_down_v_removes_everything_and_the_next_project_has_other_passwords(images: None, tmp_path: Path) -> None:
    with project(tmp_path / "sink", BALANCER_NET="198.18.27", OUTSIDE_NET="198.18.28") as made:
        made.compose("up", "setup")
        printed = made.compose("logs", "--no-color", "--no-log-prefix", "setup")
        password = made.password("admin")
        assert f"user: admin  password: {password}\n" in printed
        made.down()
        assert made.password("admin") == password
        made.down("-v")
        assert made.left_over() == []
        made.compose("up", "setup")
        assert made.password("admin") != password
