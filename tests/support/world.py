"""A relay among its neighbours: DNS, destination, certificate, users; clients at trusted and untrusted addresses.

Domains: hosted.example (hosted), elsewhere.example (by MX), denied.example (denied); all others do not exist.
Clients: 127.0.0.2 is trusted, 127.0.0.3 is not.
"""

import asyncio
import contextlib
import smtplib
import ssl
from collections.abc import Callable, Iterator, Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NamedTuple

import trustme

from services.ingress.auth.users import add_user
from shared.broker.adapters import open_operator
from shared.broker.port import Kept
from shared.broker.sqlite import schema, store
from shared.clock import wall_clock
from shared.config.load import load
from shared.model import Place
from tests.support.dns_server import DnsServer
from tests.support.ports import free_port
from tests.support.processes import Relay
from tests.support.smtp_server import OFFERS, SmtpServer, Transaction
from tests.support.waiting import wait_for

TRUSTED = "127.0.0.2"
OUTSIDER = "127.0.0.3"
USER = "alice@hosted.example"
PASSWORD = "correct horse"
HOST_NAME = "relay.hosted.example"


class Ports(NamedTuple):
    """Where the relay listens."""

    relay: int
    submission: int
    submissions: int


class Answer(NamedTuple):
    """The last reply of a transaction, and the command it answered."""

    code: int
    text: str
    at: str
    """MAIL, RCPT or DATA."""

    @property
    def status(self) -> str:
        """The enhanced code, or ""."""
        first = self.text.partition(" ")[0]
        return first if first.count(".") == 2 else ""


class Brokered(NamedTuple):
    """What a choice of broker adds."""

    config: Mapping[str, Any]
    """Configuration keys."""
    stages: tuple[str, ...]
    """The processes: `up`, or the three services."""
    put: Callable[[str, bytes], None]
    """Puts any octets on a queue, past our own code."""
    hold: Callable[[], contextlib.AbstractContextManager[None]]
    """Keeps the broker from making anything durable for the block; connections stay."""


class World(NamedTuple):
    """Everything a test of the whole product needs."""

    relay: Relay
    ports: Ports
    dns: DnsServer
    destination: SmtpServer
    trust: ssl.SSLContext
    broker: Brokered

    def send(self, source: str, sender: str, recipients: str | list[str], content: bytes) -> Answer:
        """Send one message to the relay listener from `source`; the answer is the first refusal, or DATA's."""
        with smtplib.SMTP("127.0.0.1", self.ports.relay, "client.example", 60, (source, 0)) as client:
            client.ehlo()
            return transaction(client, sender, recipients, content)

    def submit(self, sender: str, recipients: str | list[str], content: bytes) -> Answer:
        """Send one message from outside over STARTTLS and AUTH."""
        with smtplib.SMTP("127.0.0.1", self.ports.submission, "client.example", 60, (OUTSIDER, 0)) as client:
            client.starttls(context=self.trust)
            client.login(USER, PASSWORD)
            return transaction(client, sender, recipients, content)

    def arrived(self, recipient: str, count: int = 1, timeout: float = 60) -> list[Transaction]:
        """Return what the destination holds for a recipient, once there are `count`."""
        wait_for(lambda: len(self.held(recipient)) >= count, timeout)
        return self.held(recipient)

    def held(self, recipient: str) -> list[Transaction]:
        """Return what the destination holds for a recipient at this moment."""
        return [mail for mail in self.destination.transactions if recipient in mail.recipients]

    def parked(self) -> list[Kept]:
        """Return what lies in mail.dead."""

        async def look() -> list[Kept]:
            operator = await open_operator(load(self.relay.config_file, {}))
            try:
                return [kept async for kept in operator.kept([Place.DEAD.value])]
            finally:
                await operator.close()

        return asyncio.run(look())

    def report(self, about: str, timeout: float = 60) -> Transaction:
        """Return the delivery report that speaks of `about`, once it has arrived at the destination."""

        def found() -> list[Transaction]:
            mails = self.destination.transactions
            return [
                m for m in mails if m.sender == "" and about.encode() in m.content and b"multipart/report" in m.content
            ]

        wait_for(lambda: bool(found()), timeout)
        return found()[0]


