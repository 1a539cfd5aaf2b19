"""Delivery to servers that others wrote: Debian's Postfix and OpenSMTPD, each with a server of ours behind it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest
import trustme

from shared.model import Origin, Place, Recipient, Send
from tests.support.delivery_world import ID, World, again, message
from tests.support.greylist import Greylist
from tests.support.opensmtpd import Opensmtpd, opensmtpd_needed
from tests.support.postfix import PROMPT, Postfix, postfix_needed
from tests.support.smtp_server import OFFERS, SmtpServer, Transaction
from tests.support.waiting import wait_for

NAME = "mx1.example.net"
LIMIT = 100_000
"""Octets of a message that the next hops take."""
BEHIND = (*OFFERS, "DSN", "SMTPUTF8")
"""What the server behind them offers."""
AT_A_TIME = 10
"""Recipients that Postfix takes in one transaction; it does not say so beforehand."""
LEFT_OUT = {
    "127.0.0.5": "",
    "127.0.0.2": "chunking",
    "127.0.0.3": "chunking, pipelining",
    "127.0.0.4": "chunking, pipelining, 8bitmime, smtputf8, dsn, size",
}
"""What Postfix does not offer, by the client's address."""
AWKWARD = (
    b"From: a@example.org\r\nDate: Tue, 24 Nov 2026 04:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b".\r\n..\r\n...\r\n.dots\r\n\r\n.\r\n" + "Grüße aus Köln\r\n".encode() * 500 + b" trailing blanks  \t\r\n\r\n\r\n"
)


class Logging(Protocol):
    """A server that keeps a log."""

    port: int

    def log(self) -> list[str] | str:
        """Return its log."""
        ...


class Hop(NamedTuple):
    """A next hop, and the server behind it."""

    server: Logging
    behind: SmtpServer
    speaks_tls: bool
    """False: it offers STARTTLS, and no handshake succeeds."""

    async def passed_on(self, recipient: str, count: int = 1) -> list[Transaction]:
        """Return what has come through for a recipient, once there are `count`."""

        def found() -> list[Transaction]:
            return [each for each in self.behind.transactions if recipient in each.recipients]

        await asyncio.to_thread(wait_for, lambda: len(found()) >= count)
        return found()

    async def logged(self, text: str) -> str:
        """Return the first line of its log with a text, once there is one."""

        def found() -> list[str]:
            log = self.server.log()
            return [line for line in (log.splitlines() if isinstance(log, str) else log) if text in line]

        await asyncio.to_thread(wait_for, lambda: bool(found()))
        return found()[0]


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for the next hops' name and its key."""
    folder = tmp_path_factory.mktemp("next-hop")
    issued = authority.issue_cert(NAME)
    issued.private_key_pem.write_to_path(folder / "key.pem")
    for number, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(folder / "certificate.pem", append=number > 0)
    return folder


@pytest.fixture(scope="module")
def postfix(certificate: Path) -> Iterator[Hop]:
    """A Postfix that greylists `grey…` and has no `nobody`."""
    postfix_needed()
    with SmtpServer(extensions=BEHIND) as behind, Greylist() as greylist:
        server = Postfix(behind.port, {})
        grey = f"check_policy_service {greylist.service}"
        access = server.map("recipients", "grey@example.net greylisted\nnobody@example.net 550 5.1.1 no such user\n")
        server.settings |= {
            **PROMPT,
            "myhostname": NAME,
            "message_size_limit": str(LIMIT),
            "smtpd_recipient_limit": str(AT_A_TIME),
            "smtpd_tls_security_level": "may",
            "smtpd_tls_cert_file": str(certificate / "certificate.pem"),
            "smtpd_tls_key_file": str(certificate / "key.pem"),
            "smtpd_tls_received_header": "yes",
            "smtpd_restriction_classes": "greylisted",
            "greylisted": grey,
            "smtpd_recipient_restrictions": f"check_recipient_access {access}, permit_mynetworks, reject",
            "smtpd_discard_ehlo_keyword_address_maps": server.map(
                "keywords", "".join(f"{client} {words}\n" for client, words in LEFT_OUT.items() if words)
            ),
        }
        with server:
            yield Hop(server, behind, speaks_tls=True)


@pytest.fixture(scope="module")
def opensmtpd(certificate: Path) -> Iterator[Hop]:
    """An OpenSMTPD."""
    opensmtpd_needed()
    with SmtpServer(extensions=BEHIND) as behind, Opensmtpd(behind.port, NAME, certificate, LIMIT) as server:
        yield Hop(server, behind, server.speaks_tls)


