"""ARC seals on strangers' mail that the screener changed, as dkimpy and Perl's Mail::DKIM verify them."""

from pathlib import Path
from typing import Any

import pytest

from services.delivery.signing.keys import SigningKey, make_key
from services.delivery.signing.signer import Unsigned, read_keys
from shared import metrics
from shared.config.model import Arc, Dkim
from shared.model import Action, Message, Origin, Release, Verdict
from tests.support import mail_dkim
from tests.support.delivery_world import ACCEPTED_AT, World, again, message
from tests.support.metered import counting
from tests.support.smtp_server import SmtpServer
from tests.support.verifiers import dkimpy_arc, new_key, published

BOB = "bob@example.net"
STRIPPED = Verdict(action=Action.STRIP, at=ACCEPTED_AT)
BODY = (
    b"From: Alice <alice@elsewhere.example>\r\nTo: bob@example.net\r\nSubject: Dinner\r\n"
    b"Date: Tue, 24 Nov 2026 20:14:35 +0000\r\nMessage-ID: <1@elsewhere.example>\r\n\r\nHello.\r\n"
)
RESULTS = (
    b"Authentication-Results: relay.example.org; spf=pass smtp.mailfrom=alice@elsewhere.example;\r\n\tdkim=none;\r\n"
    b"\tdmarc=none"
)
FIRST = new_key("rsa", "first.example")
TRACE = b"Received: from client.example by relay.example.org; Tue, 24 Nov 2026 20:14:36 +0000\r\n"


@pytest.fixture
def destination(world: World, tmp_path: Path) -> SmtpServer:
    """Seal for example.org; start the destination of example.net."""
    key = tmp_path / "arc.pem"
    key.write_bytes(make_key("rsa"))
    world.configure(arc=Arc(domain="example.org", selector="a1", key=str(key)))
    server = world.server()
    world.mx("example.net", (10, server))
    ours = read_keys(world.config).arc
    assert isinstance(ours, SigningKey)
    world.dns.zone |= published(ours, FIRST)
    return server


def stripped(content: bytes, **item: Any) -> Message:
    fields: dict[str, Any] = {"origin": Origin.INBOUND, "verdict": STRIPPED} | item
    return message(BOB, content=content, **fields)


async def delivered(world: World, destination: SmtpServer, mail: Message) -> bytes:
    assert await world.deliver(mail) == ()
    return destination.transactions[-1].content


async def test_a_stripped_message_is_sealed(world: World, destination: SmtpServer) -> None:
    content = TRACE + RESULTS + b"\r\n" + BODY
    mail = await delivered(world, destination, stripped(content))
    assert mail.endswith(content)
    assert dkimpy_arc(mail, world.dns) == ("pass", "success")
    assert mail_dkim.verified(mail, world.dns)[0] == "pass"
    assert b"\r\nARC-Authentication-Results: i=1; relay.example.org; spf=pass " in mail
    assert b"cv=none" in mail


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hello.", b"Bye."),
        (b"Dinner", b"Lunch"),
        (b"Results: i=1; relay.example.org; spf=pass", b"Results: i=1; relay.example.org; spf=fail"),
        (b"From: Alice", b"Reply-To: x@evil.example\r\nFrom: Alice"),
        (b"d=elsewhere.example", b"d=evil.example"),
    ],
)
async def test_a_change_breaks_the_chain(world: World, destination: SmtpServer, old: bytes, new: bytes) -> None:
    theirs = b"DKIM-Signature: v=1; a=rsa-sha256; d=elsewhere.example; s=s; h=from; bh=; b=\r\n"
    mail = await delivered(world, destination, stripped(TRACE + RESULTS + b"\r\n" + theirs + BODY))
    changed = mail.replace(old, new)
    assert changed != mail
    assert dkimpy_arc(changed, world.dns)[0] == "fail"
    assert mail_dkim.verified(changed, world.dns)[0] == "fail"


