"""The part of a report that machines read: message/delivery-status (RFC 3464 section 2), always ASCII.

To a receiver who takes UTF-8 it is message/global-delivery-status (RFC 6533 section 4), where addresses and texts
stand as they are.
"""

import re
import sys

from shared.dsn.text import date, printable
from shared.dsn.values import Kind, Report, ReportedRecipient

_FOLD_AT = 900
"""Below the 998 octets of RFC 5322 section 2.1.1, and never reached by an honest reply."""


def delivery_status(report: Report) -> str:
    """Return the body: the fields of the message, then a group for each recipient, CRLF line ends."""
    item = report.item
    message = [
        ("Reporting-MTA", f"dns; {report.hostname}"),
        ("X-Sluice-Id", item.id),
        ("Arrival-Date", date(item.accepted_at)),
    ]
    if item.envelope.envid is not None:
        message.insert(0, ("Original-Envelope-Id", xtext_decoded(item.envelope.envid)))
    groups = [message, *(_recipient(report, reported) for reported in report.recipients)]
    line = _utf8_field if report.is_global else _field
    return "\r\n".join("".join(f"{line(*field)}\r\n" for field in group) for group in groups)


def _recipient(report: Report, reported: ReportedRecipient) -> list[tuple[str, str]]:
    recipient, reply, utf8 = reported.recipient, reported.reply, report.is_global
    fields = []
    if recipient.orcpt is not None:
        fields.append(("Original-Recipient", original_recipient(recipient.orcpt, utf8=utf8)))
    fields += [
        ("Final-Recipient", typed_address(recipient.address, utf8=utf8)),
        ("Action", report.kind.action),
        ("Status", status_for(report.kind, reported)),
    ]
    if reported.remote_mta:
        fields += [("Remote-MTA", f"dns; {reported.remote_mta}"), ("Diagnostic-Code", f"smtp; {reply}")]
    else:
        fields.append(("Diagnostic-Code", f"x-sluice; {reply}"))
    if reported.last_attempt is not None:
        fields.append(("Last-Attempt-Date", date(reported.last_attempt)))
    if report.retry_until is not None:
        fields.append(("Will-Retry-Until", date(report.retry_until)))
    return fields


def status_for(kind: Kind, reported: ReportedRecipient) -> str:
    """Return the Status field: the reply's enhanced code where its class fits what is reported.

    "failed" goes with class 5, and with class 4 when temporary failures outlived the message (RFC 3464 section
    2.3.4); any other mismatch would contradict the Action field, so the generic code of the action replaces it.
    """
    status = reported.reply.status
    action = kind.action
    fits = {"failed": "45", "delayed": "4"}.get(action, "2")
    if re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", status) and status[0] in fits:
        return status
    return {"failed": "5.0.0", "delayed": "4.0.0"}.get(action, "2.0.0")


def typed_address(address: str, *, utf8: bool = False) -> str:
    """Return `rfc822; address`, or the form of an internationalised one: as it is, or in ASCII (RFC 6533 section 3)."""
    if address.isascii():
        return f"rfc822; {address}"
    return f"utf-8; {address if utf8 else _escaped(address)}"


def original_recipient(orcpt: str, *, utf8: bool = False) -> str:
    """Return what the ORCPT parameter says: type and address, xtext decoded.

    An address of type utf-8 comes as it is, or escaped, and goes as the report can carry it (RFC 6533 section 3).
    """
    kind, _, address = orcpt.partition(";")
    if kind.lower() != "utf-8":
        return f"{kind}; {xtext_decoded(address)}"
    plain = _ESCAPE.sub(_unescaped, address)
    return f"{kind}; {plain if utf8 else _escaped(plain)}"


_ESCAPE = re.compile(r"\\x\{([0-9A-F]{2,6})\}")


def _escaped(address: str) -> str:
    return "".join(c if c.isascii() and c not in "\\+=" else f"\\x{{{ord(c):X}}}" for c in address)


def _unescaped(match: re.Match[str]) -> str:
    """Return the character that an escape stands for, or the escape, if that is none to be shown."""
    code = int(match[1], 16)
    return chr(code) if code <= sys.maxunicode and chr(code).isprintable() else match[0]


def xtext_decoded(text: str) -> str:
    """Return what xtext stands for (RFC 3461 section 4), or `text` itself if that is not printable ASCII."""
    decoded = re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), text)
    return decoded if decoded.isascii() and decoded.isprintable() else text


def _field(name: str, value: str) -> str:
    line = f"{name}: {printable(value)}".encode("ascii", "backslashreplace").decode("ascii")
    return line[:_FOLD_AT]


def _utf8_field(name: str, value: str) -> str:
    line = f"{name}: {printable(value)}".encode("utf-8", "backslashreplace")
    return line[:_FOLD_AT].decode("utf-8", "ignore")
