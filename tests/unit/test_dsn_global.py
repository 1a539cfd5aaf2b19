"""Internationalised addresses in reports (RFC 6533): as they are where the receiver can, in ASCII where not."""

import msgspec
import pytest

from shared.dsn.fields import original_recipient, typed_address
from shared.dsn.report import Kind, Report, ReportedRecipient, build_report, report_message
from shared.model import Envelope, Item, Origin, Recipient
from shared.smtp.reply import Reply

NOW = 1_790_000_000.0
HEADER = "From: Jürgen <jürgen@example.org>\r\nSubject: Grüße\r\n"
BODY = "\r\nSchöne Grüße\r\n"
UTF8 = Recipient(address="børge@example.net", orcpt="utf-8;b\\x{F8}rge@example.net")
ASCII = Recipient(address="bob@example.net", orcpt="rfc822;bob@example.net")


def octets(sender: str, recipient: Recipient, kind: Kind = Kind.FAILED, ret: str | None = None) -> bytes:
    """Return a report."""
    return build_report(made(sender, recipient, kind, ret))


def made(sender: str, recipient: Recipient, kind: Kind = Kind.FAILED, ret: str | None = None) -> Report:
    """Return a report, not yet written."""
    envelope = Envelope(sender=sender, recipients=(recipient,), smtputf8=True, ret=ret)
    item = Item(id="01K5Q0000000000000000000AA", envelope=envelope, origin=Origin.TRUSTED, accepted_at=NOW)
    return Report(
        kind=kind,
        item=item,
        content=(HEADER + BODY).encode(),
        recipients=(ReportedRecipient(recipient, Reply(550, "5.1.1", "<børge> ist unbekannt"), "mx.example.net"),),
        hostname="relay.example.org",
        postmaster="postmaster@example.org",
        now=NOW,
        report_id="01K5Q0000000000000000000BB",
    )


def status_part(report: bytes) -> bytes:
    """Return the part that machines read."""
    return report.split(b"\r\n--=_")[2]


@pytest.mark.parametrize("ret", [None, "FULL"])
@pytest.mark.parametrize("recipient", [UTF8, ASCII])
def test_a_receiver_with_an_ascii_address_gets_ascii(recipient: Recipient, ret: str | None) -> None:
    report = octets("alice@example.org", recipient, ret=ret)
    assert b"message/delivery-status" in report
    assert b"global" not in report
    assert status_part(report).isascii()
    assert (b"Final-Recipient: utf-8; b\\x{F8}rge@example.net" in report) is (recipient is UTF8)
    assert (b"Original-Recipient: utf-8; b\\x{F8}rge@example.net" in report) is (recipient is UTF8)
    assert (b"message/rfc822\r\n" in report) is (ret == "FULL")


@pytest.mark.parametrize(
    ("kind", "ret", "original"),
    [
        (Kind.FAILED, None, b"message/global-headers"),
        (Kind.FAILED, "FULL", b"message/global"),
        (Kind.DELAYED, "FULL", b"message/global-headers"),
        (Kind.RELAYED, None, b"message/global-headers"),
    ],
)
def test_a_receiver_with_an_internationalised_address_gets_utf_8(kind: Kind, ret: str | None, original: bytes) -> None:
    report = octets("jürgen@example.org", UTF8, kind, ret)
    assert b"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n" in report
    assert b"Content-Type: " + original + b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + HEADER.encode() in report
    assert ("Final-Recipient: utf-8; børge@example.net\r\n".encode()) in report
    assert ("Original-Recipient: utf-8; børge@example.net\r\n".encode()) in report
    assert ("Diagnostic-Code: smtp; 550 5.1.1 <børge> ist unbekannt\r\n".encode()) in report
    assert ("Schöne".encode() in report) is (original == b"message/global")


def test_it_asks_for_smtputf8_only_where_the_envelope_needs_it() -> None:
    assert report_message(made("jürgen@example.org", UTF8)).item.envelope.smtputf8
    plain = report_message(made("alice@example.org", UTF8)).item.envelope
    assert not plain.smtputf8
    assert plain.body == "8BITMIME"


def test_what_a_host_says_cannot_break_a_line() -> None:
    base = made("jürgen@example.org", UTF8)
    hostile = Reply(550, "5.0.0", "é" * 3000 + "\r\nInjected: yes\u2028\x85\x00")
    recipients = (msgspec.structs.replace(base.recipients[0], reply=hostile),)
    report = build_report(msgspec.structs.replace(base, recipients=recipients))
    assert report.count(b"\n") == report.count(b"\r\n") == report.count(b"\r")
    assert b"\nInjected" not in report
    assert max(map(len, status_part(report).split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    ("address", "utf8", "typed"),
    [
        ("a@b.example", True, "rfc822; a@b.example"),
        ("j\u00fcrgen@b.example", True, "utf-8; j\u00fcrgen@b.example"),
        ("j\u00fcrgen+x@b.example", False, "utf-8; j\\x{FC}rgen\\x{2B}x@b.example"),
    ],
)
def test_an_address_with_its_type(address: str, utf8: bool, typed: str) -> None:
    assert typed_address(address, utf8=utf8) == typed


@pytest.mark.parametrize(
    ("orcpt", "in_ascii", "in_utf8"),
    [
        ("rfc822;Bob+2Bx@a", "rfc822; Bob+x@a", "rfc822; Bob+x@a"),
        ("utf-8;b\\x{F8}rge@a", "utf-8; b\\x{F8}rge@a", "utf-8; børge@a"),
        ("utf-8;børge@a", "utf-8; b\\x{F8}rge@a", "utf-8; børge@a"),
        ("UTF-8;\\x{65E5}@a", "UTF-8; \\x{65E5}@a", "UTF-8; 日@a"),
        ("utf-8;x\\x{0A}y@a", "utf-8; x\\x{5C}x{0A}y@a", "utf-8; x\\x{0A}y@a"),
        ("utf-8;x\\x{FFFFFF}@a", "utf-8; x\\x{5C}x{FFFFFF}@a", "utf-8; x\\x{FFFFFF}@a"),
        ("no-type", "no-type; ", "no-type; "),
    ],
)
def test_the_original_recipient(orcpt: str, in_ascii: str, in_utf8: str) -> None:
    assert original_recipient(orcpt) == in_ascii
    assert original_recipient(orcpt, utf8=True) == in_utf8
