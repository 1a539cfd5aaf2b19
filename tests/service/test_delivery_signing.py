"""What arrives at a destination: our own mail and our reports with signatures, once, and strangers' mail without."""

from pathlib import Path

import pytest

from services.delivery.signing.keys import make_key
from services.delivery.signing.signer import DkimKey, Keys, Signer, Unsigned, read_keys
from shared import metrics
from shared.config.model import Dkim
from shared.errors import ConfigError
from shared.model import Origin, Place
from tests.support.delivery_world import CONTENT, World, again, message
from tests.support.metered import counting
from tests.support.smtp_server import SmtpServer
from tests.support.verifiers import dkimpy, new_key, opendkim, published

BOB = "bob@example.net"
BOTH = [("pass", "rsa-sha256"), ("pass", "ed25519-sha256")]


@pytest.fixture
def destination(world: World, tmp_path: Path) -> SmtpServer:
    """Sign for example.org with both algorithms; start the destination of example.net and example.org."""
    for kind in ("rsa", "ed25519"):
        (tmp_path / kind).write_bytes(make_key(kind))
    entries = tuple(Dkim(domain="example.org", selector=kind, key=str(tmp_path / kind)) for kind in ("rsa", "ed25519"))
    world.configure(dkim=entries)
    server = world.server()
    for domain in ("example.net", "example.org"):
        world.mx(domain, (10, server))
    world.dns.zone |= published(*(one.key for one in read_keys(world.config).dkim["example.org"]))
    return server


@pytest.mark.parametrize("origin", [Origin.AUTHENTICATED, Origin.TRUSTED])
async def test_our_own_mail_arrives_signed(
    world: World, destination: SmtpServer, tmp_path: Path, origin: Origin
) -> None:
    assert await world.deliver(message(BOB, origin=origin)) == ()
    (mail,) = destination.transactions
    assert mail.content.endswith(CONTENT)
    assert opendkim(mail.content, world.dns, tmp_path) == BOTH
    assert dkimpy(mail.content, world.dns)


async def test_a_lists_post_keeps_its_authors_signature(world: World, destination: SmtpServer, tmp_path: Path) -> None:
    """The list signs beside it, as the envelope sender; both hold."""
    theirs = new_key("rsa", "elsewhere.example")
    world.dns.zone |= published(theirs)
    post = b"From: a@elsewhere.example\r\nTo: list@example.org\r\nSubject: post\r\n\r\nHello.\r\n"
    author = Signer(Keys({"elsewhere.example": (DkimKey(theirs, 0),)}), "mx.elsewhere.example", "x@elsewhere.example")
    post = (await author.signed(message(BOB, content=post), world.now)).content
    sent = b"Received: from mx.elsewhere.example by relay.example.org; Tue, 24 Nov 2026 20:14:36 +0000\r\n" + post
    assert await world.deliver(message(BOB, content=sent, sender="list-bounces@example.org")) == ()
    (mail,) = destination.transactions
    assert mail.content.endswith(sent)
    assert opendkim(mail.content, world.dns, tmp_path) == [*BOTH, ("pass", "rsa-sha256")]


@pytest.mark.usefixtures("destination")
async def test_a_host_without_8bitmime_changes_nothing(world: World, tmp_path: Path) -> None:
    """Nothing is encoded anew on the way out, so nothing breaks what was signed."""
    plain = world.server(extensions=("PIPELINING",))
    world.mx("plain.example", (10, plain))
    content = CONTENT.replace(b"Hello", "Grüße".encode())
    assert await world.deliver(message("bob@plain.example", content=content)) == ()
    (mail,) = plain.transactions
    assert mail.content.endswith(content)
    assert opendkim(mail.content, world.dns, tmp_path) == BOTH


async def test_a_strangers_mail_arrives_as_it_is(world: World, destination: SmtpServer) -> None:
    assert await world.deliver(message(BOB, origin=Origin.INBOUND, spf="pass")) == ()
    assert destination.transactions[0].content == CONTENT


async def test_mail_of_a_domain_without_a_key_arrives_as_it_is(world: World, destination: SmtpServer) -> None:
    content = b"From: a@example.com\r\n\r\nHello.\r\n"
    with counting(metrics.signatures) as counted:
        assert await world.deliver(message(BOB, content=content, sender="a@example.com")) == ()
        assert counted() == {("dkim", Unsigned.NO_KEY): 1}
    assert destination.transactions[0].content == content


async def test_retries_do_not_pile_signatures_up(world: World, destination: SmtpServer) -> None:
    """What waits for another try is the message as it came."""
    destination.script("RCPT", "450 4.2.0 later", "451 4.3.0 later", "250 2.1.5 ok")
    waiting = message(BOB)
    for _ in range(2):
        waiting = again(await world.deliver(waiting))
        assert waiting.content == CONTENT
        world.now += 600
    assert await world.deliver(waiting) == ()
    (mail,) = destination.transactions
    assert mail.content.count(b"DKIM-Signature:") == 2
    assert f"t={int(world.now)};".encode() in mail.content


async def test_a_second_transaction_of_one_attempt_has_the_same_signatures(
    world: World, destination: SmtpServer
) -> None:
    recipients = [f"user{number}@example.net" for number in range(150)]
    assert await world.deliver(message(*recipients)) == ()
    one, two = destination.transactions
    assert one.content == two.content
    assert one.content.count(b"DKIM-Signature:") == 2


