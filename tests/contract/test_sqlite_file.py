"""The queue file itself: what it refuses, what it keeps private, what it forgets in time."""

import asyncio
import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared import wire
from shared.broker.decision import Decided, decision, encode
from shared.broker.sqlite import Options, open_broker, open_operator, path_of, schema, store
from shared.broker.topology import LARGE, QUARANTINE_INDEX, bucket_queue, twin
from shared.errors import BrokerUnavailable, ConfigError, MessageTooLarge
from shared.model import Place
from tests.contract.harness import PATIENCE, take, until
from tests.support.messages import make_item, make_message, to

NOW = 1_700_000_000.0
DAY = 86400.0


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///queue.db", "queue.db"),
        ("sqlite:///var/queue.db", "var/queue.db"),
        ("sqlite:////var/lib/sluice/queue.db", "/var/lib/sluice/queue.db"),
        ("sqlite:///a b%20c.db", "a b%20c.db"),
    ],
)
def test_urls(url: str, path: str) -> None:
    """Three slashes and a relative path, four and an absolute one; a name is taken as it is."""
    assert path_of(url) == Path(path)


@pytest.mark.parametrize(
    "url",
    [
        *("", "queue.db", "sqlite:", "sqlite://", "sqlite:///", "sqlite:////", "sqlite://queue.db", "sqlite:///dir/"),
        *("sqlite:///:memory:", "sqlite:///a\0b", "amqp://localhost/", "SQLITE:///queue.db", " sqlite:///queue.db"),
    ],
)
def test_what_is_no_url_of_a_queue_file(url: str) -> None:
    """The error says how to write one."""
    with pytest.raises(ConfigError, match=r"write sqlite:///queue[.]db"):
        path_of(url)


