"""What DNS says of strangers, over real sockets and a real DNS server: asked once, decided at RCPT, told."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.config.strangers import Dnsbl
from shared.config.units import Duration
from shared.dns.resolver import DnsResolver
from tests.support.dns_server import DnsServer, Fault
from tests.support.front import TRUSTED, Front, Talk, front_config
from tests.support.waiting import wait_for

LISTED, NAMELESS, CLEAN = "127.0.0.41", "127.0.0.42", "127.0.0.43"
ENTRY = "41.0.0.127.bl.example"
POINTER = "43.0.0.127.in-addr.arpa"


@pytest.fixture
def dns() -> Iterator[DnsServer]:
    zone = {
        ENTRY: {"A": ["127.0.0.2"]},
        POINTER: {"PTR": ["mail.clean.example."]},
        "mail.clean.example": {"A": [CLEAN]},
    }
    with DnsServer(zone) as server:
        yield server


def door(dns: DnsServer, **settings: Any) -> Front:
    return Front(front_config(**settings), resolver=DnsResolver((dns.address,), lifetime=5))


def begin(talk: Talk) -> None:
    for line in ("EHLO client.example", "MAIL FROM:<a@elsewhere.example>"):
        assert talk.ask(line).startswith("250")


def lines(front: Front, event: str) -> list[dict[str, Any]]:
    parsed = (json.loads(line) for line in front.log.getvalue().splitlines())
    return [line for line in parsed if line["event"] == event]


BLOCK = Dnsbl(zones=("dead.example", "bl.example=127.0.0.[2..3]"), timeout=Duration(1))


def test_a_listed_stranger_reaches_the_postmaster_alone_and_is_looked_up_once(dns: DnsServer) -> None:
    with door(dns, dnsbl=BLOCK) as front:
        with front.connect(LISTED) as talk:
            begin(talk)
            for _ in range(3):
                said = talk.ask("RCPT TO:<bob@example.org>")
                assert said == f"550 5.7.1 Your address {LISTED} is listed by bl.example"
            assert talk.ask("RCPT TO:<x@foreign.example>").startswith("550 5.7.1 Relaying denied")
            assert talk.ask("RCPT TO:<Postmaster@example.org>").startswith("250")
            assert talk.ask("RCPT TO:<postmaster>").startswith("250")
        assert dns.asked(ENTRY) == 1
        assert [line["rule"] for line in lines(front, "refused")] == ["ingress.dnsbl.zones"] * 3 + ["relay.hosted"]
        with front.connect(CLEAN) as talk:
            begin(talk)
            assert talk.ask("RCPT TO:<bob@example.org>").startswith("250")


def test_trusted_clients_are_not_asked_about(dns: DnsServer) -> None:
    with door(dns, dnsbl=BLOCK, require_reverse_dns=True) as front:
        with front.connect(TRUSTED) as talk:
            begin(talk)
            assert talk.ask("RCPT TO:<x@foreign.example>").startswith("250")
        assert not dns.seen


def test_who_is_on_an_allow_list_is_let_in(dns: DnsServer) -> None:
    dns.zone["41.0.0.127.wl.example"] = {"A": ["127.0.9.1"]}
    listed = Dnsbl(zones=("bl.example",), allow_zones=("wl.example",))
    with door(dns, dnsbl=listed) as front, front.connect(LISTED) as talk:
        begin(talk)
        assert talk.ask("RCPT TO:<bob@example.org>").startswith("250")


def test_a_list_that_fails_lists_nobody_and_is_logged(dns: DnsServer) -> None:
    dns.fail(ENTRY, Fault.SERVFAIL)
    dns.zone["41.0.0.127.dead.example"] = {"A": ["203.0.113.1"]}
    with door(dns, dnsbl=BLOCK) as front:
        with front.connect(LISTED) as talk:
            begin(talk)
            assert talk.ask("RCPT TO:<bob@example.org>").startswith("250")
        assert {line["zone"] for line in lines(front, "dns list failed")} == {"dead.example", "bl.example"}


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        (None, "550 5.7.25 Your address has no name in DNS that leads back to it"),
        (Fault.SERVFAIL, "450 4.7.25 The name of your address cannot be looked up now, try again later"),
    ],
)
def test_a_name_is_required(dns: DnsServer, fault: Fault | None, reply: str) -> None:
    if fault is not None:
        dns.fail("42.0.0.127.in-addr.arpa", fault)
    with door(dns, require_reverse_dns=True) as front:
        with front.connect(NAMELESS) as talk:
            begin(talk)
            assert talk.ask("RCPT TO:<bob@example.org>") == reply
            assert talk.ask("RCPT TO:<postmaster@example.org>").startswith("250")
        with front.connect(CLEAN) as talk:
            begin(talk)
            assert talk.ask("RCPT TO:<bob@example.org>").startswith("250")


@pytest.mark.parametrize(("source", "where"), [(CLEAN, f"mail.clean.example [{CLEAN}]"), (NAMELESS, f"[{NAMELESS}]")])
def test_the_name_is_in_the_trace_field_and_in_the_log(dns: DnsServer, source: str, where: str) -> None:
    with door(dns, reverse_dns=True) as front:
        with front.ready(source) as talk:
            assert talk.ask("Subject: x\r\n\r\nhi\r\n.").startswith("250")
        (message,) = front.recorder.messages
        assert message.content.startswith(f"Received: from client.example ({where})\r\n\tby ".encode())
        (line,) = lines(front, "accepted")
        name = "mail.clean.example" if source == CLEAN else None
        assert line.get("name") == name
        assert message.item.client is not None
        assert message.item.client.name == name


def test_a_client_that_leaves_takes_its_questions_along(dns: DnsServer) -> None:
    dns.fail(ENTRY, Fault.SILENT)
    with door(dns, dnsbl=Dnsbl(zones=("bl.example",), timeout=Duration(60))) as front:
        front.connect(LISTED).close()
        wait_for(lambda: len(lines(front, "session")) == 1)
        assert not front.call(tasks("Inquiries"))
        wait_for(lambda: not front.call(tasks("DnsResolver")))  # or the loop would be closed under its socket


async def tasks(name: str) -> list[str]:
    """Return the tasks of a class that are going on."""
    return [repr(task) for task in asyncio.all_tasks() if name in repr(task)]