@pytest.fixture(params=["postfix", "opensmtpd"])
def hop(request: pytest.FixtureRequest) -> Hop:
    """Each of them."""
    found: Hop = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def world(ca_file: str) -> AsyncIterator[World]:
    """A world that trusts the authority."""
    async with World(tls_ca=Path(ca_file)) as world:
        yield world


def lead_to(world: World, hop: Hop, source: str = "127.0.0.1") -> None:
    """Have DNS name the hop as the host of example.net, and connect from an address; its certificate must be good."""
    policy = "verify" if hop.speaks_tls else "may"
    world.configure(port=hop.server.port, source_address=source, tls_policy={"example.net": policy})
    world.dns.zone["example.net"] = {"MX": [f"10 {NAME}."]}
    world.dns.zone[NAME] = {"A": ["127.0.0.1"]}


def report(sends: list[Send]) -> bytes:
    """Return the one report among what follows."""
    (found,) = [send.message for send in sends if send.message.item.origin is Origin.GENERATED]
    return found.content


async def test_content_arrives_as_it_was(world: World, hop: Hop) -> None:
    """Dots, octets above 127, trailing blanks and all, over verified TLS; in clear if no handshake succeeds."""
    lead_to(world, hop)
    recipient = "whole@example.net"
    for _ in range(3):
        assert await world.deliver(message(recipient, content=AWKWARD, body="8BITMIME")) == ()
    arrived = await hop.passed_on(recipient, 3)
    assert [mail.content.endswith(b"\r\n" + AWKWARD) for mail in arrived] == [True] * 3
    assert {b"TLSv1.3" in mail.content for mail in arrived} == {hop.speaks_tls}


@pytest.mark.parametrize("source", LEFT_OUT)
async def test_postfix_takes_it_whatever_it_offers(world: World, postfix: Hop, source: str) -> None:
    """BDAT where CHUNKING is offered, else DATA; the commands are those that Postfix counts."""
    lead_to(world, postfix, source)
    recipient = f"offers{source[-1]}@example.net"
    second = f"second{source[-1]}@example.net"
    content = AWKWARD if source != "127.0.0.4" else AWKWARD.replace("Grüße aus Köln".encode(), b"Greetings")
    assert await world.deliver(message(recipient, second, content=content, body=None)) == ()
    await world.hang_up()
    (arrived,) = await postfix.passed_on(recipient)
    assert arrived.recipients == (recipient, second)
    assert arrived.content.endswith(b"\r\n" + content)
    counted = await postfix.logged(f"disconnect from unknown[{source}]")
    way = "bdat" if source == "127.0.0.5" else "data"
    assert f"ehlo=2 starttls=1 mail=1 rcpt=2 {way}=1 quit=1 " in counted


async def test_what_the_sender_asked_for_by_dsn_goes_on(world: World, hop: Hop) -> None:
    """RFC 3461: RET and ENVID, NOTIFY and ORCPT, through the next hop to the one behind it."""
    lead_to(world, hop)
    asked = Recipient(address="dsn@example.net", notify=("FAILURE", "DELAY"), orcpt="rfc822;Old+2BName@Former.example")
    assert await world.deliver(message(asked, ret="HDRS", envid="QQ+2B314159")) == ()
    (arrived,) = await hop.passed_on("dsn@example.net")
    assert {"RET=HDRS", "ENVID=QQ+2B314159"} <= set(arrived.mail_params)
    notify, orcpt = sorted(arrived.rcpt_params["dsn@example.net"])
    assert sorted(notify.removeprefix("NOTIFY=").split(",")) == ["DELAY", "FAILURE"]
    assert orcpt == "ORCPT=rfc822;Old+2BName@Former.example"


@pytest.mark.parametrize("source", ["127.0.0.5", "127.0.0.4"])
async def test_postfix_refuses_what_is_too_large(world: World, postfix: Hop, source: str) -> None:
    """Known before a single octet is sent where it says how much it takes, told by it where it does not."""
    lead_to(world, postfix, source)
    large = message("large@example.net", content=AWKWARD[:300] + b"\r\n\r\n" + b"0123456789 \r\n" * 20_000)
    told = report(list(await world.deliver(large)))
    assert b"Status: 5.3.4" in told
    assert not any("large@example.net" in mail.recipients for mail in postfix.behind.transactions)


