"""What both systems meet: the domains, their name server and their mail servers, and the mail for them."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Self

from bench.delivery.names import domain
from bench.delivery.sink import MARK, Seen
from tests.support.ports import free_port
from tests.support.processes import ROOT

HEADER = "From: list@bench.example\r\nTo: {recipient}\r\nSubject: number {number}\r\n{mark}{number}\r\n\r\n"
LINE = b"The quick brown fox jumps over the lazy dog, and the lazy dog does not mind.\r\n"


class Shape(NamedTuple):
    """What a run delivers."""

    messages: int
    domains: int
    size: int
    """Octets of each body."""
    seconds: float
    """How long a server takes to answer the final dot."""


class Mail(NamedTuple):
    """One message."""

    recipient: str
    content: bytes


def mail(shape: Shape) -> list[Mail]:
    """Return the mail, the same in every run, in an order that favours no domain."""
    body = (LINE * (shape.size // len(LINE) + 1))[: shape.size - 2] + b"\r\n"
    made = []
    for number in range(shape.messages):
        recipient = f"reader{number}@{domain(number % shape.domains)}"
        header = HEADER.format(recipient=recipient, number=number, mark=MARK.decode())
        made.append(Mail(recipient, header.encode() + body))
    random.Random(4).shuffle(made)
    return made


class Neighbours:
    """A fresh process of mail servers and a name server for one run. Use as a context manager."""

    def __init__(self, shape: Shape, port: int) -> None:
        self.port = port
        self._shape = shape
        self._names = free_port()
        self.nameserver = f"127.0.0.1:{self._names}"
        self._sink: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bench.delivery.sink"]
        command += [str(self.port), str(self._names), str(self._shape.seconds)]
        self._sink = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.seen()
        return self

    def __exit__(self, *_: object) -> None:
        self._sink.kill()
        self._sink.wait()

    @property
    def pid(self) -> int:
        """The mail servers' process."""
        return self._sink.pid

    def seen(self) -> Seen:
        """Return what the mail servers have seen; the first call returns once they listen."""
        assert self._sink.stdin is not None
        assert self._sink.stdout is not None
        self._sink.stdin.write(b"\n")
        self._sink.stdin.flush()
        return Seen(**json.loads(self._sink.stdout.readline()))


def memory(pids: list[int]) -> int:
    """Return the processes' memory in octets, what they share counted once (proc(5), smaps_rollup)."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # ended meanwhile
        total += next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
    return total
