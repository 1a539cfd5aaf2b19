"""The parameters of MAIL and RCPT as values (RFC 5321 section 4.1.1.11; SIZE 1870, DSN 3461, SMTPUTF8 6531)."""

import re
from typing import NamedTuple

from services.ingress import replies
from services.ingress.replies import Refuse

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_VALUE = re.compile(r"[!-<>-~\x80-\U0010ffff]+")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
"""RFC 3461 section 4: printable octets but `+` and `=`, and `+` with two hexadecimal digits."""
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})


class Offers(NamedTuple):
    """Which extensions this client may use."""

    dsn: bool = False
    smtputf8: bool = False
    auth: bool = False


class MailParams(NamedTuple):
    """What MAIL declared. ENVID stays in xtext, as received."""

    size: int = 0
    body: str | None = None
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None


class RcptParams(NamedTuple):
    """What RCPT declared. ORCPT stays as received: type, semicolon, xtext."""

    notify: tuple[str, ...] | None = None
    orcpt: str | None = None


NO_MAIL_PARAMS = MailParams()
NO_RCPT_PARAMS = RcptParams()


def parse_mail(text: str, offers: Offers) -> MailParams | Refuse:
    """Read the parameters after MAIL's path. Unknown or not offered: 555; known with a bad value: 501."""
    if not text:
        return NO_MAIL_PARAMS
    found = _split(text)
    if isinstance(found, Refuse):
        return found
    values: dict[str, object] = {}
    for name, value in found.items():
        read = _mail_value(name, value, offers)
        if isinstance(read, Refuse):
            return read
        values |= read
    return MailParams(**values)  # type: ignore[arg-type]  # _mail_value pairs each field with its type


def parse_rcpt(text: str, offers: Offers) -> RcptParams | Refuse:
    """Read the parameters after RCPT's path."""
    if not text:
        return NO_RCPT_PARAMS
    found = _split(text)
    if isinstance(found, Refuse):
        return found
    notify: tuple[str, ...] | None = None
    orcpt: str | None = None
    for name, value in found.items():
        if name == "NOTIFY" and offers.dsn:
            notify = _notify(value or "")
            if notify is None:
                return replies.bad_parameter("NOTIFY is NEVER, or a list of SUCCESS, FAILURE, DELAY")
        elif name == "ORCPT" and offers.dsn:
            if not _is_orcpt(value or ""):
                return replies.bad_parameter("ORCPT is an address type, a semicolon and xtext")
            orcpt = value
        else:
            return replies.unknown_parameter(name)
    return RcptParams(notify, orcpt)


def _split(text: str) -> dict[str, str | None] | Refuse:
    found: dict[str, str | None] = {}
    for word in text.split(" "):
        if not word:
            continue
        keyword, equals, value = word.partition("=")
        if not _KEYWORD.fullmatch(keyword) or (equals and not _VALUE.fullmatch(value)):
            return replies.bad_parameter("Malformed parameter")
        name = keyword.upper()
        if name in found:
            return replies.bad_parameter(f"Parameter {name} given twice")
        found[name] = value if equals else None
    return found


def _mail_value(name: str, value: str | None, offers: Offers) -> dict[str, object] | Refuse:
    upper = (value or "").upper()
    read: dict[str, object]
    match name:
        case "SIZE":
            if not re.fullmatch(r"[0-9]{1,20}", upper):
                return replies.bad_parameter("SIZE is a number of octets")
            return {"size": int(upper)}
        case "BODY":
            good, read = upper in {"7BIT", "8BITMIME"}, {"body": upper}
        case "SMTPUTF8" if offers.smtputf8:
            good, read = value is None, {"smtputf8": True}
        case "RET" if offers.dsn:
            good, read = upper in {"FULL", "HDRS"}, {"ret": upper}
        case "ENVID" if offers.dsn:
            good, read = (
                bool(value) and len(upper) <= 100 and _XTEXT.fullmatch(value or "") is not None,
                {"envid": value},
            )
        case "AUTH" if offers.auth:
            # RFC 4954 section 5: required of a server with AUTH. Nobody is trusted to vouch for another: not kept.
            good, read = upper == "<>" or bool(value and _XTEXT.fullmatch(value)), {}
        case _:
            return replies.unknown_parameter(name)
    return read if good else replies.bad_parameter(f"Bad value of parameter {name}")


def _notify(value: str) -> tuple[str, ...] | None:
    words = tuple(value.upper().split(","))
    good = words == ("NEVER",) or (len(set(words)) == len(words) and _NOTIFY.issuperset(words))
    return words if good else None


def _is_orcpt(value: str) -> bool:
    kind, semicolon, address = value.partition(";")
    return (
        bool(semicolon and address)
        and len(value) <= 500
        and _KEYWORD.fullmatch(kind) is not None
        and _XTEXT.fullmatch(address) is not None
    )
