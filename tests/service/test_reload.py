"""Reloading real processes: `sluice up` and ingress, by SIGHUP and by changed files, with sessions open across it."""

import contextlib
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.front import STRANGER, TRUSTED, Talk
from tests.support.ports import free_port
from tests.support.processes import SLUICE, Process, write_config
from tests.support.waiting import wait_for

RELAY = {
    "postmaster": "postmaster@example.org",
    "trusted_networks": ["127.0.0.2/32"],
    "hosted": {"example.org": {"next_hop": ["127.0.0.1:9"], "recipients": "recipients.txt"}},
}
REFUSED = "not reloaded, the old one stays in force"


class House:
    """One process in a folder of its own, with all three kinds of listener."""

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

    def certify(self, name: str) -> None:
        """Replace the certificate."""
        issued = self.authority.issue_cert(name)
        pem = issued.private_key_pem.bytes() + b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        (self.folder / "next.pem").write_bytes(pem)
        (self.folder / "next.pem").replace(self.folder / "certificate.pem")

    def hang_up_signal(self) -> None:
        """Ask for a reload."""
        os.kill(self.process.pid, signal.SIGHUP)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return every log line of an event."""
        parsed = [json.loads(line) for line in self.process.log().splitlines() if line.startswith("{")]
        return [line for line in parsed if line["event"] == event]

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

    def names(self, listener: int, *, sni: bool = True) -> list[str]:
        """Return the names in the certificate that a new handshake with a listener gets."""
        trust = ssl.create_default_context()
        self.authority.configure_trust(trust)
        trust.check_hostname = False
        with socket.create_connection(("127.0.0.1", self.ports[listener]), 30) as bare:
            if listener < 2:
                talk = Talk(bare)
                talk.reply()
                talk.ask("EHLO client.example")
                assert talk.ask("STARTTLS").startswith("220")
            with trust.wrap_socket(bare, server_hostname="any.example" if sni else None) as wrapped:
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
    house = House(folder, argv)
    try:
        house.process.start()
        yield house
        assert house.process.running, house.process.tail()
    finally:
        house.process.kill()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with running(tmp_path, [*SLUICE, "up"]) as house:
        yield house


def test_sighup_reloads_and_names_what_changed(house: House) -> None:
    """Every stage at once; a listener that moved, and other things opened once, wait for a restart."""
    moved = [{"address": f"127.0.0.1:{free_port()}"}]
    house.write(
        relay={**RELAY, "denied_senders": ["someone@elsewhere.example"]},
        delivery={"per_destination": 3, "concurrency": 7},
        ingress={"listener": moved, "authentication": {"verify": False}},
    )
    line = house.reload()
    assert line["keys"] == ["delivery.per_destination", "relay.denied_senders"]
    assert line["files"] == [str(house.folder / "sluice.toml")]
    fixed = house.wait_line("changed, but in force only after a restart")
    assert fixed["keys"] == ["delivery.concurrency", "ingress.listener"]
    with house.talk(TRUSTED) as talk:
        assert send(talk, "alice@example.org").startswith("550")
    assert 'sluice_reloads_total{result="done"} 1.0' in house.process.ops("/metrics")[1]


def test_a_changed_file_is_taken_without_a_signal(house: House) -> None:
    with house.talk() as talk:
        assert send(talk, "bob@example.org").startswith("550")
        (house.folder / "recipients.txt").write_text("alice\nbob\n")
        assert house.wait_line("reloaded")["files"] == [str(house.folder / "recipients.txt")]
        assert send(talk, "bob@example.org").startswith("250")


@pytest.mark.parametrize("argv", [[sys.executable, "-m", "services.ingress"], [*SLUICE, "up"]])
def test_a_session_in_the_middle_of_data_goes_on(tmp_path: Path, argv: list[str]) -> None:
    """It ends as it began, though the rules would now refuse it; its next MAIL is judged by the new ones."""
    with running(tmp_path, argv) as house, house.talk(TRUSTED) as talk:
        for line in ("MAIL FROM:<a@elsewhere.example>", "RCPT TO:<b@far.example>", "DATA"):
            assert talk.ask(line)[0] in "23"
        talk.send(b"Subject: x\r\n\r\nhalf")
        house.write(relay={**RELAY, "trusted_networks": []})
        assert house.reload()["keys"] == ["relay.trusted_networks"]
        assert talk.ask(" and half\r\n.").startswith("250")
        assert send(talk, "b@far.example").startswith("550 5.7.1")


def test_a_transaction_keeps_the_rules_it_began_with(house: House) -> None:
    with house.talk(TRUSTED) as talk:
        assert talk.ask("MAIL FROM:<a@elsewhere.example>").startswith("250")
        house.write(relay={**RELAY, "trusted_networks": []})
        house.reload()
        assert talk.ask("RCPT TO:<b@far.example>").startswith("250")
        assert send(talk, "b@far.example").startswith("550 5.7.1")


BAD: dict[str, tuple[str, str, str]] = {
    "no TOML": ("sluice.toml", "hostname = ", "not TOML"),
    "unknown key": ("sluice.toml", 'hostnam = "x"\n', "did you mean"),
    "no list of recipients": ("recipients.txt", "a b c\n", "recipients.txt line 1"),
    "no certificate": ("certificate.pem", "nothing\n", "tls.certificate"),
    "no users": ("users", "bob:password\n", "users line 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_keeps_the_old_one_and_says_why(house: House, case: str) -> None:
    """It does so once; and once the file is good again, it is taken without a signal."""
    name, text, reason = BAD[case]
    path = house.folder / name
    good = path.read_bytes() if path.exists() else b""
    path.write_text(text)
    house.hang_up_signal()
    line = house.wait_line(REFUSED)
    assert reason in line["error"]
    assert "password" not in line["error"]
    with house.talk() as talk:
        assert send(talk, "alice@example.org").startswith("250")
    path.write_bytes(good)
    house.wait_line("reloaded")
    assert len(house.lines(REFUSED)) == 1


def test_a_missing_file_is_awaited(house: House) -> None:
    """A configuration that names a file too early is taken when the file comes."""
    house.write(relay={**RELAY, "denied_senders_file": "denied.txt"})
    assert "denied.txt" in house.wait_line(REFUSED)["error"]
    (house.folder / "denied.txt").write_text("elsewhere.example\n")
    house.wait_line("reloaded")
    with house.talk() as talk:
        assert send(talk, "alice@example.org").startswith("550")


def test_new_handshakes_get_the_new_certificate(house: House) -> None:
    """By STARTTLS and from the first octet, with and without SNI; a session under the old one goes on."""
    trust = ssl.create_default_context()
    house.authority.configure_trust(trust)
    raw = socket.create_connection(("127.0.0.1", house.ports[2]), 30)
    with trust.wrap_socket(raw, server_hostname="relay.example.net") as old:
        talk = Talk(old)
        assert talk.reply().startswith("220")
        house.certify("new.example.net")
        assert house.reload()["files"] == [str(house.folder / "certificate.pem")]
        for listener in (0, 1, 2):
            for sni in (True, False):
                assert house.names(listener, sni=sni) == ["new.example.net"], (listener, sni)
        assert talk.ask("EHLO client.example").startswith("250")
        assert talk.ask("QUIT").startswith("221")
        talk.close()


def test_secrets_swapped_by_a_link_are_taken(tmp_path: Path) -> None:
    """As Kubernetes does it: the file is a link through `..data`, which is pointed at a new folder."""
    with running(tmp_path, [*SLUICE, "up"]) as house:
        for version, text in (("one", "alice\n"), ("two", "carol\n")):
            (tmp_path / version).mkdir()
            (tmp_path / version / "list").write_text(text)
        (tmp_path / "..data").symlink_to("one")
        (tmp_path / "list").symlink_to("..data/list")
        hosted = {"example.org": {"next_hop": ["127.0.0.1:9"], "recipients": "list"}}
        house.write(relay={**RELAY, "hosted": hosted})
        house.reload()
        (tmp_path / "swap").symlink_to("two")
        (tmp_path / "swap").replace(tmp_path / "..data")
        assert house.wait_line("reloaded", 2)["files"] == [str(tmp_path / "list")]
        with house.talk() as talk:
            assert send(talk, "carol@example.org").startswith("250")


def test_sighup_with_nothing_new_changes_and_ends_nothing(house: House) -> None:
    assert house.reload()["keys"] == []
    assert house.reload()["files"] == []
    with house.talk() as talk:
        assert send(talk, "alice@example.org").startswith("250")
