"""`python -m bench.delivery.cpu`: CPU time of one message on a kept connection, in this process.

Ours (an attempt from its targets to its outcomes, through the gate), aiosmtplib one command at a time, and a bare
protocol that sends the same flights and looks at nothing; to a sink in a process of its own. Rounds are interleaved.
"""

import argparse
import asyncio
import random
import resource
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import cast

import aiosmtplib
import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from services.delivery.attempt import Attempt, Courier
from services.delivery.outcome import Result
from services.delivery.routing.route import ByMx, NextHop, Routes
from services.delivery.security.contexts import Contexts
from services.delivery.security.protection import Protection
from services.delivery.shaping.gate import Busy, Gate
from services.delivery.shaping.gate import Settings as GateSettings
from services.delivery.shaping.limits import Table as LimitTable
from services.delivery.shaping.site import site_of
from services.delivery.smtp.client import Client, Target
from services.delivery.smtp.session import Timeouts
from shared.broker.local_slots import LocalSlots
from shared.config.model import Delivery
from shared.config.tls_policy import Tls
from tests.support.delivery_world import message

SENDER, RECIPIENT = "load@bench.example", "sink@destination.example"
HEADER = b"From: load@bench.example\r\nTo: sink@destination.example\r\nSubject: load\r\n\r\n"
LINE = b"All work and no play makes a dull message, said the benchmark again.\r\n"

Send = Callable[[], Awaitable[None]]
"""Sends one message over a connection of its own."""


def content(octets: int) -> bytes:
    """Return a message of about so many octets."""
    return HEADER + LINE * ((octets - len(HEADER)) // len(LINE))


async def ours(port: int, octets: bytes) -> Send:
    """Return what sends by our own session and attempt."""
    client = Client("bench.example", Contexts(Routes({}, {}, ByMx(25))), {}, Timeouts.of(30, 600))
    delivery = Delivery(per_destination=1000, messages_per_connection=10**6)
    gate = Gate(LocalSlots(), GateSettings(LimitTable(delivery), 60), random.Random(1))
    courier = Courier(client)
    targets = (Target(NextHop("127.0.0.1", port), "127.0.0.1", protection=Protection(Tls.NONE)),)
    sent = message(RECIPIENT, content=octets, sender=SENDER)

    async def send() -> None:
        attempt = Attempt(sent.item.envelope)
        while isinstance(berth := await gate.enter(site_of(targets), "destination.example", targets), Busy):
            await asyncio.sleep(0)
        await courier.deliver(sent, targets, attempt, berth)
        gate.leave(berth, attempt.outcomes)
        (outcome,) = attempt.outcomes
        if outcome.result is not Result.DELIVERED:
            raise RuntimeError(str(outcome))

    return send


async def library(port: int, octets: bytes) -> Send:
    """Return what sends by aiosmtplib."""
    smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, local_hostname="bench.example")
    await smtp.connect()
    await smtp.ehlo()

    async def send() -> None:
        await smtp.mail(SENDER)
        await smtp.rcpt(RECIPIENT)
        await smtp.data(octets)

    return send


class Bare(asyncio.Protocol):
    """The floor: two writes and four replies that are only counted."""

    def __init__(self, octets: bytes) -> None:
        self._flight = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode()
        self._content = octets + b".\r\n"
        self._lines = 0
        self._waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._lines += data.count(b"\n")
        if data.startswith(b"220"):
            self._transport.write(b"EHLO bench.example\r\n")
        elif b"354 " in data:
            self._transport.write(self._content)
        elif self._lines and not self._waiter.done() and data.endswith(b"\n"):
            self._waiter.set_result(None)

    async def ready(self) -> None:
        await self._waiter

    async def send(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(self._flight)
        await self._waiter


async def bare(port: int, octets: bytes) -> Send:
    """Return what sends by nothing but a protocol."""
    _, protocol = await asyncio.get_running_loop().create_connection(lambda: Bare(octets), "127.0.0.1", port)
    await protocol.ready()
    return protocol.send


SYSTEMS = {
    "aiosmtplib, one command at a time": (library, False),
    "ours, DATA": (ours, False),
    "ours, BDAT": (ours, True),
    "bare pipelined protocol": (bare, False),
}


@contextmanager
def sink(*options: str) -> Iterator[int]:
    """Run a sink; yield its port."""
    command = [sys.executable, "-m", "bench.delivery.yes", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()


async def measured(senders: list[Send], messages: int) -> float:
    """Send over all connections at a time; return CPU seconds a message."""

    async def some(send: Send) -> None:
        for _ in range(messages // len(senders)):
            await send()

    began = _cpu()
    await asyncio.gather(*(some(send) for send in senders))
    return (_cpu() - began) / (messages // len(senders) * len(senders))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def run(options: argparse.Namespace, ports: dict[bool, int]) -> dict[str, list[float]]:
    """Return each system's microseconds, round by round."""
    octets = content(options.size)
    senders: dict[str, list[Send]] = {}
    for name, (make, chunking) in SYSTEMS.items():
        if make is ours:  # one gate for all, which opens as many sessions as are in use
            senders[name] = [await make(ports[chunking], octets)] * options.sessions
        else:
            senders[name] = [await make(ports[chunking], octets) for _ in range(options.sessions)]
    found: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rounds", total=(options.rounds + 1) * len(SYSTEMS))
        for number in range(options.rounds + 1):
            for name in SYSTEMS:
                seconds = await measured(senders[name], options.messages)
                if number:  # the first one warms up
                    found[name].append(seconds * 1e6)
                progress.advance(task)
    return found


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(prog="bench.delivery.cpu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=5000, help="messages a round (default 5000)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each (default 7)")
    parser.add_argument("--sessions", type=int, default=20, help="connections (default 20)")
    parser.add_argument("--size", type=int, default=4096, help="octets of a message (default 4096)")
    options = parser.parse_args()
    with sink() as plain, sink("chunking") as chunking:
        found = uvloop.run(run(options, {False: plain, True: chunking}))
    table = Table("", "CPU µs a message", "range", title=f"{options.size} octets, {options.sessions} kept connections")
    for name, values in found.items():
        table.add_row(name, f"{statistics.median(values):.1f}", f"{min(values):.1f} to {max(values):.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
