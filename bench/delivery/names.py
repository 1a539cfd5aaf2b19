"""A name server for the domains of the benchmark, quick enough not to be measured (RFC 1035 section 4.1)."""

import asyncio
import re
import socket
import struct
from typing import cast

MX, A = 15, 1
NAME = re.compile(r"(mx\.)?d([0-9]+)\.example")
TTL = 300
FOUND, NO_NAME = 0x8180, 0x8183
"""Flags: a response of a recursive server, and that there is no such name."""
QUESTION = 12
"""Where it begins."""


def domain(number: int) -> str:
    """Return a domain's name; its mail host is `mx.` and that."""
    return f"d{number}.example"


def address(number: int) -> str:
    """Return the address of a domain's one mail host."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


def response(query: bytes) -> bytes:
    """Return the answer to a query: a domain has an MX, its host an A record, and nothing else is there."""
    labels, at = [], QUESTION
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace").lower())
        at += 1 + query[at]
    (kind,) = struct.unpack_from("!H", query, at + 1)
    match = NAME.fullmatch(".".join(labels))
    data = b""
    if match and match[1] and kind == A:
        data = socket.inet_aton(address(int(match[2])))
    elif match and not match[1] and kind == MX:
        data = b"\x00\x0a\x02mx\xc0\x0c"  # preference 10, "mx." before the name asked for
    record = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, TTL, len(data)) + data if data else b""
    head = struct.pack("!HHHHH", FOUND if match else NO_NAME, 1, bool(data), 0, 0)
    return query[:2] + head + query[QUESTION : at + 5] + record


class NameServer(asyncio.DatagramProtocol):
    """Answers over UDP."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer."""
        self._transport.sendto(response(data), addr)
