"""One process at a time takes bodies from a queue file: whoever holds the lock beside it.

The kernel gives the lock back when its holder dies, so leases of an earlier holder are known to be dead.
"""

import contextlib
import fcntl
import os
import threading
import time
from pathlib import Path

from shared.errors import BrokerUnavailable, SluiceError

_PATIENCE = 0.5
"""Seconds to try for: `holder` holds the lock for an instant to see who has it."""


class StoreInUse(SluiceError):  # noqa: N818  (a state, as the other errors of the broker)
    """Another process takes bodies from this queue file."""


class ConsumerLock:
    """The present process's lock on a queue file, shared by the brokers that it has opened on it."""

    _held: dict[Path, "ConsumerLock"] = {}  # noqa: RUF012  (a process is what holds the lock, so this is its state)
    _guard = threading.Lock()

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._users = 0

    @classmethod
    def acquire(cls, database: Path) -> tuple["ConsumerLock", bool]:
        """Return the lock, and whether this process has only now become its holder. Raise StoreInUse."""
        path = lock_file(database)
        with cls._guard:
            lock = cls._held.get(path)
            first = lock is None
            if lock is None:
                lock = cls._held[path] = cls(path, _take(path, database))
            lock._users += 1
            return lock, first

    def release(self) -> None:
        """Give the lock back once per `acquire`."""
        with self._guard:
            self._users -= 1
            if self._users == 0:
                del self._held[self._path]
                os.close(self._descriptor)


def lock_file(database: Path) -> Path:
    """Return the lock file of a queue file."""
    return Path(f"{database.resolve()}.lock")


def holder(database: Path) -> int | None:
    """Return the process that takes bodies from the file now, or None."""
    try:
        descriptor = os.open(lock_file(database), os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return _pid(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def _take(path: Path, database: Path) -> int:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise BrokerUnavailable(f"{path}: the lock of {database} cannot be opened: {error.strerror}") from error
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() < give_up:
                time.sleep(0.02)
                continue
            pid = _pid(descriptor)
            os.close(descriptor)
            raise StoreInUse(
                f"{database}: process {pid or '(unknown)'} is taking mail from this queue file (it holds {path}): "
                "stop it, or use another file"
            ) from error
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same, only its error is less helpful
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor


def _pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 20, 0).strip()
    return int(text) if text.isdigit() else None
