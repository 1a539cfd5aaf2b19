"""The part of a report that machines read: message/delivery-status (RFC 3464 section 2), always ASCII."""

import re

from shared.dsn.text import date, printable
from shared.dsn.values import Kind, Report, ReportedRecipient

_FOLD_AT = 900
"""Below the 998 octets of RFC 5322 section 2.1.1, and never reached by an honest reply."""


def delivery_status(report: Report) -> str:
    """Return the body: the fields of the message, then a group for each recipient, CRLF line ends."""
    item = report.item
    message = [
        _field("Reporting-MTA", f"dns; {report.hostname}"),
        _field("X-Sluice-Id", item.id),
        _field("Arrival-Date", date(item.accepted_at)),
    ]
    if item.envelope.envid is not None:
        message.insert(0, _field("Original-Envelope-Id", xtext_decoded(item.envelope.envid)))
    groups = [message, *(_recipient(report, reported) for reported in report.recipients)]
    return "\r\n".join("".join(f"{line}\r\n" for line in group) for group in groups)


def _recipient(report: Report, reported: ReportedRecipient) -> list[str]:
    recipient, reply = reported.recipient, reported.reply
    lines = []
    if recipient.orcpt is not None:
        kind, _, address = recipient.orcpt.partition(";")
        lines.append(_field("Original-Recipient", f"{kind}; {xtext_decoded(address)}"))
    lines += [
        _field("Final-Recipient", typed_address(recipient.address)),
        _field("Action", reported.action or report.kind.action),
        _field("Status", status_for(report.kind, reported)),
    ]
    if reported.remote_mta:
        lines += [
            _field("Remote-MTA", f"dns; {reported.remote_mta}"),
            _field("Diagnostic-Code", f"smtp; {reply}"),
        ]
    else:
        lines.append(_field("Diagnostic-Code", f"x-sluice; {reply}"))
    if reported.last_attempt is not None:
        lines.append(_field("Last-Attempt-Date", date(reported.last_attempt)))
    if report.kind is Kind.DELAYED and report.retry_until is not None:
        lines.append(_field("Will-Retry-Until", date(report.retry_until)))
    return lines


def status_for(kind: Kind, reported: ReportedRecipient) -> str:
    """Return the Status field: the reply's enhanced code where its class fits what is reported.

    "failed" goes with class 5, and with class 4 when temporary failures outlived the message (RFC 3464 section
    2.3.4); any other mismatch would contradict the Action field, so the generic code of the action replaces it.
    """
    status = reported.reply.status
    action = reported.action or kind.action
    fits = {"failed": "45", "delayed": "4"}.get(action, "2")
    if re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", status) and status[0] in fits:
        return status
    return {"failed": "5.0.0", "delayed": "4.0.0"}.get(action, "2.0.0")


def typed_address(address: str) -> str:
    """Return `rfc822; address`, or the ASCII form of an internationalised one (RFC 6533 section 3)."""
    if address.isascii():
        return f"rfc822; {address}"
    escaped = "".join(c if c.isascii() and c not in "\\+=" else f"\\x{{{ord(c):X}}}" for c in address)
    return f"utf-8; {escaped}"


def xtext_decoded(text: str) -> str:
    """Return what xtext stands for (RFC 3461 section 4), or `text` itself if that is not printable ASCII."""
    decoded = re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), text)
    return decoded if decoded.isascii() and decoded.isprintable() else text


def _field(name: str, value: str) -> str:
    line = f"{name}: {printable(value)}".encode("ascii", "backslashreplace").decode("ascii")
    return line[:_FOLD_AT]
