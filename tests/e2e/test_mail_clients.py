"""msmtp, s-nail and smtplib, clients we did not write, submit mail to `sluice up` by TLS and password."""

import os
import smtplib
import subprocess
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8, default
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from tests.support.programs import needed
from tests.support.smtp_server import OFFERS
from tests.support.world import OUTSIDER, PASSWORD, USER, World, mail, octets, on_sqlite, world_on

NO_PERMISSION = 77
"""EX_NOPERM: msmtp's exit status when authentication fails."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("clients")
    patient = {"auth": {"users_file": "users", "failure_delay": "1ms"}}
    with world_on(on_sqlite(directory), directory, patient, (*OFFERS, "DSN", "SMTPUTF8")) as world:
        yield world


def run(world: World, argv: list[str], content: bytes) -> subprocess.CompletedProcess[str]:
    """Run a client with the content on its standard input, and no configuration but what it is given."""
    environment = {"HOME": str(world.relay.directory), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    done = subprocess.run(argv, input=content, env=environment, capture_output=True, timeout=120, check=False)
    return subprocess.CompletedProcess(argv, done.returncode, done.stdout.decode(), done.stderr.decode())


class Port(NamedTuple):
    """A way to submit: which listener, and whether TLS begins with STARTTLS."""

    mode: str
    starttls: bool


PORTS = [Port("submission", starttls=True), Port("submissions", starttls=False)]


def msmtp(world: World, port: Port, auth: str, password: str = PASSWORD, *, trust: str = "authority.pem") -> list[str]:
    """Write a configuration for msmtp; return the command that uses it."""
    directory: Path = world.relay.directory
    path = directory / "msmtprc"
    path.write_text(
        f"account default\nhost 127.0.0.1\nport {getattr(world.ports, port.mode)}\n"
        f"source_ip {OUTSIDER}\ndomain desk.client.example\nfrom {USER}\n"
        f"tls on\ntls_starttls {'on' if port.starttls else 'off'}\ntls_trust_file {directory / trust}\n"
        f"auth {auth}\nuser {USER}\npassword {password}\n"
    )
    path.chmod(0o600)
    return ["msmtp", "--file", str(path)]


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("auth", ["plain", "login", "scram-sha-256", "on"])
def test_msmtp_submits(world: World, port: Port, auth: str) -> None:
    """By every mechanism it has in common with us; "on" is the one that it chooses."""
    needed("msmtp")
    recipient = f"msmtp-{auth}-{port.mode}@elsewhere.example"
    content = octets(mail(USER, recipient, "from msmtp"))
    done = run(world, [*msmtp(world, port, auth), recipient], content)
    assert done.returncode == 0, done.stderr
    (arrived,) = world.arrived(recipient)
    assert arrived.sender == USER
    assert arrived.content.endswith(content)
    assert b" with ESMTPSA id " in arrived.content


def test_msmtp_asks_for_reports(world: World) -> None:
    needed("msmtp")
    options = ["--dsn-notify=failure,delay", "--dsn-return=headers"]
    content = octets(mail(USER, "reports@elsewhere.example", "reports"))
    done = run(world, [*msmtp(world, PORTS[0], "plain"), *options, "reports@elsewhere.example"], content)
    assert done.returncode == 0, done.stderr
    (arrived,) = world.arrived("reports@elsewhere.example")
    assert "RET=HDRS" in arrived.mail_params
    (parameters,) = arrived.rcpt_params.values()
    assert sorted(parameters[0].removeprefix("NOTIFY=").split(",")) == ["DELAY", "FAILURE"]


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("auth", ["plain", "scram-sha-256"])
def test_msmtp_with_a_wrong_password_sends_nothing(world: World, port: Port, auth: str) -> None:
    needed("msmtp")
    done = run(world, [*msmtp(world, port, auth, "wrong horse"), "wrong@elsewhere.example"], b"Subject: no\n\n")
    assert done.returncode == NO_PERMISSION, done.stderr
    assert "535" in done.stderr
    assert world.held("wrong@elsewhere.example") == []


def test_msmtp_tells_its_user_why_a_recipient_is_refused(world: World) -> None:
    needed("msmtp")
    done = run(world, [*msmtp(world, PORTS[0], "plain"), "someone@denied.example"], b"Subject: no\n\n")
    assert done.returncode != 0
    assert "550 5.7.1" in done.stderr


def test_msmtp_that_does_not_trust_our_certificate_says_nothing_more(world: World) -> None:
    """It leaves within the handshake, and the relay goes on."""
    needed("msmtp")
    (world.relay.directory / "nobody.pem").write_text("")
    for port in PORTS:
        command = msmtp(world, port, "plain", trust="nobody.pem")
        assert run(world, [*command, "untrusting@elsewhere.example"], b"Subject: no\n\n").returncode != 0
    assert world.relay["up"].readiness()[0] == 200


def s_nail(world: World, port: Port, password: str = PASSWORD) -> list[str]:
    """Return the command of s-nail, without any file of settings. It knows certificates of names only."""
    scheme = "smtp" if port.starttls else "smtps"
    address = f"{quote(USER, safe='')}:{quote(password, safe='')}@localhost:{getattr(world.ports, port.mode)}"
    settings = [
        "v15-compat=yes",
        f"mta={scheme}://{address}",
        *(["smtp-use-starttls"] if port.starttls else []),
        "smtp-auth=plain",
        "tls-verify=strict",
        f"tls-ca-file={world.relay.directory / 'authority.pem'}",
        "tls-ca-no-defaults",
        "hostname=desk.client.example",
        f"from={USER}",
        "sendwait",
        "save",
        f"DEAD={world.relay.directory / 'dead.letter'}",
        "ttycharset=utf-8",
        "sendcharsets=utf-8",
    ]
    return ["s-nail", "-:/", *(f"-S{setting}" for setting in settings)]


@pytest.mark.parametrize("port", PORTS)
def test_s_nail_submits_a_text_and_an_attachment(world: World, port: Port, tmp_path: Path) -> None:
    needed("s-nail")
    recipient = f"s-nail-{port.mode}@elsewhere.example"
    attachment = tmp_path / "plan.dat"
    attachment.write_bytes(bytes(range(256)) * 4000)
    command = [*s_nail(world, port), "-s", "Grüße", "-a", str(attachment), recipient]
    text = "Grüße aus Köln\n.\n..\nEnde\n"
    done = run(world, command, text.encode())
    assert done.returncode == 0, done.stderr
    (arrived,) = world.arrived(recipient)
    assert arrived.sender == USER
    assert b" with ESMTPSA id " in arrived.content
    body, plan = message_from_bytes(arrived.content, policy=default).iter_parts()
    assert body.get_content().replace("\r\n", "\n") == text
    assert plan.get_content() == attachment.read_bytes()


def test_s_nail_with_a_wrong_password_keeps_the_mail(world: World) -> None:
    needed("s-nail")
    done = run(world, [*s_nail(world, PORTS[1], "wrong"), "-s", "x", "kept@elsewhere.example"], b"x\n")
    assert done.returncode != 0
    assert "535" in done.stderr
    assert world.held("kept@elsewhere.example") == []
    assert (world.relay.directory / "dead.letter").exists()


@pytest.mark.parametrize("port", PORTS)
def test_smtplib_submits_with_every_parameter_it_knows(world: World, port: Port) -> None:
    """SMTPUTF8, 8BITMIME and DSN at once."""
    sender, recipient = USER, f"zoë-{port.mode}@elsewhere.example"
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, "Grüße"
    message["Date"], message["Message-ID"] = "Tue, 24 Nov 2026 04:00:00 +0000", f"<{port.mode}@test.example>"
    message.set_content("ä\n.\n", cte="8bit")
    number = getattr(world.ports, port.mode)
    if port.starttls:
        client: smtplib.SMTP = smtplib.SMTP("127.0.0.1", number, "desk.client.example", 60, (OUTSIDER, 0))
        client.starttls(context=world.trust)
    else:
        client = smtplib.SMTP_SSL(
            "127.0.0.1", number, "desk.client.example", timeout=60, context=world.trust, source_address=(OUTSIDER, 0)
        )
    with client:
        client.login(USER, PASSWORD)
        refused = client.send_message(message, mail_options=("RET=FULL", "ENVID=1+2B1"), rcpt_options=("NOTIFY=NEVER",))
    assert refused == {}
    (arrived,) = world.arrived(recipient)
    assert {"SMTPUTF8", "RET=FULL", "ENVID=1+2B1"} <= set(arrived.mail_params)
    assert arrived.rcpt_params[recipient][0] == "NOTIFY=NEVER"
    assert arrived.content.endswith(message.as_bytes(policy=SMTPUTF8))
