"""A full disk under the queue file: refused as such, nothing corrupt, and all goes on when there is space again."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import wire
from shared.broker.sqlite import Options, SqliteBroker, open_broker, open_operator
from shared.errors import BrokerFull
from shared.model import Place
from tests.contract.harness import PATIENCE, take, until
from tests.support.messages import make_message, to

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(os.geteuid() != 0 and not os.environ.get("CI"), reason="only root can mount a small disk"),
]

MIB = 1024**2


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MiB of its own."""
    directory = tmp_path / "disk"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", str(directory)], check=True)
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], check=True)


def enlarge(disk: Path) -> None:
    """Free some space, as somebody who deletes files does."""
    subprocess.run(["mount", "-o", "remount,size=40m", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Take all the space that is left, as somebody else's log files do."""
    with contextlib.suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)


async def publish_until_full(broker: SqliteBroker, place: Place, octets: int = 50_000) -> list[str]:
    """Publish until the broker is full; return the ids it has taken."""
    taken: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while True:
            message = make_message(content=os.urandom(octets))
            try:
                await broker.publish([to(place, message)])
            except BrokerFull:
                return taken
            taken.append(message.item.id)


async def kept(path: Path, queue: str) -> list[str]:
    """Return the ids on a queue."""
    operator = await open_operator(path)
    try:
        return [wire.decode_item(each.body).id async for each in operator.kept([queue])]
    finally:
        await operator.close()


def integrity(path: Path) -> str:
    """Return "ok", or what is wrong with the file."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found: str = connection.execute("PRAGMA integrity_check").fetchone()[0]
    return found


async def test_full_to_the_last_octet(disk: Path) -> None:
    """Without a reserve: publishes fail as full, trouble says why, and both end by themselves with space."""
    path = disk / "queue.db"
    broker = await open_broker(path, Options(reserve=0))
    taken = await publish_until_full(broker, Place.SCREEN)
    assert len(taken) > 20
    await until(lambda: broker.trouble() is not None, "trouble is told")
    assert "no space left" in str(broker.trouble())
    with pytest.raises(BrokerFull, match=f"{path}: no space left"):
        await broker.publish([to(Place.SCREEN, make_message(content=os.urandom(4 * MIB)))])
    assert sorted(await kept(path, Place.SCREEN)) == sorted(taken)

    enlarge(disk)
    await until(lambda: broker.trouble() is None, "trouble is over")
    after = make_message(content=os.urandom(4 * MIB))
    await broker.publish([to(Place.REDELIVER, after)])
    assert sorted(await kept(path, Place.SCREEN)) == sorted(taken)
    assert await kept(path, f"{Place.REDELIVER}.large") == [after.item.id]
    await broker.close()
    assert integrity(path) == "ok"


async def test_many_publishers_on_a_full_disk(disk: Path) -> None:
    """One transaction for all of them fails; what each was told is true nevertheless."""
    path = disk / "queue.db"
    broker = await open_broker(path, Options(reserve=0))
    lists = await asyncio.gather(*(publish_until_full(broker, Place.SCREEN) for _ in range(40)))
    taken = [message_id for each in lists for message_id in each]
    assert sorted(await kept(path, Place.SCREEN)) == sorted(taken)
    await broker.close()
    assert integrity(path) == "ok"
    enlarge(disk)
    reopened = await open_broker(path, Options(reserve=0))
    assert len(await take(reopened, Place.SCREEN, len(taken), prefetch=2 * len(taken))) == len(taken)
    await reopened.close()


async def test_acknowledgements_wait_for_space(disk: Path) -> None:
    """An ack that cannot be written is neither forgotten nor lost: it is told when it is durable."""
    path = disk / "queue.db"
    broker = await open_broker(path, Options(reserve=0))
    await broker.publish([to(Place.SCREEN) for _ in range(200)])
    found = await take(broker, Place.SCREEN, 200, prefetch=200)
    fill(disk)
    acknowledging = asyncio.gather(*(each.ack() for each in found))
    with pytest.raises(BrokerFull):
        await broker.publish([to(Place.SCREEN, make_message(content=os.urandom(MIB)))])
    for _ in range(10):  # trouble lasts as long as its cause: nobody is invited to try again
        assert broker.trouble() is not None
        await asyncio.sleep(0.1)
    enlarge(disk)
    async with asyncio.timeout(PATIENCE):
        await acknowledging
    assert await kept(path, Place.SCREEN) == []
    await broker.close()
    assert integrity(path) == "ok"


async def test_the_reserve_is_for_what_empties_the_queue(disk: Path) -> None:
    """New mail is refused early, retries and leases go on, and emptying the queue ends it: nobody has to free space."""
    path = disk / "queue.db"
    broker = await open_broker(path, Options(reserve=2 * MIB))
    taken = await publish_until_full(broker, Place.SCREEN)
    assert "kept in reserve" in str(broker.trouble())
    await broker.publish([to(Place.REDELIVER, make_message(content=os.urandom(200_000)))])
    found = await take(broker, Place.SCREEN, len(taken), prefetch=len(taken))
    await asyncio.gather(*(each.ack() for each in found))
    await until(lambda: broker.trouble() is None, "trouble is over")
    await broker.publish([to(Place.SCREEN)])
    await broker.close()
    assert integrity(path) == "ok"
