"""Connecting to a host: one address, or two of which the second starts if the first is slow (RFC 8305)."""

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import NamedTuple

DELAY = 0.25
"""Seconds that the first address has for itself (RFC 8305 section 5)."""


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


async def connect(ways: Sequence[Way], seconds: float) -> socket.socket | Unreachable:
    """Return a connection by whichever way leads to one first. Each has `seconds`, from its own start.

    The next way starts when the one before has failed, or has had its `DELAY` to itself.
    """
    if len(ways) == 1:
        return await _connect(ways[0], seconds)
    tries: list[asyncio.Task[socket.socket | Unreachable]] = []
    won = None
    try:
        for way in ways:
            tries.append(asyncio.create_task(_connect(way, seconds)))
            won = await _first(tries, None if way is ways[-1] else DELAY)
            if won is not None:
                return won
        results = [task.result() for task in tries]
        return Unreachable("; ".join(result.reason for result in results if isinstance(result, Unreachable)))
    finally:
        for task in tries:
            if not task.cancel() and isinstance(lost := task.result(), socket.socket) and lost is not won:
                lost.close()


async def _first(
    tries: Sequence[asyncio.Task[socket.socket | Unreachable]], seconds: float | None
) -> socket.socket | None:
    """Return the first connection, or None once all tries have failed or the time is over."""
    loop = asyncio.get_running_loop()
    until = None if seconds is None else loop.time() + seconds
    while True:
        for task in tries:
            if task.done() and isinstance(connection := task.result(), socket.socket):
                return connection
        pending = [task for task in tries if not task.done()]
        left = None if until is None else until - loop.time()
        if not pending or (left is not None and left <= 0):
            return None
        await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)


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
        connection.close()
        return Unreachable(f"{way} timed out")
    except OSError as error:
        connection.close()
        return Unreachable(f"{way}: {os.strerror(error.errno) if error.errno else error}")
    except BaseException:
        connection.close()
        raise
    if not inside:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _bind(connection: socket.socket, source: str) -> None:
    """Bind the address and no port: the kernel chooses one when it knows the other end, lest ports run out."""
    connection.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    connection.bind((source, 0))
