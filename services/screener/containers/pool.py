"""Worker processes that look into attachments: capped, used again, replaced after a crash; a crash is a verdict."""

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec

from services.screener.containers.budget import Limits
from services.screener.containers.contents import Contents
from services.screener.containers.worker import ANSWER, LENGTHS, OVER, READY, Job, receive
from shared.errors import SluiceError

_BY_OTHERS = (-signal.SIGKILL, -signal.SIGTERM)
"""Ends that nothing in an attachment brings about: the administrator's, or the kernel's when all memory is used up."""
_STARTING = 60.0
"""Seconds that a worker may take to start."""
_LEAVING = 0.2
"""Seconds that a process whose socket is closed has to end before it is killed."""

Look = Callable[[bytes, Sequence[str]], Contents]
"""From an attachment and its names to what is in it."""


class Caps(NamedTuple):
    """What workers may take."""

    memory: int = 768 * 1024 * 1024
    """Octets of address space of one worker."""
    cpu: float = 10.0
    """Seconds of CPU time for one attachment."""
    wall: float = 15.0
    """Seconds for all attachments of one message, waiting for a worker not counted."""
    answer: int = 16 * 1024 * 1024
    """Octets that may be said of one attachment."""
    jobs: int = 1000
    """After so many a worker is replaced, whatever it may have gathered."""


class WorkerNotStarted(SluiceError):  # noqa: N818  (what happened, as its message says)
    """No worker can be started: whatever needs one waits, and no attachment is to blame."""


def size_for(processors: int | None) -> int:
    """Return how many workers there are at most, where nothing else is said; None: nobody knows of processors."""
    return min(4, max(2, processors or 2))


class Pool:
    """Blocking, for threads: `threads` has as many as there may be workers at a time. Workers start when needed."""

    def __init__(
        self,
        size: int = 0,
        caps: Caps = Caps(),  # noqa: B008  (a value)
        limits: Limits = Limits(),  # noqa: B008  (a value)
        *,
        module: str = "",
    ) -> None:
        self.threads = ThreadPoolExecutor(size or size_for(os.cpu_count()), "containers")
        self._caps = caps
        self._limits = limits
        self._module = module or "services.screener.containers.worker"
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._closed = False

    def for_message(self) -> Look:
        """Return what looks into the attachments of one message; those left when its time is used up are over limit.

        The same attachment again, for other recipients say, costs nothing.
        """
        left = self._caps.wall
        known: dict[tuple[bytes, tuple[str, ...]], Contents] = {}

        def look(octets: bytes, names: Sequence[str]) -> Contents:
            nonlocal left
            key = (hashlib.sha256(octets).digest(), tuple(names))
            if key not in known:
                started = time.monotonic()
                known[key] = self._look(octets, names, left) if left > 0 else OVER
                left -= time.monotonic() - started
            return known[key]

        return look

    def _look(self, octets: bytes, names: Sequence[str], wall: float) -> Contents:
        """Try a second worker if the first one was killed from outside, which is no fault of the attachment."""
        job = Job(tuple(names), self._limits, self._caps.cpu)
        until = time.monotonic() + wall
        for _ in range(2):
            worker = self._take()
            contents = worker.ask(job, octets, until, self._caps.answer)
            if contents is not None:
                self._give_back(worker)
                return contents
            if worker.kill() not in _BY_OTHERS:
                break
        return OVER

    def close(self) -> None:
        """End every worker that is idle; one at work ends with its job, or with this process."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.kill()
        self.threads.shutdown(wait=False, cancel_futures=True)

    def _take(self) -> "_Worker":
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Worker(self._module, self._caps.memory)

    def _give_back(self, worker: "_Worker") -> None:
        with self._lock:
            if not self._closed and not worker.spent and worker.jobs < self._caps.jobs:
                self._idle.append(worker)
                return
        worker.kill()


class _Worker:
    """One process and the socket to it."""

    def __init__(self, module: str, memory: int) -> None:
        self.jobs = 0
        self.spent = False
        """Its answer was not read to the end."""
        self._socket, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603  (our own module, by our own interpreter)
                    [sys.executable, "-m", module, str(memory)],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={
                        name: value
                        for name, value in os.environ.items()
                        if name in {"PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "HOME"}
                    },
                    start_new_session=True,
                )
            except OSError as error:
                self._socket.close()
                raise WorkerNotStarted(f"worker for attachments: {error}") from error
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        self._socket.settimeout(_STARTING)
        try:
            ready = self._socket.recv(1) == READY
        except OSError:
            ready = False
        if not ready:
            raise WorkerNotStarted(f"worker for attachments: ended at its start, status {self.kill()}")

    def ask(self, job: Job, octets: bytes, until: float, most: int) -> Contents | None:
        """Return the answer, or None: it crashed, took too long, or said too much."""
        self.jobs += 1
        header = msgspec.msgpack.encode(job)
        try:
            self._socket.settimeout(max(0.001, until - time.monotonic()))
            self._socket.sendall(LENGTHS.pack(len(header), len(octets)) + header)
            self._socket.sendall(octets)
            (length,) = ANSWER.unpack(self._receive(ANSWER.size, until))
            if length > most:
                self.spent = True
                return OVER
            return msgspec.msgpack.decode(self._receive(length, until), type=Contents)
        except (OSError, EOFError, msgspec.MsgspecError):
            return None

    def _receive(self, octets: int, until: float) -> bytes:
        self._socket.settimeout(max(0.001, until - time.monotonic()))
        return receive(self._socket, octets)

    def kill(self) -> int | None:
        """End the process; return how it had ended by itself, if it had."""
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(_LEAVING)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        return None
