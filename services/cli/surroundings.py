"""What this machine adds to a configuration: who may read the file, and whose addresses clients may appear under."""

import ipaddress
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from shared.config.findings import Facts

MARKS = ("/.dockerenv", "/run/.containerenv")
"""What Docker and Podman put into their containers."""
_ON_LINK = "0" * 32


class Route(NamedTuple):
    """One line of the kernel's routing table."""

    network: str
    gateway: str | None
    """None: the network is at one of our interfaces."""


def facts_of(path: Path | None) -> Facts:
    """Return what this machine adds to a configuration read from `path`."""
    readable = path is not None and bool(path.stat().st_mode & stat.S_IROTH)
    if not _in_container():
        return Facts(readable_by_all=readable)
    routes = [*ipv4_routes(_read("/proc/net/route")), *ipv6_routes(_read("/proc/net/ipv6_route"))]
    return Facts(gateways_of(routes), readable)


def _in_container() -> bool:
    return any(Path(mark).exists() for mark in MARKS) or "KUBERNETES_SERVICE_HOST" in os.environ


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""


def ipv4_routes(table: str) -> Iterator[Route]:
    """Read /proc/net/route (proc(5): numbers in hexadecimal, in the byte order of the machine)."""
    for line in table.splitlines()[1:]:
        _, destination, gateway, _, _, _, _, mask, *_ = line.split()
        network = f"{_ipv4(destination)}/{_ipv4(mask)}"
        yield Route(str(ipaddress.ip_network(network)), None if gateway == "00000000" else _ipv4(gateway))


def _ipv4(number: str) -> str:
    return socket.inet_ntoa(struct.pack("=I", int(number, 16)))


def ipv6_routes(table: str) -> Iterator[Route]:
    """Read /proc/net/ipv6_route: addresses in hexadecimal without colons."""
    for line in table.splitlines():
        destination, length, _, _, hop, *_, interface = line.split()
        if interface != "lo":
            network = ipaddress.ip_network((bytes.fromhex(destination), int(length, 16)))
            yield Route(str(network), None if hop == _ON_LINK else str(ipaddress.ip_address(bytes.fromhex(hop))))


def gateways_of(routes: list[Route]) -> tuple[str, ...]:
    """Return the gateways that the table names; of a network at an interface, the first address.

    There Docker and its kin have it, and a client of a published port may appear under any of them.
    """
    found = [gateway or _first_address(network) for network, gateway in routes]
    return tuple(dict.fromkeys(address for address in found if address is not None))


def _first_address(text: str) -> str | None:
    """Return it, None for single addresses and for what every link has."""
    network = ipaddress.ip_network(text)
    odd = network.is_loopback or network.is_link_local or network.is_multicast
    return None if odd or network.num_addresses == 1 else str(network.network_address + 1)
