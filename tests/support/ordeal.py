"""A steady load on a relay while a test breaks it, and the account of what came of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from tests.support.client import Load, Target
from tests.support.ledger import Ledger, until
from tests.support.world import TRUSTED, USER, World

MESSAGES = 1000
CONNECTIONS = 10
PAUSE = 0.05
"""Seconds each connection rests after a message, so that every kill falls into the load."""
RECIPIENT = "sink@elsewhere.example"
BROAD = {"delivery": {"per_destination": 200}}
"""All of the load goes to one domain; here the limit of a destination is not what is tested."""


class Ordeal(NamedTuple):
    """A load in progress."""

    world: World
    ledger: Ledger
    load: Load


@contextlib.asynccontextmanager
async def under_load(world: World, messages: int = MESSAGES, quiet: float | None = None) -> AsyncIterator[Ordeal]:
    """Send `messages` at a steady pace while the block runs; it ends when every one is answered 250 and delivered.

    With `quiet`, arrivals are waited for only until none has come for that many seconds: where a loss is expected.
    """
    ledger = Ledger()
    target = Target(world.ports.relay, USER, RECIPIENT, source=TRUSTED)
    load = Load(target, [f"t-{number:05}" for number in range(messages)], ledger)
    collecting = asyncio.create_task(_collect(world, ledger))
    sending = asyncio.create_task(load.run(CONNECTIONS, PAUSE))
    try:
        yield Ordeal(world, ledger, load)
        await asyncio.wait_for(sending, 240)
        await ledger.settle(120, quiet)
    finally:
        sending.cancel()
        collecting.cancel()
        await asyncio.gather(sending, collecting, return_exceptions=True)


async def _collect(world: World, ledger: Ledger) -> None:
    seen = 0
    while True:
        mails = world.destination.transactions[seen:]
        for mail in mails:
            ledger.arrive(mail.content)
        seen += len(mails)
        await asyncio.sleep(0.02)


async def at_each_mark(ordeal: Ordeal, marks: tuple[int, ...], strike: Callable[[], None]) -> None:
    """Call `strike` each time the number of answered messages reaches a mark; the load goes on meanwhile."""
    for mark in marks:
        await until(lambda mark=mark: ordeal.ledger.answered >= mark, 120, f"{mark} messages answered 250")  # type: ignore[misc]
        await asyncio.to_thread(strike)
