"""One relay process with all three kinds of listener, in a folder whose files tests replace while it runs."""

import contextlib
import os
import signal
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import trustme

from tests.support.front import STRANGER, Talk
from tests.support.ports import free_port
from tests.support.processes import Process, write_config
from tests.support.waiting import wait_for

RELAY = {
    "postmaster": "postmaster@example.org",
    "trusted_networks": ["127.0.0.2/32"],
    "hosted": {"example.org": {"next_hop": ["127.0.0.1:9"], "recipients": "recipients.txt"}},
}
REFUSED = "not reloaded, the old one stays in force"


class House:
    """Its files: sluice.toml, recipients.txt, certificate.pem (key included) and, where a test writes it, users."""

    def __init__(self, folder: Path, argv: list[str]) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.certify("relay.example.net")
        (folder / "recipients.txt").write_text("alice\n")
        self.ports = [free_port() for _ in range(3)]
        modes = ("relay", "submission", "submissions")
        self.config: dict[str, Any] = {
            "hostname": "relay.example.net",
            "broker": "sqlite:///queue.db",
            "relay": RELAY,
            "ingress": {
                "listener": [
                    {"address": f"127.0.0.1:{port}", "mode": mode} for port, mode in zip(self.ports, modes, strict=True)
                ],
                "authentication": {"verify": False},
            },
            "auth": {"users_file": "users"},
            "tls": {"certificate": "certificate.pem"},
        }
        self.write()
        environment = {"SLUICE_CONFIG": str(folder / "sluice.toml")}
        self.process = Process("house", argv, folder, environment)

    def write(self, **sections: Mapping[str, Any] | str) -> None:
        """Replace the configuration, as editors do, by another file of the same name."""
        self.config |= sections
        write_config(self.folder / "next.toml", self.config).replace(self.folder / "sluice.toml")

    def certify(self, name: str, *, key_of_another: bool = False) -> None:
        """Replace the certificate."""
        issued = self.authority.issue_cert(name)
        keyed = self.authority.issue_cert(name) if key_of_another else issued
        pem = keyed.private_key_pem.bytes() + b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        (self.folder / "next.pem").write_bytes(pem)
        (self.folder / "next.pem").replace(self.folder / "certificate.pem")

    def hang_up_signal(self) -> None:
        """Ask for a reload."""
        os.kill(self.process.pid, signal.SIGHUP)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return every log line of an event."""
        return self.process.events(event)

    def wait_line(self, event: str, number: int = 1) -> dict[str, Any]:
        """Return the event's last line once there are so many."""
        wait_for(lambda: len(self.lines(event)) >= number)
        return self.lines(event)[-1]

    def reload(self) -> dict[str, Any]:
        """Send SIGHUP and return the line of the success."""
        before = len(self.lines("reloaded"))
        self.hang_up_signal()
        return self.wait_line("reloaded", before + 1)

    def talk(self, source: str = STRANGER) -> Talk:
        """Return a greeted session."""
        talk = Talk(socket.create_connection(("127.0.0.1", self.ports[0]), 30, (source, 0)))
        assert talk.reply().startswith("220")
        assert talk.ask("EHLO client.example").startswith("250")
        return talk

    @property
    def trust(self) -> ssl.SSLContext:
        """A client's context that takes any name of our authority."""
        trust = ssl.create_default_context()
        self.authority.configure_trust(trust)
        trust.check_hostname = False
        return trust

    def names(self, listener: int, *, sni: bool = True) -> list[str]:
        """Return the names in the certificate that a new handshake with a listener gets."""
        with socket.create_connection(("127.0.0.1", self.ports[listener]), 30) as bare:
            if listener < 2:
                talk = Talk(bare)
                talk.reply()
                talk.ask("EHLO client.example")
                assert talk.ask("STARTTLS").startswith("220")
            with self.trust.wrap_socket(bare, server_hostname="any.example" if sni else None) as wrapped:
                shown = wrapped.getpeercert()
        assert shown is not None
        return [str(pair[1]) for pair in shown["subjectAltName"]]


def send(talk: Talk, recipient: str) -> str:
    """Return the reply to a new transaction's first refused command, or to its final dot."""
    assert talk.ask("RSET").startswith("250")
    for line in ("MAIL FROM:<someone@elsewhere.example>", f"RCPT TO:<{recipient}>", "DATA"):
        reply = talk.ask(line)
        if reply[0] not in "23":
            return reply
    return talk.ask("Subject: x\r\n\r\nx\r\n.")


@contextlib.contextmanager
def running(folder: Path, argv: list[str]) -> Iterator[House]:
    """Start the process and kill it in the end; it must live until then."""
    house = House(folder, argv)
    try:
        house.process.start()
        yield house
        assert house.process.running, house.process.tail()
    finally:
        house.process.kill()
