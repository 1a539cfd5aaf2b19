"""What people read in a report: what happened, and what they can do, by cause and kind."""

import msgspec
import pytest

from services.delivery.cause import cause_of
from shared.dsn.cause import WORDS, Cause
from shared.dsn.report import Kind, Report, ReportedRecipient, build_report
from shared.dsn.text import human_text, subject
from shared.model import Envelope, Item, Origin, Recipient
from shared.smtp.reply import Reply

NOW = 1_790_000_000.0
BOB, EVE = Recipient(address="bob@example.net"), Recipient(address="eve@example.net")
ITEM = Item(
    id="01K5Q0000000000000000000AA",
    envelope=Envelope(sender="alice@example.org", recipients=(BOB, EVE)),
    origin=Origin.AUTHENTICATED,
    accepted_at=NOW - 60,
)


def reported(line: str, recipient: Recipient = BOB, host: str | None = "mx.example.net") -> ReportedRecipient:
    """Return a recipient with what its host said."""
    code, enhanced, text = line.split(" ", 2)
    reply = Reply(int(code), enhanced, text)
    return ReportedRecipient(recipient, reply, host, cause=cause_of(reply))


def words(*recipients: ReportedRecipient, kind: Kind = Kind.FAILED, **changes: object) -> str:
    """Return the text on one line."""
    made = Report(
        kind=kind,
        item=ITEM,
        content=b"Subject: hello\r\n\r\nsecret\r\n",
        recipients=recipients,
        hostname="relay.example.org",
        postmaster="postmaster@example.org",
        now=NOW,
        report_id="01K5Q0000000000000000000BB",
    )
    return " ".join(human_text(msgspec.structs.replace(made, **changes)).split())


@pytest.mark.parametrize(
    ("line", "happened", "to_do"),
    [
        ("550 5.1.1 no such user", "no mailbox with this address", "Check the spelling, above all before the @"),
        ("550 5.2.1 account disabled", "no longer in use", "Reach the recipient in another way"),
        ("552 5.2.2 mailbox full", "mailbox is full", "to make room"),
        ("552 5.3.4 message too large", "larger than the recipient's system takes", "smaller attachments"),
        ("550 5.7.1 rejected as spam", "takes the message for spam", "fewer links and pictures"),
        ("552 5.7.0 attachment not allowed", "does not accept a file or a link", "Take it out"),
        ("554 5.7.1 Client host blocked using list", "from the server that sends yours", "pass this report on"),
        ("550 5.7.1 rate limit", "only so many messages at a time", "in smaller groups"),
        ("550 5.7.1 greylisted", "senders that it does not know yet", "in an hour or so"),
        ("550 5.7.26 DMARC", "could not verify that the message comes from the domain", "SPF, DKIM or DMARC"),
        ("553 5.1.8 sender rejected", "does not accept mail from your address", "Check your own address"),
        ("550 5.1.2 no such domain", "does not exist or takes no mail", "Check the spelling after the @"),
        ("556 5.1.10 null MX", "does not exist or takes no mail", "Check the spelling after the @"),
        ("554 5.7.1 Relay access denied", "do not accept mail for it", "only those who run that domain"),
        ("554 5.4.6 too many hops", "round in circles", "Only those who run"),
        ("550 5.7.30 REQUIRETLS support is required", "may travel encrypted only", "without that demand"),
        ("554 5.6.7 needs SMTPUTF8", "cannot take a message of this form", "plain text"),
        ("550 5.7.1 policy", "A rule of the recipient's system", "to have mail from you let through"),
        ("451 4.4.1 no connection", "could not be reached", "send the message again in a day or two"),
        ("451 4.3.0 local error", "could not take the message when it was asked", "again in a day or two"),
        ("550 5.0.0 no", "did not accept the message", "what the other side said"),
    ],
)
def test_a_failure_says_what_happened_and_what_to_do(line: str, happened: str, to_do: str) -> None:
    text = words(reported(line))
    assert "could not be delivered" in text
    assert happened in text
    assert f"mx.example.net said: {line}" in text
    assert f"What you can do: {WORDS[cause_of(reported(line).reply)].to_do}" in text
    assert to_do in text


@pytest.mark.parametrize("cause", list(Cause))
def test_a_delay_asks_for_patience_whatever_the_cause(cause: Cause) -> None:
    waiting = msgspec.structs.replace(reported("450 4.0.0 later"), cause=cause)
    text = words(waiting, kind=Kind.DELAYED, retry_until=NOW + 86400)
    assert WORDS[cause].happened in text
    assert WORDS[cause].to_do not in text
    assert "Please do not send the message again." in text
    assert "If it cannot be delivered by" in text


def test_recipients_that_failed_alike_stand_together() -> None:
    full = reported("552 5.2.2 mailbox full")
    text = words(full, reported("550 5.1.1 unknown"), msgspec.structs.replace(full, recipient=EVE))
    assert text.count(WORDS[Cause.MAILBOX_FULL].happened) == text.count(WORDS[Cause.MAILBOX_FULL].to_do) == 1
    assert text.index("bob@") < text.index("eve@") < text.index(WORDS[Cause.UNKNOWN_MAILBOX].happened)


@pytest.mark.parametrize("kind", [Kind.RELAYED, Kind.BLOCKED])
def test_what_has_no_cause_has_the_words_of_its_kind(kind: Kind) -> None:
    text = words(ReportedRecipient(BOB, Reply(250, "2.0.0", "ok")), kind=kind)
    assert not any(each.happened in text or each.to_do in text for each in WORDS.values())


def test_the_postmaster_is_told_why_he_is_told() -> None:
    item = msgspec.structs.replace(ITEM, envelope=Envelope(sender=None, recipients=(BOB,)))
    text = words(reported("550 5.1.1 unknown"), item=item, to="postmaster@example.org")
    assert "has no sender who could be told" in text
    assert "Your message" not in text
    assert words(reported("550 5.1.1 unknown"), item=item) == text
    assert "Your message could not be delivered" in words(reported("550 5.1.1 unknown"))


@pytest.mark.parametrize(("to", "said"), [(None, "Your message"), ("postmaster@example.org", "neither delivered nor")])
def test_a_double_bounce_has_a_subject_of_its_own(to: str | None, said: str) -> None:
    made = Report(
        kind=Kind.FAILED,
        item=ITEM,
        content=b"",
        recipients=(reported("550 5.1.1 unknown"),),
        hostname="relay.example.org",
        postmaster="postmaster@example.org",
        now=NOW,
        report_id="01K5Q0000000000000000000BB",
        to=to,
    )
    assert said in subject(made)


def test_lines_are_short_but_for_what_others_said() -> None:
    every = [msgspec.structs.replace(reported("550 5.1.1 no"), cause=cause) for cause in Cause]
    made = Report(
        kind=Kind.FAILED,
        item=ITEM,
        content=b"Subject: hello\r\n\r\nsecret\r\n",
        recipients=tuple(every),
        hostname="relay.example.org",
        postmaster="postmaster@example.org",
        now=NOW,
        report_id="01K5Q0000000000000000000BB",
    )
    assert max(map(len, human_text(made).split("\r\n"))) <= 78
    assert b"secret" not in build_report(made)
