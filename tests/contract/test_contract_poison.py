"""A message that takes workers down, on every broker: it ends parked, with what is known of it, and others flow."""

import asyncio
import os
import sys

import msgspec

from shared import wire
from shared.broker.topology import User
from shared.broker.worker import ISOLATE_AFTER, PARK_AFTER
from shared.model import Place
from tests.contract.harness import PATIENCE, Harness, take, until_depth
from tests.support.isolated_child import POISON
from tests.support.messages import make_item, make_message
from tests.support.processes import ROOT


async def run_until_parked(harness: Harness) -> int:
    """Start a screener again each time that it has died, until something is parked; return how many have died."""
    died = 0
    parked = asyncio.create_task(until_depth(harness, Place.DEAD, 1))
    async with asyncio.timeout(2 * PATIENCE):
        while not parked.done():
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.support.poisoned",
                harness.address,
                cwd=ROOT,
                env={**os.environ, "PYTHONFAULTHANDLER": ""},
            )
            ended = asyncio.create_task(child.wait())
            await asyncio.wait({ended, parked}, return_when=asyncio.FIRST_COMPLETED)
            if child.returncode is None:
                child.kill()
                await ended
            else:
                died += 1
    return died


async def test_what_kills_workers_is_parked_with_its_evidence(harness: Harness) -> None:
    """Three workers die of it, then only children do, not three more workers for each of them; two are left to try."""
    failing = msgspec.structs.replace(make_item(), failures=PARK_AFTER - 2)
    poison, other = make_message(failing, POISON), make_message()
    for message in (poison, other):
        await harness.put(Place.SCREEN, wire.encode(message))
    assert await run_until_parked(harness) == ISOLATE_AFTER
    operator = await harness.operator()
    (kept,) = [each async for each in operator.kept([Place.DEAD])]
    assert kept.message is not None
    item = kept.message.item
    assert (item.id, kept.message.content) == (poison.item.id, POISON)
    assert (
        kept.reason
        == item.reason
        == (
            "failed 10 times in screen, after it came back 3 times without a result, "
            "last: IsolationError: child process was killed by signal 11 (Segmentation fault) "
            "while handling the message"
        )
    )
    assert (item.failures, item.lost, len(item.history)) == (PARK_AFTER, ISOLATE_AFTER, 2)
    assert all(attempt.stage == "screen" and "signal 11" in attempt.text for attempt in item.history)
    (received,) = await take(await harness.open(User.DELIVERY), Place.DELIVER, 1)
    assert wire.decode(received.body).item.id == other.item.id
