"""Headers as a balancer writes them (proxy-protocol.txt of HAProxy), and clients that begin with one."""

import ipaddress
import socket

from services.ingress.protocol.proxy import SIGNATURE
from tests.support.front import Front, Talk

BALANCER = "127.0.0.9"
"""In `proxy_from` of the tests."""


def version_1(client: str) -> bytes:
    """Return a header of version 1."""
    family = "TCP6" if ":" in client else "TCP4"
    ours = "2001:db8::25" if ":" in client else "192.0.2.25"
    return f"PROXY {family} {client} {ours} 40000 25\r\n".encode()


def version_2(client: str, tlvs: bytes = b"") -> bytes:
    """Return a header of version 2."""
    source = ipaddress.ip_address(client)
    ours = ipaddress.ip_address("2001:db8::25" if source.version == 6 else "192.0.2.25")
    block = source.packed + ours.packed + (40000).to_bytes(2) + (25).to_bytes(2) + tlvs
    return SIGNATURE + bytes([0x21, 0x21 if source.version == 6 else 0x11]) + len(block).to_bytes(2) + block


LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
"""Version 2: the balancer's own connection."""
UNKNOWN = b"PROXY UNKNOWN\r\n"


def connect(front: Front, octets: bytes, source: str = BALANCER, listener: int = 0) -> Talk:
    """Connect as a balancer does, and send what it says first."""
    talk = Talk(socket.create_connection(("127.0.0.1", front.app.ports[listener]), 30, (source, 0)))
    talk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    talk.send(octets)
    return talk