async def test_a_chain_that_others_began_goes_on(world: World, destination: SmtpServer, tmp_path: Path) -> None:
    """Theirs signs the message as it was; ours the message without what was cut out. The chain holds."""
    theirs = b"Authentication-Results: first.example; spf=pass smtp.mailfrom=alice@elsewhere.example\r\n"
    arrived = mail_dkim.sealed(theirs + BODY, FIRST, "first.example", "none", tmp_path)
    assert dkimpy_arc(arrived, world.dns) == ("pass", "success")
    cut = arrived.replace(b"Hello.", b"[removed]")
    assert dkimpy_arc(cut, world.dns)[0] == "fail"
    mail = await delivered(world, destination, stripped(TRACE + RESULTS + b";\r\n\tarc=pass\r\n" + cut))
    assert dkimpy_arc(mail, world.dns) == ("pass", "success")
    result, detail = mail_dkim.verified(mail, world.dns)
    assert (result, "as.2.example.org=pass" in detail, "ams.2.example.org=pass" in detail) == ("pass", True, True)


async def test_a_chain_that_was_broken_on_arrival_is_declared_so(
    world: World, destination: SmtpServer, tmp_path: Path
) -> None:
    """Both verifiers then take the chain for ended; and nothing more is sealed."""
    theirs = b"Authentication-Results: first.example; spf=pass\r\n"
    broken = mail_dkim.sealed(theirs + BODY, FIRST, "first.example", "none", tmp_path).replace(b"Hello.", b"Hallo.")
    failed = RESULTS + b';\r\n\tarc=fail reason="the body has changed"\r\n'
    mail = await delivered(world, destination, stripped(TRACE + failed + broken))
    assert mail.startswith(b"ARC-Seal: i=2;")
    assert b"cv=fail" in mail
    verdict, reason = dkimpy_arc(mail, world.dns)
    assert (verdict, reason) == ("ended", "ARC-Seal[2] reported failure, the chain is terminated")
    again_stripped = TRACE + failed + mail
    assert await delivered(world, destination, stripped(again_stripped)) == again_stripped


async def test_a_retry_seals_once(world: World, destination: SmtpServer) -> None:
    destination.script("RCPT", "450 4.2.0 later", "250 2.1.5 ok")
    waiting = again(await world.deliver(stripped(TRACE + RESULTS + b"\r\n" + BODY)))
    world.now += 600
    mail = await delivered(world, destination, waiting)
    assert mail.count(b"ARC-Seal:") == 1


@pytest.mark.parametrize(
    ("item", "results", "reason"),
    [
        ({"verdict": Verdict(action=Action.PASS, at=ACCEPTED_AT)}, RESULTS, None),
        ({"release": Release(at=ACCEPTED_AT, by="op")}, RESULTS, None),
        ({"origin": Origin.TRUSTED}, RESULTS, None),
        ({"origin": Origin.AUTHENTICATED}, RESULTS, None),
        ({}, b"X-Other: x", Unsigned.NO_RESULTS),
        ({}, RESULTS.replace(b"relay.example.org", b"mx.example.com"), Unsigned.NO_RESULTS),
        ({}, RESULTS + b"\r\nARC-Seal: i=1; cv=none; d=x; s=x; b=", Unsigned.CHAIN_OVER),
        ({}, RESULTS + b"\r\n" + b"To: x\r\n" * 300 + b"X: x", Unsigned.MANY_FIELDS),
    ],
    ids=["unchanged", "released", "trusted", "user", "not verified", "not ours", "untold chain", "300 To"],
)
async def test_what_is_not_sealed_arrives_as_it_is(
    world: World, destination: SmtpServer, item: dict[str, Any], results: bytes, reason: Unsigned | None
) -> None:
    content = TRACE + results + b"\r\n" + BODY
    with counting(metrics.signatures) as counted:
        assert await delivered(world, destination, stripped(content, **item)) == content
        assert counted() == ({("arc", reason): 1} if reason else {})


async def test_with_both_keys_each_kind_of_mail_gets_its_own(
    world: World, destination: SmtpServer, tmp_path: Path
) -> None:
    world.configure(dkim=(Dkim(domain="elsewhere.example", selector="a1", key=str(tmp_path / "arc.pem")),))
    content = TRACE + RESULTS + b"\r\n" + BODY
    with counting(metrics.signatures) as counted:
        sealed = await delivered(world, destination, stripped(content))
        signed = await delivered(world, destination, stripped(TRACE + BODY, origin=Origin.TRUSTED))
        assert counted() == {("arc", "signed"): 1, ("dkim", "signed"): 1}
    assert (sealed.count(b"ARC-Seal:"), sealed.count(b"DKIM-Signature:")) == (1, 0)
    assert (signed.count(b"ARC-Seal:"), signed.count(b"DKIM-Signature:")) == (0, 1)
