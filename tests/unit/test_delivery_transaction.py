"""The transaction machine: scripts of replies in, commands and answers out."""

import pytest

from services.delivery.smtp.transaction import (
    Offers,
    Phase,
    Transaction,
    mail_line,
    needs_smtputf8,
    objection,
    rcpt_line,
)
from shared.model import Envelope, Recipient
from shared.smtp.reply import Reply

BOB, EVE = Recipient(address="bob@example.net"), Recipient(address="eve@example.net")
PLAIN = Envelope(sender="a@example.org", recipients=(BOB,))
EVERYTHING = Offers(size=10**6, eight_bit=True, dsn=True, smtputf8=True, require_tls=True)
LOST = Reply(451, "4.4.2", "lost")


def run(*replies: str | None) -> tuple[list[str], Transaction]:
    """Feed reply lines (None: the session is lost) to a transaction for Bob and Eve; return the steps taken."""
    transaction = Transaction(b"MAIL", [(BOB, b"RCPT bob"), (EVE, b"RCPT eve")])
    steps = []
    for reply in replies:
        step = transaction.step
        assert step is not None
        steps.append(step.line.decode() if step.line is not None else "content")
        if reply is None:
            transaction.broke(LOST)
        else:
            code, _, text = reply.partition(" ")
            transaction.answer(Reply(int(code), None, text))
    assert transaction.step is None
    return steps, transaction


def codes(transaction: Transaction) -> tuple[int | None, int | None]:
    """Return the answers' codes of Bob and Eve."""
    bob, eve = transaction.answers.get(BOB), transaction.answers.get(EVE)
    return bob.code if bob else None, eve.code if eve else None


ALL = ["MAIL", "RCPT bob", "RCPT eve", "DATA", "content"]


@pytest.mark.parametrize(
    ("replies", "steps", "bob", "eve"),
    [
        (["250", "250", "250", "354", "250"], ALL, 250, 250),
        (["250", "251", "252", "354", "250"], ALL, 250, 250),
        (["250", "250", "550", "354", "250"], ALL, 250, 550),
        (["250", "450", "250", "354", "250"], ALL, 450, 250),
        (["250", "450", "250", "354", "554"], ALL, 450, 554),
        (["250", "250", "550", "354", "451"], ALL, 451, 550),
        (["250", "250", "550", "451"], ALL[:4], 451, 550),
        (["250", "250", "250", "554"], ALL[:4], 554, 554),
        (["250", "450", "550"], ALL[:3], 450, 550),
        (["550"], ALL[:1], 550, 550),
        (["451"], ALL[:1], 451, 451),
    ],
)
def test_every_recipient_gets_its_answer(replies: list[str], steps: list[str], bob: int, eve: int) -> None:
    taken, transaction = run(*replies)
    assert taken == steps
    assert codes(transaction) == (bob, eve)
    assert transaction.broken is None


@pytest.mark.parametrize(
    ("replies", "needs"),
    [
        (["250", "250", "250", "354", "250"], False),
        (["250", "250", "250", "354", "554"], False),
        (["550"], False),
        (["250", "450", "550"], True),
        (["250", "250", "250", "451"], True),
    ],
)
def test_only_an_unfinished_transaction_needs_a_reset(replies: list[str], needs: bool) -> None:
    assert run(*replies)[1].needs_reset is needs


@pytest.mark.parametrize(
    ("replies", "bob", "eve", "by_host", "doubtful", "answered"),
    [
        ([None], None, None, False, False, False),
        (["421"], None, None, True, False, False),
        (["250", None], None, None, False, False, True),
        (["250", "421"], None, None, True, False, True),
        (["250", "550", "421"], 550, None, True, False, True),
        (["250", "550", None], 550, None, False, False, True),
        (["250", "250", "450", "421"], None, 450, True, False, True),
        (["250", "250", "450", "354", None], None, 450, False, True, True),
        (["250", "250", "450", "354", "421"], 421, 450, True, False, True),
        (["354"], None, None, False, False, False),
        (["250", "354"], None, None, False, False, True),
        (["250", "250", "250", "250"], None, None, False, False, True),
        (["250", "250", "250", "354", "354"], None, None, False, True, True),
    ],
)
def test_a_session_that_ends_early_leaves_the_rest_open(
    replies: list[str | None], bob: int | None, eve: int | None, by_host: bool, doubtful: bool, answered: bool
) -> None:
    _, transaction = run(*replies)
    assert codes(transaction) == (bob, eve)
    assert transaction.broken is not None
    assert 400 <= transaction.broken.code < 500
    assert (transaction.broken_by_host, transaction.doubtful, transaction.answered) == (by_host, doubtful, answered)
    assert transaction.phase is Phase.DONE


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
