"""What a host offers, and what is said to it: tables."""

import pytest

from services.delivery.smtp.offers import Offers, carries, mail_line, needs_smtputf8, objection, rcpt_line
from shared.model import Envelope, Recipient

BOB, EVE = Recipient(address="bob@example.net"), Recipient(address="eve@example.net")
PLAIN = Envelope(sender="a@example.org", recipients=(BOB,))
EVERYTHING = Offers(size=10**6, eight_bit=True, dsn=True, smtputf8=True, require_tls=True)


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({}, Offers()),
        ({"size": "1000", "8bitmime": "", "dsn": ""}, Offers(size=1000, eight_bit=True, dsn=True)),
        ({"smtputf8": "", "requiretls": ""}, Offers(smtputf8=True, require_tls=True)),
        ({"size": ""}, Offers()),
        ({"size": "0"}, Offers()),
        ({"size": "-1"}, Offers()),
        ({"size": "lots"}, Offers()),
        ({"size": "²"}, Offers()),
        ({"size": "9" * 5000}, Offers()),
        ({"pipelining": "", "chunking": ""}, Offers(pipelining=True, chunking=True)),
        ({"limits": "MAILMAX=3 RCPTMAX=20 RCPTDOMAINMAX=1"}, Offers(transactions=3, recipients=20)),
        ({"limits": "rcptmax=5"}, Offers(recipients=5)),
        ({"limits": "RCPTMAX=5000"}, Offers()),
        ({"limits": "RCPTMAX=0 MAILMAX=0"}, Offers()),
        ({"limits": "RCPTMAX MAILMAX= =4 nonsense"}, Offers()),
    ],
)
def test_offers_are_read(keywords: dict[str, str], expected: Offers) -> None:
    assert Offers.of(keywords) == expected


@pytest.mark.parametrize(
    ("envelope", "content", "offers", "expected"),
    [
        (PLAIN, b"x", Offers(), b"MAIL FROM:<a@example.org>"),
        (Envelope(sender=None, recipients=(BOB,)), b"x", Offers(), b"MAIL FROM:<>"),
        (PLAIN, b"x", EVERYTHING, b"MAIL FROM:<a@example.org> SIZE=1"),
        (PLAIN, b"\xff", EVERYTHING, b"MAIL FROM:<a@example.org> SIZE=1 BODY=8BITMIME"),
        (PLAIN, b"\xff", Offers(), b"MAIL FROM:<a@example.org>"),
        (
            Envelope(sender="ä@b", recipients=(BOB,), smtputf8=True, ret="HDRS", envid="X", require_tls=True),
            b"x",
            EVERYTHING,
            "MAIL FROM:<ä@b> SIZE=1 SMTPUTF8 REQUIRETLS RET=HDRS ENVID=X".encode(),
        ),
        (
            Envelope(sender="a@b", recipients=(BOB,), smtputf8=True, ret="FULL", envid="X", body="8BITMIME"),
            b"x",
            Offers(eight_bit=True),
            b"MAIL FROM:<a@b> BODY=8BITMIME",
        ),
    ],
)
def test_the_mail_command(envelope: Envelope, content: bytes, offers: Offers, expected: bytes) -> None:
    assert mail_line(envelope, content, offers) == expected


@pytest.mark.parametrize(
    ("recipient", "offers", "expected"),
    [
        (BOB, EVERYTHING, b"RCPT TO:<bob@example.net>"),
        (
            Recipient(address="b@c", notify=("SUCCESS", "DELAY"), orcpt="rfc822;B@c"),
            EVERYTHING,
            b"RCPT TO:<b@c> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B@c",
        ),
        (Recipient(address="b@c", notify=("NEVER",), orcpt="rfc822;B@c"), Offers(), b"RCPT TO:<b@c>"),
        (Recipient(address="b@c", orcpt="utf-8;ü€@c"), EVERYTHING, b"RCPT TO:<b@c> ORCPT=utf-8;\\x{FC}\\x{20AC}@c"),
        (Recipient(address="ü@c", orcpt="utf-8;ü@c"), EVERYTHING, "RCPT TO:<ü@c> ORCPT=utf-8;ü@c".encode()),
    ],
)
def test_the_rcpt_command(recipient: Recipient, offers: Offers, expected: bytes) -> None:
    assert rcpt_line(recipient, offers) == expected


UTF8 = Envelope(sender="a@b", recipients=(BOB,), smtputf8=True)
HEADER = "Subject: ü\r\n\r\nx".encode()


@pytest.mark.parametrize(
    ("envelope", "content", "needs"),
    [
        (PLAIN, HEADER, False),
        (UTF8, HEADER, True),
        (UTF8, HEADER[:12], True),
        (UTF8, b"Subject: u\r\n\r\n\xc3\xbc", False),
        (Envelope(sender="ü@b", recipients=(BOB,)), b"", True),
        (Envelope(sender=None, recipients=(Recipient(address="ü@b"),)), b"", True),
    ],
)
def test_when_smtputf8_is_needed(envelope: Envelope, content: bytes, needs: bool) -> None:
    assert needs_smtputf8(envelope, content) is needs


@pytest.mark.parametrize(
    ("envelope", "content", "offers", "status"),
    [
        (PLAIN, b"x" * 1000, Offers(), None),
        (PLAIN, b"x" * 1000, Offers(size=1000), None),
        (PLAIN, b"x" * 1001, Offers(size=1000), "5.3.4"),
        (UTF8, HEADER, Offers(), "5.6.7"),
        (UTF8, HEADER, Offers(smtputf8=True), None),
        (Envelope(sender="ü@b", recipients=(BOB,)), b"", Offers(), "5.6.7"),
        (Envelope(sender=None, recipients=(Recipient(address="ü@b"), BOB)), b"", Offers(), None),
        (Envelope(sender="a@b", recipients=(BOB,), require_tls=True), b"", Offers(), "5.7.30"),
        (Envelope(sender="a@b", recipients=(BOB,), require_tls=True), b"", Offers(require_tls=True), None),
        (Envelope(sender=None, recipients=(BOB,), require_tls=True), b"", Offers(), None),
    ],
)
def test_what_cannot_be_sent_is_not_begun(
    envelope: Envelope, content: bytes, offers: Offers, status: str | None
) -> None:
    reply = objection(envelope, content, offers, "mx")
    assert (reply and reply.enhanced) == status


@pytest.mark.parametrize(
    ("address", "smtputf8", "expected"),
    [
        ("bob@example.net", False, True),
        ("bob@xn--bcher-kva.example", False, True),
        ("bücher@example.net", False, False),
        ("bücher@example.net", True, True),
        ("bob@example.net", True, True),
    ],
)
def test_which_addresses_a_host_takes(address: str, smtputf8: bool, expected: bool) -> None:
    assert carries(Recipient(address=address), Offers(smtputf8=smtputf8)) is expected
