"""The servers that are compared, each a process of its own on a free port of 127.0.0.1.

`python -m bench.ingress.servers NAME` runs one of the Python ones and prints its port. All of them run on uvloop and
throw every message away once its end was seen, so that what is measured is the taking of mail and nothing behind it.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import uvloop
from aiosmtpd.smtp import SMTP

from services.ingress.app import build
from shared import log
from shared.config.model import Config, Ingress, Listener, Log, Relay
from shared.config.units import Size
from shared.dns.resolver import DnsResolver
from shared.model import Send

HOST = "127.0.0.1"
LIMIT = 64 * 1024**2
"""Octets of a message that each server takes."""


class Discard:
    """Implements shared.broker.port.Publisher: everything is durable at once."""

    async def publish(self, sends: Sequence[Send]) -> None:
        """Forget them."""

    async def park(self, body: bytes, reason: str) -> None:
        """Ingress parks nothing."""

    def trouble(self) -> str | None:
        """Return none."""
        return None


async def sluice() -> int:
    """Ingress as it is, its log on standard error like in production, over a publisher that forgets."""
    log.set_up(Log(), "ingress")
    config = Config(
        hostname="sluice.bench.example",
        relay=Relay(hosted={"destination.example": f"{HOST}:1"}),
        ingress=Ingress(
            listener=(Listener(address=f"{HOST}:0"),),
            max_message_size=Size(LIMIT),
            max_connections=20_000,
            max_connections_per_client=20_000,
            buffer=Size(1024**3),
        ),
    )
    app = build(config, Discard(), DnsResolver((f"{HOST}:9",)))
    await app.start()
    return app.ports[0]


class Accept:
    """aiosmtpd's handler: take every message."""

    async def handle_DATA(self, *_: object) -> str:  # noqa: N802  (aiosmtpd's name)
        """Accept and forget."""
        return "250 2.0.0 Ok"


async def aiosmtpd() -> int:
    """aiosmtpd's SMTP class, unmodified, with the least handler there is."""
    return await _listen(lambda: SMTP(Accept(), hostname="aiosmtpd.bench.example", data_size_limit=LIMIT))


class Bare(asyncio.Protocol):
    """The least that a client takes for an SMTP server: no check, no state but "in content", one write a read."""

    def connection_made(self, transport: Any) -> None:
        """Greet."""
        self._transport = transport
        self._content = False
        self._buffer = b""
        transport.write(b"220 bare\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer each line, and the end of the content."""
        buffer, answers = self._buffer + data, []
        while buffer:
            if self._content:
                end = buffer.find(b"\r\n.\r\n")
                if end < 0:
                    buffer = buffer[-4:]
                    break
                buffer, self._content = buffer[end + 5 :], False
                answers.append(b"250 Ok\r\n")
                continue
            line, found, rest = buffer.partition(b"\r\n")
            if not found:
                break
            buffer = rest
            self._content = line == b"DATA"
            answers.append(b"354 go\r\n" if self._content else b"221 bye\r\n" if line == b"QUIT" else b"250 Ok\r\n")
        self._buffer = buffer
        self._transport.write(b"".join(answers))
        if answers and answers[-1].startswith(b"221"):
            self._transport.close()


async def bare() -> int:
    """The floor: what the event loop and the sockets cost."""
    return await _listen(Bare)


async def _listen(factory: Callable[[], asyncio.Protocol]) -> int:
    server = await asyncio.get_running_loop().create_server(factory, HOST, 0, backlog=1024)
    return int(server.sockets[0].getsockname()[1])


SERVERS: dict[str, Callable[[], Awaitable[int]]] = {"sluice": sluice, "aiosmtpd": aiosmtpd, "bare": bare}


async def _serve(name: str) -> None:
    print(await SERVERS[name](), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sys.argv[1]))
