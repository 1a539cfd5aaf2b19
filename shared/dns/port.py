"""DNS as the product sees it: answers are values, and a failure that may pass is told from one that will not."""

from collections.abc import Sequence
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
    secure: bool = False
    """DNSSEC vouches for it: a resolver that we trust to validate said so (AD, RFC 4035 section 3.2.3)."""


class AddressAnswer(NamedTuple):
    """Addresses of a host, IPv6 and IPv4 as found, in text form."""

    status: Status
    addresses: tuple[str, ...] = ()
    detail: str = ""
    secure: bool = False
    """DNSSEC vouches for every address and every alias on the way to them."""
    bases: tuple[str, ...] = ()
    """The TLSA base domains of the host, in the order in which to ask (RFC 7672 section 2.2.2); () if DNSSEC vouches
    neither for its addresses nor for its being an alias."""


class Tlsa(NamedTuple):
    """One TLSA record (RFC 6698 section 2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes


class TlsaAnswer(NamedTuple):
    """TLSA records of a port of a host. What is not `secure` counts for nothing (RFC 7672 section 2.2)."""

    status: Status
    records: tuple[Tlsa, ...] = ()
    detail: str = ""
    secure: bool = False


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
    """Looks names up, U-labels as A-labels; never raises for anything a name or a server may do."""

    async def mx(self, domain: str) -> MxAnswer:
        """Ask for the MX records of a domain."""
        ...

    async def addresses(self, host: str) -> AddressAnswer:
        """Ask for AAAA and A records of a host."""
        ...

    async def all_addresses(self, hosts: Sequence[str]) -> list[AddressAnswer]:
        """Ask for the addresses of several hosts at the same time; the answers come in the order of the hosts."""
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

    async def tlsa(self, port: int, host: str) -> TlsaAnswer:
        """Ask a validating resolver for the TLSA records of a TCP port; without one there are none."""
        ...

    async def ptr(self, address: str) -> PtrAnswer:
        """Ask which names an IPv4 or IPv6 address has; what is no address has none."""
        ...
