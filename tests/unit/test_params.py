"""MAIL and RCPT parameters: read with their case, offered to whom they are offered, refused with the right code."""

import pytest

from services.ingress import replies
from services.ingress.protocol.arguments import MailArgument, RcptArgument, read_mail, read_rcpt
from services.ingress.protocol.params import MailParams, Offers, RcptParams, parse_mail, parse_rcpt
from services.ingress.replies import Refuse
from shared.smtp.address import Mailbox

ALL = Offers(dsn=True, smtputf8=True, auth=True, require_tls=True, max_hold=3600)
NONE = Offers()

MAIL = [
    ("", MailParams()),
    ("SIZE=1000", MailParams(size=1000)),
    ("size=0", MailParams()),
    ("body=8bitmime", MailParams(body="8BITMIME")),
    ("BODY=7BIT  SIZE=5", MailParams(body="7BIT", size=5)),
    ("SMTPUTF8", MailParams(smtputf8=True)),
    ("RET=hdrs ENVID=QueUe+2Bid", MailParams(ret="HDRS", envid="QueUe+2Bid")),
    ("RET=FULL", MailParams(ret="FULL")),
    ("AUTH=<>", MailParams()),
    ("AUTH=bob+40example.org", MailParams()),
    ("RequireTLS", MailParams(require_tls=True)),
    ("HOLDFOR=0", MailParams(hold_for=0)),
    ("HOLDFOR=999999999", MailParams(hold_for=999_999_999)),
    ("HOLDUNTIL=2026-11-24T12:00:00Z", MailParams(hold_until=1_795_521_600.0)),
    ("HOLDUNTIL=2026-11-24t12:00:00.25z", MailParams(hold_until=1_795_521_600.0)),
]


@pytest.mark.parametrize(("text", "params"), MAIL)
def test_mail_parameters(text: str, params: MailParams) -> None:
    assert parse_mail(text, ALL) == params


BAD_MAIL = [
    ("SIZE", 501),
    ("SIZE=", 501),
    ("SIZE=abc", 501),
    ("SIZE=-1", 501),
    ("SIZE=" + "9" * 21, 501),
    ("SIZE=1 size=2", 501),
    ("BODY=BINARYMIME", 501),
    ("BODY", 501),
    ("SMTPUTF8=yes", 501),
    ("RET=ALL", 501),
    ("RET", 501),
    ("ENVID", 501),
    ("ENVID=a+2", 501),
    ("ENVID=a+2b", 501),
    ("ENVID=" + "a" * 101, 501),
    ("AUTH=", 501),
    ("AUTH", 501),
    ("REQUIRETLS=yes", 501),
    ("REQUIRETLS=", 501),
    ("HOLDFOR", 501),
    ("HOLDFOR=-1", 501),
    ("HOLDFOR=1.5", 501),
    ("HOLDFOR=1234567890", 501),
    ("HOLDFOR=\N{ARABIC-INDIC DIGIT ONE}", 501),
    ("HOLDUNTIL", 501),
    ("HOLDUNTIL=tomorrow", 501),
    ("HOLDUNTIL=2026-11-24T12:00:00", 501),
    ("HOLDUNTIL=2026-11-24T12:00:00+01:00", 501),
    ("HOLDUNTIL=2026-02-30T12:00:00Z", 501),
    ("HOLDUNTIL=0000-01-01T00:00:00Z", 501),
    ("=x", 501),
    ("-X=1", 501),
    ("X=a=b", 501),
    ("X=\tb", 501),
    ("NOTIFY=NEVER", 555),
    ("UNKNOWN", 555),
    ("XYZ=1", 555),
]


@pytest.mark.parametrize(("text", "code"), BAD_MAIL)
def test_bad_mail_parameters(text: str, code: int) -> None:
    refused = parse_mail(text, ALL)
    assert isinstance(refused, Refuse)
    assert (refused.reply.code, refused.reply.enhanced) == (code, "5.5.4")


@pytest.mark.parametrize(
    "text", ["RET=FULL", "ENVID=a", "SMTPUTF8", "AUTH=<>", "REQUIRETLS", "HOLDFOR=1", "HOLDUNTIL=2026-11-24T12:00:00Z"]
)
def test_mail_parameters_that_are_not_offered(text: str) -> None:
    refused = parse_mail(text, NONE)
    assert isinstance(refused, Refuse)
    assert refused.reply.code == 555


