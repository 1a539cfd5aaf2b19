"""What the writer does between transactions: watch the disk and other processes, purge, shrink the file."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from shared.broker.sqlite import store
from shared.clock import Clock

PURGE_EVERY = 600.0
"""Seconds between looks for quarantined mail that is past its time."""
PURGE_LIMIT = 200
"""Bodies purged in one round, so that mail never waits for it long; more follow in the next round."""
SHRINK_ABOVE = 64 * 1024**2
"""Octets of free pages that the file keeps for itself; beyond them it shrinks, a step a round."""
SHRINK_PAGES = 2000


class Space(NamedTuple):
    """Room for new mail, in octets: free pages in the file and free space on its disk."""

    free: int
    reserve: int

    def lacks(self, octets: int) -> bool:
        """Return whether `octets` more would use what is kept for emptying the queue: leases, retries, reports.

        They are written twice: to the write-ahead log, and from there to the file.
        """
        return self.reserve > 0 and self.free - 2 * octets < self.reserve


class Housekeeper:
    """A round is `tick`, in the writer's thread; the rest may be read from anywhere."""

    def __init__(
        self, path: Path, *, reserve: int, retention: float, changed: Callable[[], None], clock: Clock
    ) -> None:
        self._directory = path.resolve().parent
        self._reserve = reserve
        self._retention = retention
        self._changed = changed
        self._clock = clock
        self._data_version: int | None = None
        self._next_purge = 0.0
        self.space = Space(free=reserve, reserve=reserve)

    def tick(self, connection: sqlite3.Connection) -> None:
        """Do one round: `changed` is called when another connection has written."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        if version != self._data_version:
            self._data_version = version
            self._changed()
        self._measure_and_shrink(connection)
        if time.monotonic() >= self._next_purge:
            kept_since = self._clock() - self._retention
            connection.execute("BEGIN IMMEDIATE")
            try:
                purged = store.purge(connection, kept_since, PURGE_LIMIT)
                connection.execute("COMMIT")
            except sqlite3.Error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            if purged < PURGE_LIMIT:
                self._next_purge = time.monotonic() + PURGE_EVERY

    def _measure_and_shrink(self, connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        disk = os.statvfs(self._directory)
        self.space = Space(pages * size + disk.f_bavail * disk.f_frsize, self._reserve)
        if pages * size > SHRINK_ABOVE and not self.space.lacks(0):
            connection.execute(f"PRAGMA incremental_vacuum({SHRINK_PAGES})").fetchall()
