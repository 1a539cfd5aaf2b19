"""How we appear to a host: the address a connection comes from, and the name in EHLO. Pure."""

import ipaddress

import msgspec

from shared.config.kinds import domain


class Source(msgspec.Struct, frozen=True):
    """Where connections to a next hop come from; None leaves the address to the system and the name to `hostname`."""

    v4: str | None = None
    v6: str | None = None
    helo: str | None = None

    def towards(self, address: str) -> str | None:
        """Return what to bind before connecting to an address: the source of the same family."""
        return self.v6 if ":" in address else self.v4


def parse_source(addresses: str | None, helo: str | None, default: Source) -> Source:
    """Read a route's `source=` (an IPv4 address, an IPv6 one, or both with a comma) and `helo=`.

    What a route leaves open is as `default` says. Raise ValueError with the reason.
    """
    found: dict[int, str] = {}
    for text in addresses.split(",") if addresses is not None else ():
        address = ipaddress.ip_address(text.strip().strip("[]"))
        if address.version in found:
            raise ValueError(f"source has two IPv{address.version} addresses")
        if address.is_unspecified or address.is_multicast:
            raise ValueError(f"source {address} is no address of a machine")
        found[address.version] = str(address)
    name = domain(helo) if helo is not None else default.helo
    return Source(found.get(4, default.v4), found.get(6, default.v6), name)