RCPT = [
    ("", RcptParams()),
    ("NOTIFY=NEVER", RcptParams(notify=("NEVER",))),
    ("notify=success,Failure,DELAY", RcptParams(notify=("SUCCESS", "FAILURE", "DELAY"))),
    ("ORCPT=rfc822;Bob+2Btag@Example.ORG", RcptParams(orcpt="rfc822;Bob+2Btag@Example.ORG")),
    ("NOTIFY=DELAY ORCPT=utf-8;x", RcptParams(notify=("DELAY",), orcpt="utf-8;x")),
]


@pytest.mark.parametrize(("text", "params"), RCPT)
def test_rcpt_parameters(text: str, params: RcptParams) -> None:
    assert parse_rcpt(text, ALL) == params


BAD_RCPT = [
    ("NOTIFY", 501),
    ("NOTIFY=", 501),
    ("NOTIFY=NEVER,DELAY", 501),
    ("NOTIFY=DELAY,DELAY", 501),
    ("NOTIFY=SOMETIMES", 501),
    ("ORCPT=bob@example.org", 501),
    ("ORCPT=rfc822;", 501),
    ("ORCPT=;bob", 501),
    ("ORCPT=rfc822;a+zz", 501),
    ("ORCPT=rfc822;" + "a" * 500, 501),
    ("NOTIFY=DELAY NOTIFY=NEVER", 501),
    ("SIZE=1", 555),
]


@pytest.mark.parametrize(("text", "code"), BAD_RCPT)
def test_bad_rcpt_parameters(text: str, code: int) -> None:
    refused = parse_rcpt(text, ALL)
    assert isinstance(refused, Refuse)
    assert (refused.reply.code, refused.reply.enhanced) == (code, "5.5.4")


@pytest.mark.parametrize("text", ["NOTIFY=NEVER", "ORCPT=rfc822;bob@example.org"])
def test_rcpt_parameters_that_are_not_offered(text: str) -> None:
    refused = parse_rcpt(text, NONE)
    assert isinstance(refused, Refuse)
    assert refused.reply.code == 555


MAIL_ARGUMENTS = [
    ("FROM:<>", MailArgument(None, MailParams())),
    ("from:<a@b.example> SIZE=1", MailArgument(Mailbox("a", "b.example"), MailParams(size=1))),
    ("FROM: <a@b.example>", MailArgument(Mailbox("a", "b.example"), MailParams())),
    ("FROM:<ü@b.example> SMTPUTF8", MailArgument(Mailbox("ü", "b.example"), MailParams(smtputf8=True))),
    ("", replies.MAIL_SYNTAX),
    ("<a@b.example>", replies.MAIL_SYNTAX),
    ("TO:<a@b.example>", replies.MAIL_SYNTAX),
    ("FROM :<a@b.example>", replies.MAIL_SYNTAX),
    ("FROM:<postmaster>", replies.bad_sender("no domain after the local part")),
    ("FROM:a@b.example", replies.bad_sender("the address is not in angle brackets")),
    ("FROM:<ü@b.example>", replies.NEEDS_SMTPUTF8),
    ("FROM:<a@bücher.example>", replies.NEEDS_SMTPUTF8),
]


@pytest.mark.parametrize(("text", "expected"), MAIL_ARGUMENTS)
def test_mail_argument(text: str, expected: MailArgument | Refuse) -> None:
    assert read_mail(text, ALL, extended=True) == expected


RCPT_ARGUMENTS = [
    ("TO:<Postmaster>", RcptArgument(Mailbox("Postmaster", ""), RcptParams())),
    ("To:<a@b.example> NOTIFY=NEVER", RcptArgument(Mailbox("a", "b.example"), RcptParams(notify=("NEVER",)))),
    ("", replies.RCPT_SYNTAX),
    ("FROM:<a@b.example>", replies.RCPT_SYNTAX),
    ("TO:<>", replies.NULL_RECIPIENT),
    ("TO:<ü@b.example>", replies.NEEDS_SMTPUTF8),
]


@pytest.mark.parametrize(("text", "expected"), RCPT_ARGUMENTS)
def test_rcpt_argument(text: str, expected: RcptArgument | Refuse) -> None:
    assert read_rcpt(text, ALL, extended=True, smtputf8=False) == expected


def test_parameters_need_ehlo() -> None:
    assert read_mail("FROM:<> SIZE=1", ALL, extended=False) == replies.MAIL_SYNTAX
    assert read_mail("FROM:<>", ALL, extended=False) == MailArgument(None, MailParams())
    assert read_rcpt("TO:<a@b.example> NOTIFY=NEVER", ALL, extended=False, smtputf8=False) == replies.RCPT_SYNTAX
