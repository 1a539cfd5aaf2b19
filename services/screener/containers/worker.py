"""A worker process: looks into attachments one after the other, under limits of the system, until its parent goes.

The parent passes a socket as standard input. A job is two lengths, a Job as msgpack, the attachment; an answer is
a length and Contents as msgpack.
"""

import contextlib
import resource
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from services.screener.containers.budget import Limits
from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.member import Sign

LENGTHS = struct.Struct("!IQ")
ANSWER = struct.Struct("!Q")
READY = b"\1"
"""What a worker says first: one that never does cannot be started at all, which is no fault of an attachment."""
OVER = Contents((), frozenset({Sign.OVER_LIMIT}))


class Job(msgspec.Struct, frozen=True):
    """What is looked into, and what it may cost."""

    names: tuple[str, ...]
    limits: Limits
    cpu: float
    """Seconds of CPU time; the kernel ends a process that takes more."""


def receive(sock: socket.socket, octets: int) -> bytes:
    """Return exactly so many octets. Raise EOFError if the peer goes before."""
    target = bytearray(octets)
    view = memoryview(target)
    while view:
        count = sock.recv_into(view, min(len(view), 1 << 20))
        if not count:
            raise EOFError
        view = view[count:]
    return bytes(target)


def main(memory: int, look: Callable[[bytes, Sequence[str], Limits], Contents] = look_inside) -> None:
    """Serve jobs from standard input."""
    with contextlib.suppress(OSError):  # where memory is used up, a worker goes before the screener does
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    for what, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
    with socket.socket(fileno=0) as sock:
        sock.sendall(READY)
        while True:
            try:
                header, size = LENGTHS.unpack(receive(sock, LENGTHS.size))
            except EOFError:
                return
            job = msgspec.msgpack.decode(receive(sock, header), type=Job)
            answer = msgspec.msgpack.encode(_done(job, receive(sock, size), look))
            sock.sendall(ANSWER.pack(len(answer)) + answer)


def _done(job: Job, octets: bytes, look: Callable[[bytes, Sequence[str], Limits], Contents]) -> Contents:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + job.cpu) + 1, hard))
    try:
        return look(octets, job.names, job.limits)
    except (MemoryError, RecursionError):
        return OVER


if __name__ == "__main__":
    main(int(sys.argv[1]))
