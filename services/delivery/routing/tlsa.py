"""Which TLSA records count for a host (RFC 7672 section 2.2): look-ups only, what records mean is said elsewhere."""

from collections.abc import Sequence
from typing import NamedTuple

from shared.dns.port import Resolver, Status, Tlsa


class TlsaRecords(NamedTuple):
    """What there is for one port of a host.

    FAILED: the host cannot be used now (section 2.1.2); NO_DATA: DANE says nothing about it.
    """

    status: Status
    records: tuple[Tlsa, ...] = ()
    base: str = ""
    """The TLSA base domain: the server's name for SNI and in its certificate."""
    detail: str = ""


async def records_of(resolver: Resolver, bases: Sequence[str], port: int) -> TlsaRecords:
    """Return the secure records of the first base domain that has any."""
    for base in bases:
        answer = await resolver.tlsa(port, base)
        if answer.status is Status.FAILED:
            return TlsaRecords(Status.FAILED, (), base, answer.detail)
        if answer.status is Status.FOUND and answer.secure:
            return TlsaRecords(Status.FOUND, answer.records, base)
    return TlsaRecords(Status.NO_DATA)
