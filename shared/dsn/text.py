"""The part of a report that people read: what happened, and what to do."""

import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime

from shared.dsn.cause import WORDS, Cause
from shared.dsn.values import Kind, Report, ReportedRecipient

SUBJECT = {
    Kind.FAILED: "Your message could not be delivered",
    Kind.DELAYED: "Your message is delayed",
    Kind.DELIVERED: "Your message was delivered",
    Kind.RELAYED: "Your message was passed on",
    Kind.BLOCKED: "Your message was blocked and not sent",
}
SUBJECT_FOR_POSTMASTER = "A message could be neither delivered nor returned"

_HAPPENED = {
    Kind.FAILED: "Your message could not be delivered to the recipients below. It will not be tried again.",
    Kind.DELAYED: "Your message has not yet been delivered to the recipients below. It is kept and tried again.",
    Kind.DELIVERED: "Your message is in the mailboxes of the recipients below. That does not say that it was read.",
    Kind.RELAYED: (
        "Your message was passed on for the recipients below, to a system that may not tell you when it is delivered."
    ),
    Kind.BLOCKED: "Your message was not sent to any of the recipients below, because of what it contains.",
}
_FOR_POSTMASTER = (
    "A message could not be delivered to the recipients below, and has no sender who could be told: it is a report"
    " itself, or came without a return address. You get this as the postmaster."
)
_TO_DO = {
    Kind.FAILED: None,  # that depends on the cause
    Kind.DELAYED: "You need not do anything. Please do not send the message again.",
    Kind.DELIVERED: "You need not do anything.",
    Kind.RELAYED: "You need not do anything.",
    Kind.BLOCKED: "Remove the attachment, or make it available in another way, and send the message again.",
}
_COLUMNS = 78
_LONGEST = 900
"""Octets of what a host said, on a line of its own: RFC 5322 section 2.1.1 allows 998."""


def printable(text: str) -> str:
    """Return `text` as one line without control characters: what a remote host said must not shape our report."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def date(now: float) -> str:
    """Return a date-time of RFC 5322 section 3.3, in UTC."""
    return format_datetime(datetime.fromtimestamp(int(now), UTC))


def subject(report: Report) -> str:
    """Return the Subject field's value."""
    return SUBJECT_FOR_POSTMASTER if report.is_double_bounce else SUBJECT[report.kind]


def human_text(report: Report) -> str:
    """Return the text, with CRLF line ends; it holds nothing of the message's content."""
    happened = _FOR_POSTMASTER if report.is_double_bounce else _HAPPENED[report.kind]
    lines = [f"This is the mail relay at {report.hostname}.", "", *_folded(happened)]
    if report.retry_until is not None:
        lines += _folded(f"If it cannot be delivered by {date(report.retry_until)}, you will be told.")
    lines.append("")
    for cause, group in _by_cause(report.recipients).items():
        lines += _group(report.kind, cause, group)
    to_do = _TO_DO[report.kind]
    lines += _folded(to_do) if to_do is not None else []
    lines += _folded(f"If you need help, write to {report.postmaster} and quote the reference {report.item.id}.")
    return "\r\n".join([*lines, ""])


def _by_cause(recipients: Iterable[ReportedRecipient]) -> dict[Cause | None, list[ReportedRecipient]]:
    groups: dict[Cause | None, list[ReportedRecipient]] = {}
    for reported in recipients:
        groups.setdefault(reported.cause, []).append(reported)
    return groups


def _group(kind: Kind, cause: Cause | None, group: Iterable[ReportedRecipient]) -> list[str]:
    """Return what is to be said about the recipients that failed for the same reason."""
    words = WORDS[cause or Cause.OTHER]
    lines = _folded(words.happened) if cause is not None else []
    for reported in group:
        lines += _recipient(reported)
    if kind is Kind.FAILED:
        lines += [*_folded(f"What you can do: {words.to_do}"), ""]
    return lines


def _recipient(reported: ReportedRecipient) -> list[str]:
    reply = printable(str(reported.reply))
    said = f"{printable(reported.remote_mta)} said: {reply}" if reported.remote_mta else reply
    cut = said.encode()[:_LONGEST].decode(errors="ignore")
    return [f"  {printable(reported.recipient.address)}", f"    {cut}", ""]


def _folded(text: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, break_long_words=False, break_on_hyphens=False)
