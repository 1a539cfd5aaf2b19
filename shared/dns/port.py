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


class Resolver(Protocol):
    """Looks names up; never raises for anything a name or a server may do."""

    async def mx(self, domain: str) -> MxAnswer:
        """Ask for the MX records of an A-label domain."""
        ...

    async def addresses(self, host: str) -> AddressAnswer:
        """Ask for AAAA and A records of a host."""
        ...