def transaction(client: smtplib.SMTP, sender: str, recipients: str | list[str], content: bytes) -> Answer:
    """Perform one transaction on an open session."""
    steps = [("MAIL", f"MAIL FROM:<{sender}>")]
    steps += [("RCPT", f"RCPT TO:<{to}>") for to in ([recipients] if isinstance(recipients, str) else recipients)]
    for verb, line in steps:
        code, text = client.docmd(line)
        if code != 250:
            return Answer(code, text.decode(), verb)
    code, text = client.data(content)
    return Answer(code, text.decode(), "DATA")


def mail(sender: str, recipient: str, subject: str) -> EmailMessage:
    """Return a small message to build on."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Date"], message["Message-ID"] = (
        "Tue, 24 Nov 2026 04:00:00 +0000",
        f"<{subject.replace(' ', '-')}@test.example>",
    )
    message.set_content("Hello.\n.\n..two dots\n")
    return message


def octets(message: EmailMessage) -> bytes:
    """Return a message in CRLF."""
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def certificate(directory: Path) -> ssl.SSLContext:
    """Write certificate.pem, key.pem and authority.pem; return the context of a client that trusts them."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "authority.pem")
    issued = authority.issue_cert(HOST_NAME, "127.0.0.1", "localhost")
    issued.private_key_pem.write_to_path(directory / "key.pem")
    for number, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(directory / "certificate.pem", append=number > 0)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def settings(ports: Ports, destination: int, nameserver: str) -> dict[str, Any]:
    """Return the configuration of every relay under test; retries after a second, so that tests need not wait."""
    return {
        "hostname": HOST_NAME,
        "relay": {
            "postmaster": "postmaster@hosted.example",
            "trusted_networks": [f"{TRUSTED}/32"],
            "denied_destinations": ["denied.example", "*.denied.example"],
            "hosted": {"hosted.example": f"127.0.0.1:{destination}"},
        },
        "ingress": {
            "listener": [{"address": f"127.0.0.1:{port}", "mode": mode} for mode, port in ports._asdict().items()],
            "nameservers": [nameserver],
        },
        "auth": {"users_file": "users"},
        "tls": {"certificate": "certificate.pem", "key": "key.pem"},
        "delivery": {
            "nameservers": [nameserver],
            "port": destination,
            "retry": ["1s"],
            "allow_private_destinations": True,
        },
        "log": {"level": "info"},
    }


ZONE = {
    "elsewhere.example": {"MX": ["10 mx.elsewhere.example."]},
    "mx.elsewhere.example": {"A": ["127.0.0.1"]},
}


@contextlib.contextmanager
def world_on(
    broker: Brokered, directory: Path, extra: Mapping[str, Any] | None = None, offers: tuple[str, ...] = OFFERS
) -> Iterator[World]:
    """Set up the neighbours and start the relay; kill it in the end.

    `extra` replaces configuration sections; `offers` are the extensions of the destination.
    """
    ports = Ports(free_port(), free_port(), free_port())
    trust = certificate(directory)
    add_user(directory / "users", USER, PASSWORD)
    with DnsServer(dict(ZONE)) as dns, SmtpServer(extensions=offers) as destination:
        config = settings(ports, destination.port, dns.address)
        for section, values in (extra or {}).items():
            config[section] = {**config.get(section, {}), **values}
        relay = Relay(directory, {**config, **broker.config}, broker.stages)
        try:
            yield World(relay.start(), ports, dns, destination, trust, broker)
        finally:
            relay.stop()


def on_sqlite(directory: Path) -> Brokered:
    """Return `sluice up` on a database in `directory`."""
    path = directory / "queue.db"

    def put(queue: str, body: bytes) -> None:
        connection = schema.connect(path, 30, create=False)
        with contextlib.closing(connection):
            connection.execute("BEGIN IMMEDIATE")
            store.put(connection, [store.Row(queue, wall_clock(), "", body)])
            connection.execute("COMMIT")

    @contextlib.contextmanager
    def hold() -> Iterator[None]:
        connection = schema.connect(path, 30, create=False)
        with contextlib.closing(connection):
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    return Brokered({"broker": f"sqlite:///{path}"}, ("up",), put, hold)
