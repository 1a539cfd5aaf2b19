"""Connecting to a host: one address, or two of which the second has its turn if the first is slow (after RFC 8305).

They take turns where RFC 8305 would let them race: the loser of a race may have got through as well, and then the host
sees one connection more than it was to see. Here it never has two.
"""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

FIRST_TURN = 1.0
"""Seconds that the first of several ways has before the others have their turns: between RFC 8305's 0.25 and 2."""


_BIND_ADDRESS_NO_PORT = 24
"""IP_BIND_ADDRESS_NO_PORT of Linux, for IPv6 as well; `socket` names it from Python 3.12 on."""


class Way(NamedTuple):
    """Where to connect to, and the address of ours to come from; None leaves that to the system."""

    address: str
    """IPv4, IPv6, or the path of a socket."""
    port: int
    source: str | None = None

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" + (f" from {self.source}" if self.source else "")


class Unreachable(NamedTuple):
    """Nobody took the connection; what became of each way, for the reply."""

    reason: str
    slow: bool = False
    """It did not answer in time, and might with more of it."""


async def connect(ways: Sequence[Way], seconds: float) -> socket.socket | Unreachable:
    """Return a connection by the first way that leads to one, each with `seconds`; no two are ever under way.

    The first of several has but FIRST_TURN at first, and all of its time once the others have failed.
    """
    await asyncio.sleep(0)  # what was closed a moment ago is closed before another is opened
    turns = deque((way, seconds) for way in ways)
    if len(ways) > 1:
        turns[0] = (ways[0], min(FIRST_TURN, seconds))
    results: dict[Way, Unreachable] = {}
    while turns:
        way, limit = turns.popleft()
        result = await _connect(way, limit)
        if isinstance(result, socket.socket):
            return result
        results[way] = result
        if result.slow and limit < seconds:
            turns.append((way, seconds))
    return Unreachable("; ".join(results[way].reason for way in ways))


async def _connect(way: Way, seconds: float) -> socket.socket | Unreachable:
    inside = way.address.startswith("/")
    family = socket.AF_UNIX if inside else socket.AF_INET6 if ":" in way.address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        if way.source is not None:
            _bind(connection, way.source)
        async with asyncio.timeout(seconds):
            to = way.address if inside else (way.address, way.port)
            await asyncio.get_running_loop().sock_connect(connection, to)
    except TimeoutError:
        if not _is_connected(connection):
            connection.close()
            return Unreachable(f"{way} timed out", slow=True)
    except OSError as error:
        connection.close()
        return Unreachable(f"{way}: {os.strerror(error.errno) if error.errno else error}")
    except BaseException:
        connection.close()
        raise
    if not inside:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _is_connected(connection: socket.socket) -> bool:
    """Tell whether it got through in the very moment when its time was over: the host has seen it, then."""
    try:
        connection.getpeername()
    except OSError:
        return False
    return True


def _bind(connection: socket.socket, source: str) -> None:
    """Bind the address and no port: the kernel chooses one when it knows the other end, lest ports run out."""
    connection.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    connection.bind((source, 0))
