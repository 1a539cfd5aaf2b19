"""Reloading real processes: `sluice up` and ingress, by SIGHUP and by changed files, with sessions open across it."""

import smtplib
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.ingress.auth.users import add_user, remove_user
from tests.support.front import STRANGER, TRUSTED, Talk
from tests.support.house import REFUSED, RELAY, House, running, send
from tests.support.ports import free_port
from tests.support.processes import SLUICE


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


def test_a_key_of_another_certificate_leaves_the_old_pair(house: House) -> None:
    house.certify("new.example.net", key_of_another=True)
    house.hang_up_signal()
    error = house.wait_line(REFUSED)["error"]
    assert error.startswith("tls.certificate: ")
    assert "not a usable pair" in error
    for listener in (0, 1, 2):
        assert house.names(listener) == ["relay.example.net"], listener
    assert 'sluice_reloads_total{result="refused"} 1.0' in house.process.ops("/metrics")[1]


def test_users_who_come_and_go(house: House) -> None:
    def login() -> int:
        with smtplib.SMTP("127.0.0.1", house.ports[1], "c.example", timeout=30) as smtp:
            smtp.starttls(context=house.trust)
            smtp.ehlo()
            smtp.user, smtp.password = "bob", "correct horse"  # smtplib's own way to call one mechanism
            return smtp.auth("PLAIN", smtp.auth_plain)[0]

    add_user(house.folder / "users", "bob", "correct horse")
    house.wait_line("reloaded")
    assert login() == 235
    remove_user(house.folder / "users", "bob")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        login()


def test_deny_lists_in_files(house: House) -> None:
    """Of senders, destinations and clients; a session that is open when its client is denied goes on."""
    entries = {
        "denied_senders_file": "elsewhere.example",
        "denied_destinations_file": "alice@example.org",
        "denied_clients_file": STRANGER,
    }
    for name in entries:
        (house.folder / name).write_text("")
    house.write(relay={**RELAY, **{name: name for name in entries}})
    house.reload()
    with house.talk() as talk:
        for name, entry in entries.items():
            assert send(talk, "alice@example.org").startswith("250")
            before = len(house.lines("reloaded"))
            (house.folder / name).write_text(f"{entry} # since today\n")
            assert house.wait_line("reloaded", before + 1)["files"] == [str(house.folder / name)]
            if name == "denied_clients_file":
                assert send(talk, "alice@example.org").startswith("250")
                with socket.create_connection(("127.0.0.1", house.ports[0]), 30, (STRANGER, 0)) as late:
                    assert Talk(late).reply().startswith("554 5.7.1")
            else:
                assert send(talk, "alice@example.org").startswith("550 5.7.1")
            (house.folder / name).write_text("")
            house.wait_line("reloaded", before + 2)
    with house.talk() as talk:
        assert send(talk, "alice@example.org").startswith("250")


def test_what_was_counted_against_a_limit_is_not_forgotten(house: House) -> None:
    house.write(ingress={**house.config["ingress"], "rate": [{"per": "client", "messages": "2/1d"}]})
    house.reload()
    with house.talk() as talk:
        assert [send(talk, "alice@example.org")[:3] for _ in range(3)] == ["250", "250", "450"]
        house.write(relay={**RELAY, "denied_senders": ["spammer.example"]})
        house.reload()
        assert send(talk, "alice@example.org").startswith("450")
    with house.talk() as talk:
        assert send(talk, "alice@example.org").startswith("450")


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


def test_limits_are_reloaded_and_what_was_counted_stays(house: House) -> None:
    """A client does not get its messages back by a change of something else, and a session obeys the new limits."""
    limits = [{"per": "client", "messages": "2/h"}]
    house.write(ingress={**house.config["ingress"], "rate": limits})
    house.reload()
    with house.talk() as talk:
        assert [send(talk, "alice@example.org")[:3] for _ in range(2)] == ["250"] * 2
        (house.folder / "clients.txt").write_text("127.0.0.5\n")
        house.write(relay={**RELAY, "denied_clients_file": "clients.txt"})
        house.reload()
        assert talk.ask("MAIL FROM:<>").startswith("450 4.7.1 Too many messages")
        with socket.create_connection(("127.0.0.1", house.ports[0]), 30, ("127.0.0.5", 0)) as denied:
            assert Talk(denied).reply().startswith("554 5.7.1")
        house.write(ingress={**house.config["ingress"], "rate": []})
        house.reload()
        assert send(talk, "alice@example.org").startswith("250")