async def test_opensmtpd_refuses_what_is_too_large(world: World, opensmtpd: Hop) -> None:
    lead_to(world, opensmtpd)
    told = report(list(await world.deliver(message("large@example.net", content=b"\r\n" + b"0123456789\r\n" * 20_000))))
    assert b"Status: 5.3.4" in told


async def test_a_greylist_s_450_is_a_reason_to_come_again(world: World, postfix: Hop) -> None:
    """The second try is accepted, and the other recipient has had his copy in the first."""
    lead_to(world, postfix)
    first = message("grey@example.net", "friend@example.net")
    sends = await world.deliver(first)
    await postfix.passed_on("friend@example.net")
    later = again(sends)
    (waiting,) = later.item.envelope.recipients
    assert waiting.address == "grey@example.net"
    assert str(waiting.last).startswith("450 4.2.0 <grey@example.net>: Recipient address rejected: Greylisted")
    assert await world.deliver(later) == ()
    (arrived,) = await postfix.passed_on("grey@example.net")
    assert arrived.recipients == ("grey@example.net",)
    assert len(await postfix.passed_on("friend@example.net")) == 1


@pytest.mark.parametrize("source", LEFT_OUT)
async def test_more_recipients_than_postfix_takes_at_a_time(world: World, postfix: Hop, source: str) -> None:
    """Its 452 is for the transaction, so all of them have their mail in one attempt, in one session."""
    lead_to(world, postfix, source)
    recipients = [f"crowd{number}-{source[-1]}@example.net" for number in range(2 * AT_A_TIME + 5)]
    assert await world.deliver(message(*recipients)) == ()
    await world.hang_up()
    for recipient in recipients:
        assert len(await postfix.passed_on(recipient)) == 1
    counted = await postfix.logged(f"disconnect from unknown[{source}] ehlo=2 starttls=1 mail=3 ")
    assert f" rcpt={len(recipients) + 15} " in counted, "15 of the first transaction were asked again"


async def test_opensmtpd_s_450_and_550_are_told_apart(world: World, opensmtpd: Hop) -> None:
    lead_to(world, opensmtpd)
    sends = await world.deliver(message("later@example.net", "never@example.net", "now@example.net"))
    await opensmtpd.passed_on("now@example.net")
    (waiting,) = again(sends).item.envelope.recipients
    assert (waiting.address, str(waiting.last)) == ("later@example.net", "450 4.2.0 greylisted, come again")
    told = report(list(sends))
    assert b"never@example.net" in told
    assert b"Status: 5.1.1" in told
    assert b"later@example.net" not in told


async def test_postfix_s_refusal_of_one_recipient_is_nobody_else_s(world: World, postfix: Hop) -> None:
    lead_to(world, postfix)
    sends = await world.deliver(message("nobody@example.net", "somebody@example.net"))
    (arrived,) = await postfix.passed_on("somebody@example.net")
    assert arrived.recipients == ("somebody@example.net",)
    assert b"Status: 5.1.1" in report(list(sends))
    assert [send.place for send in sends] == [Place.REDELIVER]


async def test_international_addresses_go_where_they_are_understood(world: World, postfix: Hop) -> None:
    lead_to(world, postfix)
    assert await world.deliver(message("zoë@example.net", content=AWKWARD, smtputf8=True, body="8BITMIME")) == ()
    (arrived,) = await postfix.passed_on("zoë@example.net")
    assert "SMTPUTF8" in arrived.mail_params


@pytest.mark.parametrize("source", ["127.0.0.4"])
async def test_international_addresses_are_not_sent_elsewhere(world: World, postfix: Hop, source: str) -> None:
    """RFC 6531 section 3.5: it comes back instead."""
    lead_to(world, postfix, source)
    told = report(list(await world.deliver(message("zoë@example.net", content=AWKWARD, smtputf8=True))))
    assert b"Status: 5.6.7" in told


async def test_a_certificate_that_is_not_to_be_trusted_defers(hop: Hop) -> None:
    """The policy says verify, and the authority is unknown: nothing is sent."""
    async with World() as world:
        lead_to(world, hop)
        world.configure(tls_policy={"example.net": "verify"})
        sends = await world.deliver(message("untrusted@example.net"))
        (waiting,) = again(sends).item.envelope.recipients
        assert "4.7.5" in str(waiting.last)
        assert again(sends).item.id == ID
    assert not any("untrusted@example.net" in mail.recipients for mail in hop.behind.transactions)
