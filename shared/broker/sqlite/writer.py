"""The one thread that writes the queue file: whatever waits is committed together, with one fsync.

A job is a function of the connection. Jobs queue while a commit is on its way to the disk, and the next
transaction takes them all: the busier, the larger the batches (BROKER.md 35). A job's future resolves after the
commit, so a result that is seen is durable.
"""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from shared import log
from shared.broker.sqlite import store
from shared.broker.sqlite.errors import explain, is_busy
from shared.errors import BrokerError, BrokerUnavailable

MAX_JOBS = 1000
"""Jobs of one transaction, so that the first of them does not wait without end."""
MAX_OCTETS = 64 * 1024**2
"""Octets of bodies in one transaction."""
TICK = 0.25
"""Seconds between rounds of housekeeping, and between tries of what must not be given up."""

T = TypeVar("T")


class _Job(NamedTuple):
    run: Callable[[sqlite3.Connection], Any]
    future: "asyncio.Future[Any]"
    octets: int
    keep: bool


class _Failure(NamedTuple):
    error: BrokerError


class Writer:
    """A thread, its connection and its queue of jobs. `submit` belongs to the event loop that made it."""

    def __init__(self, path: Path, tick: Callable[[sqlite3.Connection], None]) -> None:
        self._path = path
        self._tick = tick
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._main, name=f"writer of {path}", daemon=True)
        self._connect: Callable[[], sqlite3.Connection] | None = None
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._log = log.get(queue_file=str(path))
        self.failure: BrokerError | None = None
        """Why the last transaction failed; None once the file has taken a write again."""

    @property
    def closed(self) -> bool:
        """True once it takes no more jobs."""
        return self._closing

    async def start(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Open the connection in the thread that will use it; raise what `connect` raises."""
        self._connect = connect
        self._thread.start()
        await self._opened

    def submit(
        self, run: Callable[[sqlite3.Connection], T], *, octets: int = 0, keep: bool = False
    ) -> "asyncio.Future[T]":
        """Run `run` in the next transaction; the future resolves once it is committed, or with a BrokerError.

        A future that is cancelled before its transaction began drops the job. With `keep` the job is tried until it
        is committed or the writer is closed, whoever waits: for what must not depend on a caller's patience.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        if self._closing:
            future.set_exception(BrokerUnavailable(f"{self._path}: closed"))
            return future
        with self._wake:
            self._jobs.append(_Job(run, future, octets, keep))
            self._wake.notify()
        return future

    async def close(self, *, finish: bool = True) -> None:
        """End the thread and close the file, after what is queued unless told not to `finish`."""
        with self._wake:
            self._closing = True
            if not finish:
                self._refuse(self._jobs)
            self._wake.notify()
        await self._ended

    # -- in the thread ------------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            connection = self._connect() if self._connect else None
        except BaseException as error:  # noqa: BLE001  (handed to whoever awaits start)
            self._post(_fail, self._opened, error)
            self._post(_resolve, [(self._ended, None)])
            return
        assert connection is not None  # noqa: S101  (start sets it before the thread exists)
        self._keep_house(connection)
        self._post(_resolve, [(self._opened, None)])
        try:
            self._work(connection)
        finally:
            connection.close()
            with self._wake:
                self._closing = True
                self._refuse(self._jobs)
            self._post(_resolve, [(self._ended, None)])

    def _work(self, connection: sqlite3.Connection) -> None:
        next_tick = 0.0
        while True:
            batch, closing = self._next()
            again = self._commit(connection, batch) if batch else []
            if closing and not batch:
                return
            if time.monotonic() >= next_tick:
                self._keep_house(connection)
                next_tick = time.monotonic() + TICK
            if again:
                self._wait_with(again)

    def _next(self) -> tuple[list[_Job], bool]:
        """Return what waits, within the limits of a transaction, or nothing after a TICK; and whether to end."""
        with self._wake:
            if not self._jobs and not self._closing:
                self._wake.wait(TICK)
            batch: list[_Job] = []
            octets = 0
            while self._jobs and len(batch) < MAX_JOBS and octets < MAX_OCTETS:
                job = self._jobs.popleft()
                octets += job.octets
                if job.keep or not job.future.cancelled():
                    batch.append(job)
            return batch, self._closing and not self._jobs

    def _wait_with(self, again: list[_Job]) -> None:
        """Put jobs that must not be given up back in front, and pause, unless the writer is to end."""
        with self._wake:
            if self._closing:
                self._refuse(again)
                return
            self._jobs.extendleft(reversed(again))
            self._wake.wait_for(lambda: self._closing, TICK)

    def _commit(self, connection: sqlite3.Connection, batch: list[_Job]) -> list[_Job]:
        """Run a batch in one transaction; if it fails, each of its jobs alone. Return those to try again."""
        try:
            results = _transact(connection, [job.run for job in batch])
        except sqlite3.Error as error:
            if len(batch) > 1 and not is_busy(error):
                return [job for each in batch for job in self._commit(connection, [each])]
            return self._give_up(batch, explain(error, self._path))
        except Exception as error:  # noqa: BLE001  (a defect in one job must not end the thread for all)
            if len(batch) > 1:
                return [job for each in batch for job in self._commit(connection, [each])]
            self._log.error("job failed", exc_info=True)
            return self._give_up([batch[0]._replace(keep=False)], BrokerUnavailable(f"{self._path}: {error!r}"))
        self._post(_resolve, [(job.future, result) for job, result in zip(batch, results, strict=True)])
        return []

    def _give_up(self, batch: list[_Job], error: BrokerError) -> list[_Job]:
        if self.failure is None:
            self._log.error("transaction failed", error=str(error))
        self.failure = error
        self._post(_resolve, [(job.future, _Failure(error)) for job in batch if not job.keep])
        return [job for job in batch if job.keep]

    def _keep_house(self, connection: sqlite3.Connection) -> None:
        try:
            if self.failure is not None:
                _transact(connection, [store.probe])
            self._tick(connection)
        except sqlite3.Error as error:
            if self.failure is None:
                self._log.error("housekeeping failed", error=str(error))
            self.failure = explain(error, self._path)
        else:
            if self.failure is not None:
                self._log.info("queue file works again")
            self.failure = None

    def _refuse(self, jobs: "deque[_Job] | list[_Job]") -> None:
        closed = _Failure(BrokerUnavailable(f"{self._path}: closed"))
        self._post(_resolve, [(job.future, closed) for job in jobs])
        jobs.clear()

    def _post(self, function: Callable[..., None], *args: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *args)


def _transact(connection: sqlite3.Connection, jobs: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
    """Return the jobs' results once they are committed together; on any error nothing of them is."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        results = [job(connection) for job in jobs]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return results


def _resolve(results: list[tuple["asyncio.Future[Any]", Any]]) -> None:
    for future, result in results:
        if future.done():
            continue
        if isinstance(result, _Failure):
            future.set_exception(type(result.error)(*result.error.args))  # one of its own: tracebacks grow
            future.exception()  # logged already: no second report if nobody waits
        else:
            future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
