"""From dnspython's messages to values; pure."""

from collections.abc import Callable
from typing import NamedTuple, cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.TLSA
import dns.rdtypes.ANY.TXT

from shared.dns.exchange import unreadable
from shared.dns.port import AddressAnswer, Mx, Status, Tlsa

Record = Mx | Tlsa | str | bytes

LEAST_SECONDS = 5
"""The shortest that an answer holds, lest a zone have us read its 3,000 records again with every message."""
POSITIVE_SECONDS = 86400
NEGATIVE_SECONDS = 3600
"""The longest that an answer holds, whatever its TTL says (RFC 2308 section 5: one to three hours for a denial)."""
ENTRY_WEIGHT, RECORD_WEIGHT = 600, 300
"""Octets that an answer and each of its records cost besides its message; 2 of them may stand for a name of 250."""


_NONE = (255, 255, 255)
"""What stands for the usage, selector and matching type of a TLSA record that has none: it means nothing to anybody."""


class Found(NamedTuple):
    """The answer to one question."""

    status: Status
    records: tuple[Record, ...] = ()
    detail: str = ""
    secure: bool = False
    canonical: str = ""
    """The name that has the records: at the end of the aliases, if there are any."""
    until: float = 0
    """When it ceases to hold."""
    weight: int = ENTRY_WEIGHT
    """Octets of memory, about."""


def _txt(data: dns.rdata.Rdata) -> Record:
    return b"".join(cast("dns.rdtypes.ANY.TXT.TXT", data).strings)


def _mx(data: dns.rdata.Rdata) -> Record:
    record = cast("dns.rdtypes.ANY.MX.MX", data)
    return Mx(record.preference, host(record.exchange))


def _tlsa(data: dns.rdata.Rdata) -> Record:
    record = cast("dns.rdtypes.ANY.TLSA.TLSA", data)
    return Tlsa(record.usage, record.selector, record.mtype, record.cert)


def _target(data: dns.rdata.Rdata) -> Record:
    return host(cast("dns.rdtypes.ANY.PTR.PTR", data).target)


_READERS: dict[str, Callable[[dns.rdata.Rdata], Record]] = {
    "A": str,
    "AAAA": str,
    "CNAME": _target,
    "MX": _mx,
    "PTR": _target,
    "TLSA": _tlsa,
    "TXT": _txt,
}
"""Every type that is asked for."""


def host(name: dns.name.Name) -> str:
    """Return a name in lower case without the trailing dot; the root is ""."""
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")


def read(message: dns.message.QueryMessage, kind: str, now: float, *, trusted: bool) -> Found:
    """Return what a message with the answer, or with its denial, says. Raise DNSException if it contradicts itself."""
    chain = message.resolve_chaining()
    secure = trusted and bool(message.flags & dns.flags.AD)
    canonical, octets = host(chain.canonical_name), len(message.wire or b"")
    records = tuple(map(_READERS[kind], chain.answer or ()))
    if kind == "TLSA":
        records += _unusable(message, chain.canonical_name)
    if not records:
        _refuse_others(message, kind)
        status = Status.NO_NAME if message.rcode() == dns.rcode.NXDOMAIN else Status.NO_DATA
        until = now + max(LEAST_SECONDS, min(chain.minimum_ttl, NEGATIVE_SECONDS))
        return Found(status, (), f"{kind} of {canonical}: {status}", secure, canonical, until)
    until = now + max(LEAST_SECONDS, min(chain.minimum_ttl, POSITIVE_SECONDS))
    weight = ENTRY_WEIGHT + octets + RECORD_WEIGHT * len(records)
    return Found(Status.FOUND, records, "", secure, canonical, until, weight)


def _unusable(message: dns.message.QueryMessage, name: dns.name.Name) -> tuple[Tlsa, ...]:
    """Return TLSA records of a length that cannot be: by themselves, too, they demand TLS (RFC 7672 section 2.2)."""
    kind = unreadable(dns.rdatatype.TLSA)
    rrset = message.get_rrset(message.answer, name, dns.rdataclass.IN, kind) or ()
    octets = [cast("dns.rdata.GenericRdata", data).data for data in rrset]
    return tuple(Tlsa(data[0], data[1], data[2], data[3:]) if len(data) > 2 else Tlsa(*_NONE, data) for data in octets)


def _refuse_others(message: dns.message.QueryMessage, kind: str) -> None:
    """Raise FormError if there are records of a type after all, of other names, or none that can be read."""
    asked = dns.rdatatype.from_text(kind)
    if any(rrset.rdtype in (asked, unreadable(asked), unreadable(dns.rdatatype.CNAME)) for rrset in message.answer):
        raise dns.exception.FormError


def addresses(found: Found) -> AddressAnswer:
    """Return the answer to A or AAAA."""
    records = tuple(record for record in found.records if isinstance(record, str))
    return AddressAnswer(found.status, records, found.detail, found.secure)


def combine(v6: AddressAnswer, v4: AddressAnswer) -> AddressAnswer:
    """Merge the answers to AAAA and A: what was found counts, else a failure, else what is known to be absent."""
    found = [answer for answer in (v6, v4) if answer.addresses]
    if found:
        return AddressAnswer(
            Status.FOUND,
            tuple(address for answer in found for address in answer.addresses),
            secure=all(answer.secure for answer in found),
        )
    for status in (Status.FAILED, Status.NO_DATA, Status.NO_NAME):
        for answer in (v4, v6):
            if answer.status is status:
                return answer
    return AddressAnswer(Status.NO_DATA)


def bases(name: str, canonical: str, *, secure: bool, alias_secure: bool) -> tuple[str, ...]:
    """Return the TLSA base domains of a host (RFC 7672 section 2.2.2): where its aliases lead, then the host itself.

    `alias_secure`: it is an alias and DNSSEC vouches for that, if not for what follows: then only its own name will do.
    """
    if secure:
        return (name,) if canonical == name else (canonical, name)
    return (name,) if alias_secure else ()
