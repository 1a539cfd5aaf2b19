"""Reports are well-formed RFC 3464 messages that say what happened and hold nothing else."""

import email
import email.message
import email.policy

import msgspec
import pytest

from shared.dsn.fields import status_for, typed_address, xtext_decoded
from shared.dsn.report import Kind, Report, ReportedRecipient, build_report, header_of, report_message
from shared.model import Envelope, Item, Origin, Recipient
from shared.smtp.reply import Reply

NOW = 1_790_000_000.5
CONTENT = (
    b"Received: from a by b; Mon, 21 Sep 2026 12:00:00 +0000\r\n"
    b"Message-ID: <one@client.example>\r\nSubject: hello\r\n\r\nsecret body\r\n"
)
ITEM = Item(
    id="01K5Q0000000000000000000AA",
    envelope=Envelope(sender="alice@example.org", recipients=(Recipient(address="bob@example.net"),)),
    origin=Origin.AUTHENTICATED,
    accepted_at=NOW - 60,
)
BOB = ReportedRecipient(
    recipient=Recipient(address="bob@example.net", orcpt="rfc822;Bob+2Bx@example.net"),
    reply=Reply(550, "5.1.1", "no such user"),
    remote_mta="mx.example.net",
    last_attempt=NOW - 1,
)
LOCAL = ReportedRecipient(recipient=Recipient(address="carol@example.net"), reply=Reply(554, "5.4.7", "expired"))


def report(**changes: object) -> Report:
    base = Report(
        kind=Kind.FAILED,
        item=ITEM,
        content=CONTENT,
        recipients=(BOB, LOCAL),
        hostname="relay.example.net",
        postmaster="postmaster@example.org",
        now=NOW,
        report_id="01K5Q0000000000000000000BB",
    )
    return msgspec.structs.replace(base, **changes)