async def test_reports_are_signed_and_quote_what_was_not(world: World, destination: SmtpServer, tmp_path: Path) -> None:
    """Those of failures go to the sender, from the postmaster; they hold the message as it came."""
    destination.script("RCPT bob@example.net", "550 5.1.1 unknown")
    (report,) = await world.deliver(message(BOB, ret="FULL"))
    assert report.place is Place.REDELIVER
    assert b"DKIM-Signature" not in report.message.content
    assert CONTENT in report.message.content
    assert await world.deliver(report.message) == ()
    (mail,) = destination.transactions
    assert opendkim(mail.content, world.dns, tmp_path) == BOTH


async def test_the_size_told_is_that_of_the_signed_message(world: World, destination: SmtpServer) -> None:
    assert await world.deliver(message(BOB)) == ()
    (mail,) = destination.transactions
    assert f"SIZE={len(mail.content)}" in mail.mail_params


async def test_a_message_over_a_hosts_limit_only_when_signed_is_over_it(world: World, tmp_path: Path) -> None:
    (tmp_path / "rsa").write_bytes(make_key("rsa"))
    world.configure(dkim=(Dkim(domain="example.org", selector="rsa", key=str(tmp_path / "rsa")),))
    server = world.server(extensions=(f"SIZE {len(CONTENT) + 10}",))
    world.mx("example.net", (10, server))
    (report,) = await world.deliver(message(BOB))
    assert report.message.item.origin is Origin.GENERATED
    assert server.transactions == []


async def test_a_large_message_is_signed_off_the_loop(world: World, destination: SmtpServer, tmp_path: Path) -> None:
    content = CONTENT + b"x" * 75 + b"\r\n" + b"y \r\n" * 200_000
    assert await world.deliver(message(BOB, content=content)) == ()
    (mail,) = destination.transactions
    assert mail.content.endswith(content)
    assert opendkim(mail.content, world.dns, tmp_path) == BOTH


async def test_what_was_signed_is_counted(world: World, destination: SmtpServer) -> None:
    """Our own mail, once a message and attempt, however many keys sign; a stranger's is no matter of signatures."""
    destination.script("RCPT", "450 4.2.0 later", "250 2.1.5 ok")
    with counting(metrics.signatures) as counted:
        waiting = again(await world.deliver(message(BOB)))
        world.now += 600
        assert await world.deliver(waiting) == ()
        assert await world.deliver(message(BOB, origin=Origin.INBOUND)) == ()
        assert counted() == {("dkim", "signed"): 2}


async def test_without_keys_nothing_is_counted(world: World) -> None:
    world.mx("example.net", (10, world.server()))
    with counting(metrics.signatures) as counted:
        assert await world.deliver(message(BOB)) == ()
        assert counted() == {}


AUTHOR = b"From: a@example.org\r\n"
UNSIGNED = [
    (b"\r\nHello.\r\n", Unsigned.NO_AUTHOR),
    (b"Hello, this is no field\r\n" + AUTHOR + b"\r\nx\r\n", Unsigned.NO_HEADER),
    (AUTHOR + b"From: b@example.org\r\n\r\nx\r\n", Unsigned.SEVERAL_AUTHORS),
    (b"From: a@example.org, b@example.com\r\n\r\nx\r\n", Unsigned.SEVERAL_AUTHORS),
    (b"Subject: no author\r\n\r\nx\r\n", Unsigned.NO_AUTHOR),
    (AUTHOR + b"To: b@example.net\r\n" * 300 + b"\r\nx\r\n", Unsigned.MANY_FIELDS),
    (AUTHOR + b"X-Long: " + b"x" * 1_100_000 + b"\r\n\r\nx\r\n", Unsigned.LONG_HEADER),
]


@pytest.mark.parametrize(("content", "reason"), UNSIGNED, ids=[str(number) for number in range(len(UNSIGNED))])
async def test_what_cannot_be_signed_arrives_as_it_is(
    world: World, destination: SmtpServer, content: bytes, reason: Unsigned
) -> None:
    with counting(metrics.signatures) as counted:
        assert await world.deliver(message(BOB, content=content)) == ()
        assert counted() == {("dkim", reason): 1}
    assert destination.transactions[0].content == content


@pytest.mark.parametrize(
    ("results", "signatures"),
    [
        (b"relay.example.org; spf=none; dkim=none;\r\n\tdmarc=fail (p=none) header.from=example.org", 0),
        (b"relay.example.org; spf=none; dkim=none", 0),
        (b'relay.example.org; spf=fail reason="; dmarc=pass"; dmarc=none', 0),
        (b"relay.example.org; spf=pass; dkim=pass header.d=example.org;\r\n\tdmarc=pass header.from=example.org", 2),
        (b"mx.example.com; dmarc=fail", 2),
    ],
)
async def test_a_forgery_that_a_trusted_host_sends_on_is_not_signed(
    world: World, destination: SmtpServer, results: bytes, signatures: int
) -> None:
    """Ingress leaves our own field in mail from trusted networks; what it said of the author when it came, counts."""
    content = b"Authentication-Results: " + results + b"\r\n" + CONTENT
    with counting(metrics.signatures) as counted:
        assert await world.deliver(message(BOB, content=content)) == ()
        assert counted() == {("dkim", "signed" if signatures else Unsigned.FORGED): 1}
    assert destination.transactions[0].content.count(b"DKIM-Signature:") == signatures


def test_a_key_that_cannot_be_read_stops_the_process(world: World, tmp_path: Path) -> None:
    world.configure(dkim=(Dkim(domain="example.org", selector="s", key=str(tmp_path / "absent")),))
    with pytest.raises(ConfigError, match=r"^delivery\.dkim\[0\]\.key: "):
        _ = world.handler
