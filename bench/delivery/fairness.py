"""`python -m bench.delivery.fairness`: does mail for a dead domain hold up mail for a healthy one?

The real stage, from a queue file to a server on loopback, once with the healthy domain's messages alone and once with
the dead domain's among and before them in the queue; rounds interleaved. Dead is a host that never answers.
"""

import argparse
import asyncio
import contextlib
import random
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from services.delivery.app import build
from shared import log
from shared.broker.sqlite import open_broker
from shared.clock import wall_clock
from shared.config.model import Config, Delivery, Log, Relay
from shared.config.units import Duration
from shared.dns.resolver import DnsResolver
from shared.ids import new_id
from shared.model import Action, Envelope, Item, Message, Origin, Place, Recipient, Send, Verdict
from tests.support.counting import Counting
from tests.support.dns_server import DnsServer

DEAD, HEALTHY = "127.9.9.2", "127.0.0.1"
ZONE = {
    "dead.example": {"MX": ["10 mx.dead.example."]},
    "mx.dead.example": {"A": [DEAD]},
    "healthy.example": {"MX": ["10 mx.healthy.example."]},
    "mx.healthy.example": {"A": [HEALTHY]},
}


def message(domain: str, number: int) -> Send:
    """Return one screened message."""
    now = wall_clock()
    envelope = Envelope(sender="a@sender.example", recipients=(Recipient(address=f"x@{domain}"),))
    verdict = Verdict(action=Action.PASS, at=now)
    item = Item(
        id=new_id(now),
        split=1,
        envelope=envelope,
        origin=Origin.TRUSTED,
        accepted_at=now,
        destination=domain,
        verdict=verdict,
    )
    return Send(Place.DELIVER, Message(item, b"Subject: %d\r\n\r\n%b\r\n" % (number, b"Hello. " * 500)))


@contextlib.contextmanager
def black_hole(port: int) -> Iterator[None]:
    """Listen, take nothing, and let the queue of the kernel be full: further connections get no answer."""
    with socket.create_server((DEAD, port), backlog=0), contextlib.ExitStack() as stack:
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((DEAD, port))
        yield


async def drained(dead: int, healthy: int, seconds: float, *, mixed: bool = False) -> float:
    """Return how long the healthy domain's messages take, from the start of the stage."""
    with (
        DnsServer(dict(ZONE)) as dns,
        Counting(seconds) as server,
        black_hole(server.port),
        tempfile.TemporaryDirectory() as folder,
    ):
        delivery = Delivery(
            nameservers=(dns.address,), port=server.port, allow_private_destinations=True, connect_timeout=Duration(10)
        )
        config = Config(hostname="relay.example", relay=Relay(postmaster="p@sender.example"), delivery=delivery)
        broker = await open_broker(Path(folder, "queue.db"))
        sends = [
            *(message("dead.example", n) for n in range(dead)),
            *(message("healthy.example", n) for n in range(healthy)),
        ]
        if mixed:
            random.Random(1).shuffle(sends)
        for first in range(0, len(sends), 1000):
            await broker.publish(sends[first : first + 1000])
        app = build(config, broker, DnsResolver(delivery.nameservers))
        began = time.monotonic()
        await app.start()
        while len(set(server.arrived)) < healthy:
            await asyncio.sleep(0.005)
        took = time.monotonic() - began
        await app.drain(0)
        await broker.close()
        return took


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(prog="bench.delivery.fairness", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dead", type=int, default=10_000, help="messages for the dead domain (default 10000)")
    parser.add_argument("--healthy", type=int, default=1000, help="messages for the healthy one (default 1000)")
    parser.add_argument("--seconds", type=float, default=0.2, help="its answer to the final dot takes (default 0.2)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    log.set_up(Log(level="error"), "fairness")
    alone, among, behind = [], [], []
    for _ in range(options.rounds):
        alone.append(uvloop.run(drained(0, options.healthy, options.seconds)))
        among.append(uvloop.run(drained(options.dead, options.healthy, options.seconds, mixed=True)))
        behind.append(uvloop.run(drained(options.dead, options.healthy, options.seconds)))
    table = Table("", "seconds", "range", "ratio", title=f"{options.healthy} messages for a healthy domain")
    dead = f"{options.dead} for a dead one"
    for name, times in {"alone": alone, f"among {dead}": among, f"behind {dead}": behind}.items():
        middle = statistics.median(times)
        ratio = f"{middle / statistics.median(alone):.2f}"
        table.add_row(name, f"{middle:.2f}", f"{min(times):.2f} to {max(times):.2f}", ratio)
    Console().print(table)


if __name__ == "__main__":
    main()