def parsed(made: Report) -> email.message.EmailMessage:
    message = email.message_from_bytes(build_report(made), policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    assert [part.defects for part in message.walk()] == [[] for _ in message.walk()]
    return message


def parts(made: Report) -> list[email.message.MIMEPart]:
    message = parsed(made)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    return list(message.iter_parts())


def groups(made: Report) -> list[email.message.Message]:
    status = parts(made)[1]
    assert status.get_content_type() == "message/delivery-status"
    return [group for group in status.walk() if group is not status]


def test_header_names_sender_reference_and_that_no_person_wrote_it() -> None:
    message = parsed(report())
    assert message["From"] == "Mail Delivery System <postmaster@example.org>"
    assert message["To"] == "<alice@example.org>" or message["To"] == "alice@example.org"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["Message-ID"] == "<01K5Q0000000000000000000BB@relay.example.net>"
    assert message["In-Reply-To"] == "<one@client.example>"
    assert message["X-Sluice-Id"] == ITEM.id
    assert message["Date"].datetime.timestamp() == int(NOW)


@pytest.mark.parametrize("letter", ["x", "ü", "信"])
def test_every_line_ends_with_crlf_and_fits_rfc_5322(letter: str) -> None:
    hostile = msgspec.structs.replace(BOB, reply=Reply(550, "5.0.0", letter * 3000 + "\r\nInjected: yes\x00\x1b"))
    octets = build_report(report(recipients=(hostile,)))
    assert octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r")
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert b"\nInjected" not in octets
    assert b"\x1b" not in octets


def test_delivery_status_fields_of_message_and_recipients() -> None:
    envelope = msgspec.structs.replace(ITEM.envelope, envid="QQ+3Da1")
    message, bob, carol = groups(report(item=msgspec.structs.replace(ITEM, envelope=envelope)))
    assert message["Reporting-MTA"] == "dns; relay.example.net"
    assert message["Original-Envelope-Id"] == "QQ=a1"
    assert message["X-Sluice-Id"] == ITEM.id
    assert "Arrival-Date" in message
    assert bob["Original-Recipient"] == "rfc822; Bob+x@example.net"
    assert bob["Final-Recipient"] == "rfc822; bob@example.net"
    assert (bob["Action"], bob["Status"]) == ("failed", "5.1.1")
    assert bob["Remote-MTA"] == "dns; mx.example.net"
    assert bob["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert "Last-Attempt-Date" in bob
    assert "Remote-MTA" not in carol
    assert carol["Diagnostic-Code"] == "x-sluice; 554 5.4.7 expired"


def test_a_delay_says_how_long_it_will_be_tried() -> None:
    waiting = msgspec.structs.replace(BOB, reply=Reply(450, "4.2.1", "busy"))
    made = report(kind=Kind.DELAYED, recipients=(waiting,), retry_until=NOW + 3600)
    _, bob = groups(made)
    assert (bob["Action"], bob["Status"]) == ("delayed", "4.2.1")
    assert "Will-Retry-Until" in bob
    text = parts(made)[0].get_content()
    assert "do not send the message again" in text


def test_the_text_says_what_happened_and_whom_to_ask() -> None:
    text = parts(report())[0].get_content()
    for said in ("bob@example.net", "mx.example.net said: 550 5.1.1 no such user", "postmaster@example.org", ITEM.id):
        assert said in text


@pytest.mark.parametrize(
    ("kind", "ret", "returned"),
    [
        (Kind.FAILED, None, "text/rfc822-headers"),
        (Kind.FAILED, "HDRS", "text/rfc822-headers"),
        (Kind.FAILED, "FULL", "message/rfc822"),
        (Kind.DELAYED, "FULL", "text/rfc822-headers"),
        (Kind.RELAYED, "FULL", "text/rfc822-headers"),
        (Kind.DELIVERED, "FULL", "text/rfc822-headers"),
        (Kind.BLOCKED, "FULL", "text/rfc822-headers"),
    ],
)
def test_only_a_failure_asked_for_in_full_returns_the_body(kind: Kind, ret: str | None, returned: str) -> None:
    envelope = msgspec.structs.replace(ITEM.envelope, ret=ret)
    made = report(kind=kind, item=msgspec.structs.replace(ITEM, envelope=envelope))
    assert parts(made)[2].get_content_type() == returned
    assert (b"secret body" in build_report(made)) is (returned == "message/rfc822")


def test_a_report_is_protected_as_its_original_was() -> None:
    envelope = msgspec.structs.replace(ITEM.envelope, ret="FULL", require_tls=True)
    made = report(item=msgspec.structs.replace(ITEM, envelope=envelope), content=b"TLS-Required: No\r\n" + CONTENT)
    assert report_message(made).item.envelope.require_tls
    assert parts(made)[2].get_content_type() == "text/rfc822-headers"
    assert parsed(made)["TLS-Required"] is None


@pytest.mark.parametrize(
    ("fields", "carried"),
    [
        (b"TLS-Required: No\r\n", "No"),
        (b"tls-required:\r\n  nO \r\n", "No"),
        (b"TLS-Required: Yes\r\n", None),
        (b"TLS-Required: No\r\nTLS-Required: No\r\n", None),
        (b"", None),
    ],
)
def test_a_report_needs_tls_no_more_than_its_original(fields: bytes, carried: str | None) -> None:
    assert parsed(report(content=fields + CONTENT))["TLS-Required"] == carried


def test_an_original_too_large_is_returned_as_its_header() -> None:
    envelope = msgspec.structs.replace(ITEM.envelope, ret="FULL")
    big = CONTENT + b"x" * 76 + b"\r\n" * 700_000
    made = report(item=msgspec.structs.replace(ITEM, envelope=envelope), content=big)
    assert parts(made)[2].get_content_type() == "text/rfc822-headers"


def test_a_boundary_inside_the_original_does_not_end_the_report() -> None:
    envelope = msgspec.structs.replace(ITEM.envelope, ret="FULL")
    content = CONTENT + b"--=_01K5Q0000000000000000000BB--\r\nthe end\r\n"
    made = report(item=msgspec.structs.replace(ITEM, envelope=envelope), content=content)
    (original,) = parts(made)[2].iter_parts()
    assert original.get_content().endswith("the end\r\n")


def test_the_message_goes_from_the_null_sender_to_the_sender_alone() -> None:
    message = report_message(report())
    assert message.item.envelope.sender is None
    assert [r.address for r in message.item.envelope.recipients] == ["alice@example.org"]
    assert message.item.origin is Origin.GENERATED
    assert message.item.destination == "example.org"
    assert message.item.may_be_delivered
    assert message.item.envelope.body is None


def test_a_report_about_the_null_sender_goes_to_the_postmaster() -> None:
    envelope = msgspec.structs.replace(ITEM.envelope, sender=None)
    message = report_message(report(item=msgspec.structs.replace(ITEM, envelope=envelope)))
    assert message.item.destination == "example.org"
    assert message.item.envelope.recipients[0].address == "postmaster@example.org"


def test_a_part_says_how_it_is_coded() -> None:
    """7bit wherever it is: not every host takes more (RFC 3464 section 2.1: delivery-status is ASCII anyway)."""
    codings = [part["Content-Transfer-Encoding"] for part in parts(report())]
    assert codings == ["7bit", "7bit", "7bit"]
    codings = [part["Content-Transfer-Encoding"] for part in parts(report(content="Subject: ü\r\n\r\n".encode()))]
    assert codings == ["7bit", "7bit", "8bit"]


def test_eight_bit_headers_and_addresses_are_marked() -> None:
    message = report_message(report(content="Subject: grüße\r\n\r\n".encode(), to="jürgen@example.org"))
    assert message.item.envelope.body == "8BITMIME"
    assert message.item.envelope.smtputf8


@pytest.mark.parametrize(
    ("content", "header"),
    [
        (CONTENT, CONTENT[: CONTENT.index(b"\r\n\r\n") + 2]),
        (b"", b""),
        (b"\r\nA: a body\r\n\r\nmore of it\r\n", b""),
        (b"A: b\r\nno field, so the body\r\nC: d\r\n\r\nmore of it\r\n", b"A: b\r\n"),
        (b"A : b\r\n\tand\r\n  so on\r\nB:\r\n\r\nC: d\r\n", b"A : b\r\n\tand\r\n  so on\r\nB:\r\n"),
        (b"A: b\r\n" + b" c\r\n" * 30000, b"A: b\r\n" + b" c\r\n" * ((65536 - 6) // 4)),
        (b"A: b\r\n:\r\n\r\n", b"A: b\r\n"),
        (b"no line end", b""),
        (b"A: b\r\n", b"A: b\r\n"),
        (b"A: " + b"b" * 70000 + b"\r\n\r\n", b""),
        (b"A: b\r\n" * 20000 + b"\r\n", b"A: b\r\n" * (65536 // 6)),
    ],
)
def test_header_of_takes_whole_lines_up_to_its_limit(content: bytes, header: bytes) -> None:
    assert header_of(content) == header


@pytest.mark.parametrize(
    ("kind", "reply", "status"),
    [
        (Kind.FAILED, Reply(550, "5.1.1", ""), "5.1.1"),
        (Kind.FAILED, Reply(450, "4.4.1", ""), "4.4.1"),
        (Kind.FAILED, Reply(550, None, ""), "5.0.0"),
        (Kind.FAILED, Reply(550, "2.0.0", ""), "5.0.0"),
        (Kind.FAILED, Reply(550, "5.x", ""), "5.0.0"),
        (Kind.BLOCKED, Reply(550, "5.7.1", ""), "5.7.1"),
        (Kind.DELAYED, Reply(450, None, ""), "4.0.0"),
        (Kind.DELAYED, Reply(450, "5.1.1", ""), "4.0.0"),
        (Kind.RELAYED, Reply(250, "2.1.5", ""), "2.1.5"),
        (Kind.DELIVERED, Reply(250, "2.1.5", ""), "2.1.5"),
        (Kind.DELIVERED, Reply(250, None, ""), "2.0.0"),
        (Kind.RELAYED, Reply(250, None, ""), "2.0.0"),
    ],
)
def test_status_never_contradicts_the_action(kind: Kind, reply: Reply, status: str) -> None:
    assert status_for(kind, ReportedRecipient(Recipient(address="a@b.example"), reply)) == status


@pytest.mark.parametrize(
    ("address", "typed"),
    [
        ("a@b.example", "rfc822; a@b.example"),
        ("jürgen@b.example", "utf-8; j\\x{FC}rgen@b.example"),
    ],
)
def test_addresses_are_ascii_with_their_type(address: str, typed: str) -> None:
    assert typed_address(address) == typed


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("Bob+2Bx@a", "Bob+x@a"),
        ("plain", "plain"),
        ("evil+0D+0AX:y", "evil+0D+0AX:y"),
        ("bad+zz", "bad+zz"),
        ("caf+E9", "caf+E9"),
    ],
)
def test_xtext_never_brings_a_line_end_in(text: str, decoded: str) -> None:
    assert xtext_decoded(text) == decoded
