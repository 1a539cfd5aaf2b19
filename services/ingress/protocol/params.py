"""The parameters of MAIL and RCPT as values (RFC 5321 section 4.1.1.11 and the RFC of each extension)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from services.ingress import replies
from services.ingress.replies import Refuse

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_VALUE = re.compile(r"[!-<>-~]+")
"""No parameter of ours takes more than ASCII, and upper case makes ASCII letters of some that are not."""
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
"""RFC 3461 section 4: printable octets but `+` and `=`, and `+` with two hexadecimal digits."""
_DATE_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?Z", re.ASCII)
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})


class Offers(NamedTuple):
    """Which extensions this client may use."""

    dsn: bool = False
    smtputf8: bool = False
    auth: bool = False
    require_tls: bool = False
    max_hold: int = 0
    """Seconds for which mail may be held; 0 means not at all."""


class MailParams(NamedTuple):
    """What MAIL declared. ENVID stays in xtext, as received."""

    size: int = 0
    body: str | None = None
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None
    require_tls: bool = False
    hold_for: int | None = None
    """Seconds (HOLDFOR)."""
    hold_until: float | None = None
    """Seconds since the epoch (HOLDUNTIL)."""


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
    known = _MAIL.get(name)
    if known is None or not known.offered(offers):
        return replies.unknown_parameter(name)
    read = known.read(value)
    return replies.bad_parameter(f"Bad value of parameter {name}") if read is None else read


class _Parameter(NamedTuple):
    offered: Callable[[Offers], bool]
    read: Callable[[str | None], dict[str, object] | None]
    """From the value (None without an equals sign) to fields of MailParams; None if it is none of its own."""


def _size(value: str | None) -> dict[str, object] | None:
    return {"size": int(value)} if re.fullmatch(r"[0-9]{1,20}", value or "", re.ASCII) and value else None


def _one_of(field: str, *words: str) -> Callable[[str | None], dict[str, object] | None]:
    return lambda value: {field: value.upper()} if value and value.upper() in words else None


def _flag(field: str) -> Callable[[str | None], dict[str, object] | None]:
    return lambda value: {field: True} if value is None else None


def _envid(value: str | None) -> dict[str, object] | None:
    return {"envid": value} if value and len(value) <= 100 and _XTEXT.fullmatch(value) else None


def _vouched(value: str | None) -> dict[str, object] | None:
    """RFC 4954 section 5: required of a server with AUTH. Nobody is trusted to vouch for another: not kept."""
    return {} if value and (value == "<>" or _XTEXT.fullmatch(value)) else None


def _interval(value: str | None) -> dict[str, object] | None:
    """RFC 4865: seconds, at most nine digits."""
    return {"hold_for": int(value)} if value and re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) else None


def _date_time(value: str | None) -> dict[str, object] | None:
    """RFC 4865: a time in UTC as RFC 3339 writes it."""
    found = _DATE_TIME.fullmatch((value or "").upper())
    try:
        return {"hold_until": datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp()} if found else None
    except ValueError:
        return None


_MAIL = {
    "SIZE": _Parameter(lambda _: True, _size),
    "BODY": _Parameter(lambda _: True, _one_of("body", "7BIT", "8BITMIME")),
    "SMTPUTF8": _Parameter(lambda offers: offers.smtputf8, _flag("smtputf8")),
    "RET": _Parameter(lambda offers: offers.dsn, _one_of("ret", "FULL", "HDRS")),
    "ENVID": _Parameter(lambda offers: offers.dsn, _envid),
    "AUTH": _Parameter(lambda offers: offers.auth, _vouched),
    "REQUIRETLS": _Parameter(lambda offers: offers.require_tls, _flag("require_tls")),
    "HOLDFOR": _Parameter(lambda offers: offers.max_hold > 0, _interval),
    "HOLDUNTIL": _Parameter(lambda offers: offers.max_hold > 0, _date_time),
}


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
