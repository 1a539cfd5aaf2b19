"""DNS as the product sees it: answers are values, and a failure that may pass is told from one that will not."""

from enum import StrEnum
from typing import NamedTuple, Protocol


class Status(StrEnum):
    """What became of a question."""

    FOUND = "found"
    NO_DATA = "no data"
    """The name exists, but has no record of this type."""
    NO_NAME = "no name"
    """NXDOMAIN: permanent."""
    FAILED = "failed"
    """SERVFAIL, timeouts, refused: temporary."""


class Mx(NamedTuple):
    """One MX record; host without the trailing dot, lower case; "" is the null MX's root (RFC 7505)."""

    preference: int
    host: str


class MxAnswer(NamedTuple):
    """The answer to an MX question; `records` only if FOUND."""

    status: Status
    records: tuple[Mx, ...] = ()
    detail: str = ""
    """For logs and reports: what the resolver said."""


class AddressAnswer(NamedTuple):
    """Addresses of a host, IPv6 and IPv4 as found, in text form."""

    status: Status
    addresses: tuple[str, ...] = ()
    detail: str = ""


class TxtAnswer(NamedTuple):
    """TXT records as octets: the strings of one record joined without a space (RFC 7208 section 3.3)."""

    status: Status
    records: tuple[bytes, ...] = ()
    detail: str = ""


class PtrAnswer(NamedTuple):
    """Names an address claims to have, lower case, without the trailing dot; only their addresses can confirm them."""

    status: Status
    names: tuple[str, ...] = ()
    detail: str = ""


class Resolver(Protocol):
    """Looks names up; never raises for anything a name or a server may do."""

    async def mx(self, domain: str) -> MxAnswer:
        """Ask for the MX records of an A-label domain."""
        ...

    async def addresses(self, host: str) -> AddressAnswer:
        """Ask for AAAA and A records of a host."""
        ...

    async def ipv4(self, host: str) -> AddressAnswer:
        """Ask for A records alone, as block lists answer with (RFC 5782)."""
        ...

    async def ipv6(self, host: str) -> AddressAnswer:
        """Ask for AAAA records alone."""
        ...

    async def txt(self, name: str) -> TxtAnswer:
        """Ask for TXT records."""
        ...

    async def ptr(self, address: str) -> PtrAnswer:
        """Ask which names an IPv4 or IPv6 address has; what is no address has none."""
        ...