@pytest.mark.parametrize(
    ("place", "size", "not_before", "expected"),
    [
        (Place.SCREEN, 10, None, (Place.SCREEN, NOW)),
        (Place.SCREEN, LARGE + 1, None, (twin(Place.SCREEN), NOW)),
        (Place.SCREEN, 10, NOW, (Place.SCREEN, NOW)),
        (Place.SCREEN, 10, NOW - 1, (Place.SCREEN, NOW)),
        (Place.SCREEN, 10, NOW + 1, (Place.SCREEN, NOW + 1)),
        (Place.DELIVER, 10, None, (Place.DELIVER, NOW)),
        (Place.DELIVER, 10, NOW + 1, (Place.REDELIVER, NOW + 1)),
        (Place.REDELIVER, 10, NOW + 1, (Place.REDELIVER, NOW + 1)),
        (Place.REDELIVER, LARGE + 1, NOW + 1, (twin(Place.REDELIVER), NOW + 1)),
        (Place.DEAD, LARGE + 1, NOW + 1, (Place.DEAD, NOW)),
        (Place.QUARANTINE, LARGE + 1, NOW + 1, (bucket_queue(int(NOW // DAY)), NOW)),
    ],
)
def test_destinations(place: Place, size: int, not_before: float | None, expected: tuple[str, float]) -> None:
    """The same queues as on RabbitMQ, a due time instead of a ladder."""
    assert store.destination(place, size, not_before, NOW) == expected


async def test_the_file_is_durable_and_private(tmp_path: Path) -> None:
    """It holds people's mail: nobody else may read it, nor its companions."""
    path = tmp_path / "queue.db"
    old = os.umask(0)
    try:
        broker = await open_broker(path)
        await broker.publish([to(Place.SCREEN)])
        await broker.subscribe(Place.DELIVER, 1)
    finally:
        os.umask(old)
    files = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert files == dict.fromkeys(("queue.db", "queue.db-wal", "queue.db-shm", "queue.db.lock"), 0o600)
    await broker.close()
    with contextlib.closing(schema.connect(path, 1, create=False)) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def write_text(path: Path) -> None:
    path.write_text("not a database, but long enough to look like one\n" * 100)


def write_foreign(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")


def write_newer(path: Path) -> None:
    schema.connect(path, 1, create=True).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")


def make_directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("prepare", "error", "said"),
    [
        (write_text, ConfigError, "not a queue file of ours: choose another file"),
        (write_foreign, ConfigError, "a database of another program: choose another file"),
        (write_newer, ConfigError, "this release knows 1: use the later release"),
        (make_directory, BrokerUnavailable, "cannot be opened"),
    ],
)
async def test_files_that_are_not_ours_are_left_alone(
    tmp_path: Path, prepare: Callable[[Path], None], error: type[Exception], said: str
) -> None:
    """The error names the file and what to do; the file is as it was."""
    path = tmp_path / "queue.db"
    prepare(path)
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(error, match=f"{path}: .*{said}"):
        await open_broker(path)
    assert (None if path.is_dir() else path.read_bytes()) == before


async def test_missing_directory_and_missing_file(tmp_path: Path) -> None:
    """Only a relay makes the file; a look at a queue that was never there is a mistake in the configuration."""
    with pytest.raises(ConfigError, match=r"the directory .*/none does not exist: create it"):
        await open_broker(tmp_path / "none" / "queue.db")
    with pytest.raises(ConfigError, match="no such queue file: check `broker`"):
        await open_operator(tmp_path / "queue.db")
    assert list(tmp_path.iterdir()) == []


async def test_too_large(tmp_path: Path) -> None:
    """No retry helps: the sender is told so."""
    broker = await open_broker(tmp_path / "queue.db", Options(max_octets=1000))
    await broker.publish([to(Place.SCREEN)])
    with pytest.raises(MessageTooLarge, match="octets, the queue file takes 1000"):
        await broker.publish([to(Place.SCREEN), to(Place.SCREEN, make_message(content=b"x" * 1000))])
    assert len(await take(broker, Place.SCREEN, 1)) == 1
    await broker.close()


async def test_quarantine_is_purged_after_its_time_and_nothing_else(tmp_path: Path) -> None:
    """By the relay, on its own; parked and waiting mail stays for ever."""
    path = tmp_path / "queue.db"
    old = await open_broker(path, Options(clock=lambda: time.time() - 31 * DAY))
    await old.publish([to(place) for place in (Place.QUARANTINE, Place.DEAD, Place.SCREEN, Place.REDELIVER)])
    await old.note(QUARANTINE_INDEX, "id", encode(decision(make_message(), Decided.DELETED, "olga", 0)))
    await old.close()
    recent = await open_broker(path, Options(clock=lambda: time.time() - 29 * DAY, retention=1000 * DAY))
    await recent.publish([to(Place.QUARANTINE)])
    await recent.close()
    operator = await open_operator(path, Options(create=False, retention=1000 * DAY))
    assert [each.by async for each in operator.decisions()] == ["olga"]
    relay = await open_broker(path, Options(retention=30 * DAY))

    async def purged() -> bool:
        depths = await operator.depths()
        return sum(each.ready for each in depths if each.queue.startswith("mail.quarantine.")) == 1

    await until(purged, "the old one is gone")
    assert [each async for each in operator.decisions()] == []
    ready = {each.queue: each.ready for each in await operator.depths() if each.ready}
    assert ready == {
        bucket_queue(int((time.time() - 29 * DAY) // DAY)): 1,
        Place.DEAD: 1,
        Place.SCREEN: 1,
        Place.REDELIVER: 1,
    }
    await relay.close()
    await operator.close()


async def test_late_commit_is_trouble(tmp_path: Path) -> None:
    """Another process keeps the file: after two seconds new mail is refused, and what waits is stored in the end."""
    path = tmp_path / "queue.db"
    broker = await open_broker(path, Options(busy_timeout=PATIENCE))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        publishing = asyncio.create_task(broker.publish([to(Place.SCREEN)]))
        await until(lambda: broker.trouble() is not None, "trouble is told")
        assert "a commit has been on its way for more than 2 s" in str(broker.trouble())
        other.execute("ROLLBACK")
    await publishing
    assert broker.trouble() is None
    await broker.close()
    assert "closed" in str(broker.trouble())


async def test_a_publish_that_waits_too_long_is_unavailable(tmp_path: Path) -> None:
    """Its caller is not kept for ever by a disk that hangs."""
    path = tmp_path / "queue.db"
    broker = await open_broker(path, Options(busy_timeout=PATIENCE, confirm_timeout=0.1))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BrokerUnavailable, match="no commit within"):
            await broker.publish([to(Place.SCREEN)])
        other.execute("ROLLBACK")
    await broker.close()


async def test_mail_comes_in_the_order_it_was_due(tmp_path: Path) -> None:
    """First in, first out; what waited comes at its time."""
    path = tmp_path / "queue.db"
    broker = await open_broker(path)
    now = time.time()
    items = [make_item(not_before=now + wait) for wait in (0.9, 0.3, 0.6)]
    await broker.publish([to(Place.REDELIVER, make_message(item)) for item in items])
    found = await take(broker, Place.REDELIVER, 3)
    assert [wire.decode_item(each.body).id for each in found] == [items[index].id for index in (1, 2, 0)]
    assert time.time() >= now + 0.9
    await broker.close()


async def test_queries_use_their_index(tmp_path: Path) -> None:
    """A long queue must not slow a lease down."""
    with contextlib.closing(schema.connect(tmp_path / "queue.db", 1, create=True)) as connection:
        seen: list[str] = []
        connection.set_trace_callback(seen.append)
        connection.execute("BEGIN")
        store.lease(connection, Place.SCREEN, 5, NOW)
        store.after(connection, Place.DEAD, 0.0, 0)
        store.reclaim(connection)
        connection.execute("ROLLBACK")
        connection.set_trace_callback(None)
        queries = [statement for statement in seen if "item" in statement]
        assert len(queries) >= 4
        for statement in queries:
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
            assert not any(step.startswith("SCAN item") and "INDEX leased" not in step for step in plan), statement
            assert not any("TEMP B-TREE" in step for step in plan), statement
