"""A report as bytes, and as a message that can be sent: multipart/report (RFC 6522) from the null sender.

To a receiver with an internationalised address its parts are the global ones of RFC 6533; to others they are ASCII.
"""

import re

from shared.dsn.fields import delivery_status
from shared.dsn.text import date, human_text, subject
from shared.dsn.values import Kind, Report, ReportedRecipient
from shared.model import Envelope, Item, Message, Origin, Recipient
from shared.smtp.headers import waives_tls

__all__ = ["Kind", "Report", "ReportedRecipient", "build_report", "header_of", "report_message"]

FULL_LIMIT = 1024 * 1024
"""Octets beyond which an original asked for with RET=FULL is returned as its header only."""
HEADER_LIMIT = 64 * 1024

_FIELDS = re.compile(rb"(?:[!-9;-~]+[ \t]*:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)*")
_MESSAGE_ID = re.compile(rb"^message-id:[ \t\r\n]*(<[!-;=?-~]{1,250}>)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


def report_message(report: Report) -> Message:
    """Return the report as a message for its receiver, from the null sender, ready for delivery."""
    content = build_report(report)
    to = report.receiver
    envelope = Envelope(
        sender=None,
        recipients=(Recipient(address=to, notify=("NEVER",)),),
        body=None if content.isascii() else "8BITMIME",
        smtputf8=not to.isascii(),
        require_tls=report.item.envelope.require_tls,
    )
    item = Item(
        id=report.report_id,
        envelope=envelope,
        origin=Origin.GENERATED,
        accepted_at=report.now,
        destination=to.rpartition("@")[2],
    )
    return Message(item, content)


def build_report(report: Report) -> bytes:
    """Return the report as RFC 5322 octets with CRLF line ends; 8-bit only where the original's header is."""
    text = human_text(report).encode()
    status = delivery_status(report).encode()
    original_type, original = _original(report)
    boundary = _boundary(report.report_id, text, original)
    parts = [
        _part(b"text/plain; charset=utf-8", text),
        _part(b"message/global-delivery-status" if report.is_global else b"message/delivery-status", status),
        _part(original_type, original),
    ]
    opening = b"--" + boundary + b"\r\n"
    return b"".join(
        (
            _header(report, boundary),
            b"This is a report about a message, in MIME format.\r\n\r\n",
            *(opening + part + b"\r\n" for part in parts),
            b"--" + boundary + b"--\r\n",
        )
    )


def header_of(content: bytes) -> bytes:
    """Return the fields of a message's header, whole lines up to HEADER_LIMIT octets.

    What is no field begins the body, though no empty line is in front of it: nothing of that is quoted.
    """
    found = _FIELDS.match(content, 0, HEADER_LIMIT)
    return found[0] if found else b""


def _header(report: Report, boundary: bytes) -> bytes:
    lines = [
        f"Date: {date(report.now)}",
        f"From: Mail Delivery System <{report.postmaster}>",
        f"To: <{report.receiver}>",
        f"Subject: {subject(report)}",
        f"Message-ID: <{report.report_id}@{report.hostname}>",
        "Auto-Submitted: auto-replied",
        f"X-Sluice-Id: {report.item.id}",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary.decode("ascii")}"',
    ]
    if not report.item.envelope.require_tls and waives_tls(report.content):
        lines.insert(6, "TLS-Required: No")
    found = _MESSAGE_ID.search(header_of(report.content))
    if found is not None:
        lines.insert(5, f"In-Reply-To: {found[1].decode('ascii')}")
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def _original(report: Report) -> tuple[bytes, bytes]:
    """Return the third part's type (RFC 6522, RFC 6533 sections 4 and 5) and body.

    RET speaks of failures only (RFC 3461 section 4.3); REQUIRETLS outweighs it (RFC 8689 section 5).
    """
    envelope = report.item.envelope
    wanted = report.kind is Kind.FAILED and envelope.ret == "FULL" and not envelope.require_tls
    if wanted and len(report.content) <= FULL_LIMIT:
        return b"message/global" if report.is_global else b"message/rfc822", report.content
    return b"message/global-headers" if report.is_global else b"text/rfc822-headers", header_of(report.content)


def _boundary(report_id: str, *bodies: bytes) -> bytes:
    """Return a boundary that no body holds."""
    boundary = f"=_{report_id}".encode("ascii")
    while any(boundary in body for body in bodies):
        boundary += b"_"
    return boundary


def _part(content_type: bytes, body: bytes) -> bytes:
    encoding = b"7bit" if body.isascii() else b"8bit"
    return b"Content-Type: " + content_type + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body
