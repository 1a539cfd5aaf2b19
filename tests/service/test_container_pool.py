"""Worker processes for attachments: used again, capped, replaced; whatever happens to them is a verdict."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.screener.containers.contents import Contents
from services.screener.containers.member import Sign
from services.screener.containers.pool import Caps, Pool, WorkerNotStarted, size_for
from services.screener.containers.worker import OVER
from tests.support import archive_samples as archives
from tests.support.mail_samples import EXE

CAPS = Caps(memory=512 * 1024 * 1024, cpu=1.0, wall=20.0, answer=1_000_000)
CHILD = "tests.support.container_child"


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(2, CAPS, module=CHILD)
    yield pool
    pool.close()


def pid(contents: Contents) -> int:
    return int(contents.inside[0].path)


def test_a_worker_is_used_again_and_says_what_it_saw(pool: Pool) -> None:
    look = pool.for_message()
    first, second = look(b"one", ("a", "b")), look(b"second" * 1_000_000, ())
    assert pid(first) == pid(second) != os.getpid()
    assert (first.inside[0].names, second.inside[0].size) == (("a", "b"), 6_000_000)


@pytest.mark.parametrize("what", [b"crash", b"leave", b"spin", b"hog", b"talk"])
def test_what_happens_to_a_worker_is_over_the_limit_and_the_next_attachment_is_seen(pool: Pool, what: bytes) -> None:
    look = pool.for_message()
    assert look(what, ()) == OVER
    assert look(b"next", ()).inside[0].size == 4


def test_an_attachment_that_brings_a_worker_down_is_given_to_no_other(pool: Pool, tmp_path: Path) -> None:
    assert pool.for_message()(b"mark and crash", (str(tmp_path),)) == OVER
    assert len(list(tmp_path.iterdir())) == 1


def test_a_worker_that_hangs_is_ended_and_the_message_has_no_time_left() -> None:
    pool = Pool(2, CAPS._replace(wall=1.0), module=CHILD)
    try:
        look = pool.for_message()
        assert look(b"hang", ()) == OVER
        assert look(b"next", ()) == OVER
        assert pool.for_message()(b"another message", ()).inside
    finally:
        pool.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_killed_from_outside_costs_no_verdict(pool: Pool, how: signal.Signals) -> None:
    look = pool.for_message()
    first = pid(look(b"one", ()))
    os.kill(first, how)
    assert pid(look(b"two", ())) != first


def test_a_worker_is_replaced_after_its_jobs() -> None:
    pool = Pool(1, CAPS._replace(jobs=2), module=CHILD)
    try:
        look = pool.for_message()
        first, second, third = (pid(look(b"x" * n, ())) for n in range(3))
        assert first == second != third
    finally:
        pool.close()


def test_the_same_attachment_is_looked_into_once_for_a_message(pool: Pool) -> None:
    look = pool.for_message()
    assert look(b"same", ("a",)) is look(b"same", ("a",))
    assert look(b"same", ("a",)) is not look(b"same", ("b",))


def test_many_messages_at_once(pool: Pool) -> None:
    def one(number: int) -> bool:
        octets = b"crash" if number % 5 == 0 else b"x" * number
        contents = pool.for_message()(octets, ())
        return contents == OVER if number % 5 == 0 else contents.inside[0].size == number

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(one, range(40)))


def test_a_worker_that_cannot_be_started_is_a_failure_of_ours() -> None:
    """Else a broken installation would send every archive to quarantine."""
    pool = Pool(1, module="tests.support.no_such_module")
    try:
        with pytest.raises(WorkerNotStarted, match="ended at its start"):
            pool.for_message()(b"x", ())
    finally:
        pool.close()


def test_an_interpreter_that_is_gone_is_a_failure_of_ours_too(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(WorkerNotStarted, match="No such file"):
        pool.for_message()(b"x", ())


@pytest.mark.parametrize(("processors", "workers"), [(None, 2), (1, 2), (3, 3), (8, 4)])
def test_there_are_as_many_workers_as_processors_within_bounds(processors: int | None, workers: int) -> None:
    assert size_for(processors) == workers


@pytest.mark.parametrize(("size", "threads"), [(0, 2), (5, 5)])
def test_there_are_as_many_threads_as_workers(size: int, threads: int) -> None:
    pool, together = Pool(size), threading.Barrier(threads)
    try:
        waits = [pool.threads.submit(together.wait, 20) for _ in range(threads)]
        assert sorted(wait.result() for wait in waits) == list(range(threads))
    finally:
        pool.close()


def test_closing_ends_the_workers(pool: Pool) -> None:
    worker = pid(pool.for_message()(b"x", ()))
    pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_worker_that_has_a_job_while_the_pool_is_closed_ends_with_it(pool: Pool) -> None:
    pool.close()
    worker = pid(pool.for_message()(b"x", ()))
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_knows_what_starts_it_and_no_secret(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_BROKER_PASSWORD", "hunter2")
    needed = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "HOME")
    for name in needed:
        monkeypatch.setenv(name, f"{os.environ.get(name, '/nothing')}:/nothing")
    worker = pid(pool.for_message()(b"x", ()))
    variables = Path(f"/proc/{worker}/environ").read_text().split("\0")
    assert "hunter2" not in "".join(variables)
    assert {f"{name}={os.environ[name]}" for name in needed} <= set(variables)


@pytest.mark.parametrize(
    ("octets", "sign"),
    [
        (archives.zip_of({"evil.exe": EXE}), None),
        (archives.overlapping_bomb(2000), Sign.OVER_LIMIT),
        (archives.gzip_of(archives.gzip_of(bytes(300_000_000))), Sign.OVER_LIMIT),
    ],
    ids=["zip", "overlapping", "gzip of gzip"],
)
def test_the_real_worker_has_enough_and_no_more(octets: bytes, sign: Sign | None) -> None:
    pool = Pool(1)
    try:
        contents = pool.for_message()(octets, ("a",))
        assert (sign in contents.signs) is (sign is not None)
        assert contents.inside
    finally:
        pool.close()
