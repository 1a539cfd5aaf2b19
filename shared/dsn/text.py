"""The part of a report that people read: what happened, and what to do."""

from datetime import UTC, datetime
from email.utils import format_datetime

from shared.dsn.values import Kind, Report, ReportedRecipient

SUBJECT = {
    Kind.FAILED: "Your message could not be delivered",
    Kind.DELAYED: "Your message is delayed",
    Kind.RELAYED: "Your message was passed on",
    Kind.BLOCKED: "Your message was blocked and not sent",
}

_HAPPENED = {
    Kind.FAILED: "Your message could not be delivered to the recipients below. It will not be tried again.",
    Kind.DELAYED: "Your message has not yet been delivered to the recipients below. It is kept and tried again.",
    Kind.RELAYED: (
        "Your message was passed on for the recipients below, to a system that\r\n"
        "may not tell you when it is delivered."
    ),
    Kind.BLOCKED: "Your message was not sent to any of the recipients below, because of what it contains.",
}

_TO_DO = {
    Kind.FAILED: "Check the address and what the other side said, correct it, and send the message again.",
    Kind.DELAYED: "You need not do anything. Please do not send the message again.",
    Kind.RELAYED: "You need not do anything.",
    Kind.BLOCKED: "Remove the attachment, or make it available in another way, and send the message again.",
}


def printable(text: str) -> str:
    """Return `text` as one line without control characters: what a remote host said must not shape our report."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def date(now: float) -> str:
    """Return a date-time of RFC 5322 section 3.3, in UTC."""
    return format_datetime(datetime.fromtimestamp(int(now), UTC))


def human_text(report: Report) -> str:
    """Return the text, with CRLF line ends; it holds nothing of the message's content."""
    lines = [f"This is the mail relay at {report.hostname}.", "", _HAPPENED[report.kind]]
    if report.retry_until is not None:
        lines.append(f"If it cannot be delivered by {date(report.retry_until)}, you will be told.")
    lines.append("")
    for reported in report.recipients:
        lines += _recipient(reported)
    lines += [
        _TO_DO[report.kind],
        f"If you need help, write to {report.postmaster} and quote the reference {report.item.id}.",
        "",
    ]
    return "\r\n".join(lines)


def _recipient(reported: ReportedRecipient) -> list[str]:
    reply = printable(str(reported.reply))
    said = f"{printable(reported.remote_mta)} said: {reply}" if reported.remote_mta else reply
    return [f"  {printable(reported.recipient.address)}", f"    {said[:900]}", ""]
