"""The trace field that ingress prepends, and the loops that earlier trace fields reveal (RFC 5321 section 4.4)."""

import re
import time
from functools import lru_cache
from typing import NamedTuple

from services.ingress import replies
from services.ingress.replies import Refuse
from shared.model import Client
from shared.smtp.headers import field_values

OWN_PASSES = 3
"""So many `Received:` fields of our own mean a loop (DESIGN section 7)."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Arrival(NamedTuple):
    """What the trace field says. It names no recipient: that would leak blind copies."""

    hostname: str
    """Ours."""
    id: str
    client: Client
    at: float


def protocol(*, extended: bool, smtputf8: bool, tls: bool, authenticated: bool) -> str:
    """Return the `with` keyword (RFC 3848, RFC 6531 section 4.3)."""
    if not extended:
        return "SMTP"
    return f"{'UTF8SMTP' if smtputf8 else 'ESMTP'}{'S' * tls}{'A' * authenticated}"


def rfc5322_date(at: float) -> str:
    """Return a time in the header's form, UTC, whatever the locale (RFC 5322 section 3.3)."""
    return _date(int(at))


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    t = time.gmtime(second)
    clock = f"{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}"
    return f"{_DAYS[t.tm_wday]}, {t.tm_mday} {_MONTHS[t.tm_mon - 1]} {t.tm_year} {clock} +0000"


def address_literal(address: str) -> str:
    """Return an IP address as in `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 section 4.1.3)."""
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def received_field(arrival: Arrival) -> bytes:
    """Return the whole field with its final CRLF."""
    client = arrival.client
    literal = address_literal(client.address)
    where = f"{client.name} {literal}" if client.name else literal
    tls = f"\r\n\t(using {client.tls})" if client.tls else ""
    return (
        f"Received: from {client.helo or literal} ({where}){tls}\r\n"
        f"\tby {arrival.hostname} (Sluice) with {client.protocol} id {arrival.id};\r\n"
        f"\t{rfc5322_date(arrival.at)}\r\n"
    ).encode("ascii")


def loop(content: bytes, hostname: str, max_hops: int) -> Refuse | None:
    """Return the refusal of a message that goes round: too many trace fields, or three of our own."""
    fields = field_values(content, "Received")
    if len(fields) >= max_hops:
        return replies.TOO_MANY_HOPS
    if not fields:
        return None
    ours = re.compile(rb"\bby " + re.escape(hostname.encode("ascii")) + rb"(?![\w.-])", re.IGNORECASE)
    return replies.OWN_LOOP if sum(ours.search(value) is not None for value in fields) >= OWN_PASSES else None
