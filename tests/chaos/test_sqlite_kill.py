"""SIGKILL while a queue file is written: whatever a publisher was told is durable is there."""

import asyncio
import contextlib
import sqlite3
import sys
from pathlib import Path

import pytest

from shared import wire
from shared.broker.sqlite import StoreInUse, open_broker, open_operator
from shared.model import Place
from tests.contract.harness import PATIENCE

pytestmark = pytest.mark.chaos


async def publish_until_killed(path: Path, lines: int) -> list[str]:
    """Run a publisher, kill it after it has printed `lines` ids; return the ids that it printed in full."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.sqlite_publisher", str(path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    printed: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while len(printed) < lines:
            printed.append((await child.stdout.readline()).decode().strip())
        child.kill()
        rest = (await child.stdout.read()).decode()
        await child.wait()
    return [*printed, *rest.split("\n")[:-1]]


async def test_every_id_that_was_printed_is_there(tmp_path: Path) -> None:
    """Killed several times, each time at another moment, on the same file."""
    path = tmp_path / "queue.db"
    printed: list[str] = []
    for lines in (1, 50, 333, 700):
        printed += await publish_until_killed(path, lines)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    operator = await open_operator(path)
    found = [wire.decode_item(each.body).id async for each in operator.kept([Place.DELIVER])]
    assert len(found) == len(set(found))
    assert set(printed) <= set(found)
    await operator.close()


async def test_leases_of_a_killed_process_come_back(tmp_path: Path) -> None:
    """The lock beside the file is the kernel's to release, so the next process knows that the leases are dead."""
    path = tmp_path / "queue.db"
    await publish_until_killed(path, 100)
    broker = await open_broker(path)
    subscription = await broker.subscribe(Place.SCREEN, 10_000)
    operator = await open_operator(path)
    depth = {each.queue: each for each in await operator.depths()}[Place.SCREEN]
    assert depth.consumers == 1
    async with asyncio.timeout(PATIENCE):
        taken = [await anext(aiter(subscription)) for _ in range(depth.ready + (depth.unsettled or 0))]
    assert {received.returns for received in taken} <= {0, 1}
    await broker.close()
    await operator.close()


async def test_one_process_at_a_time_takes_mail(tmp_path: Path) -> None:
    """The error names the file and who has it; publishing and looking work meanwhile; and the kill frees it."""
    path = tmp_path / "queue.db"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.sqlite_publisher", str(path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    async with asyncio.timeout(PATIENCE):
        await child.stdout.readline()
    broker = await open_broker(path)
    with pytest.raises(StoreInUse, match=f"{path}: process {child.pid} is taking mail"):
        await broker.subscribe(Place.DELIVER, 1)
    await broker.park(b"x", "no item")
    child.kill()
    await child.communicate()
    await broker.subscribe(Place.DELIVER, 1)
    await broker.close()
