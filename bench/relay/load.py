"""One measured load: Postfix's smtp-source into a relay, Postfix's smtp-sink behind it, and the CPU time it took."""

import os
import re
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")


class Shape(NamedTuple):
    """What a round sends."""

    messages: int
    sessions: int
    size: int
    """Octets of each body."""
    keep: bool
    """Whether a session sends more than one message."""


class Round(NamedTuple):
    """What a round took."""

    accepted: float
    """Messages a second answered 250."""
    delivered: float
    """Messages a second from the first command sent to the last message at the sink."""
    cpu: float
    """CPU milliseconds a message, of the relay's own processes."""
    broker_cpu: float
    """The same of a broker in a process of its own."""


class Incomplete(Exception):  # noqa: N818  (an outcome to report)
    """The sink did not see every message in time."""


def sink_command(port: int, messages: int) -> list[str]:
    """Return the sink's command line: it counts, and exits once it has seen `messages`."""
    return ["smtp-sink", "-c", "-u", "nobody", "-m", "1000", "-M", str(messages), f"127.0.0.1:{port}", "1000"]


def source_command(port: int, shape: Shape) -> list[str]:
    """Return the load generator's command line."""
    return [
        "smtp-source",
        *(["-d"] if shape.keep else []),
        *("-s", str(shape.sessions), "-m", str(shape.messages), "-l", str(shape.size)),
        *("-f", "load@bench.example", "-t", "sink@destination.example", f"127.0.0.1:{port}"),
    ]


def measure(port: int, sink_port: int, shape: Shape, roots: tuple[Iterable[int], Iterable[int]]) -> Round:
    """Send one round through the relay on `port`; `roots` are the processes of relay and broker.

    Raise Incomplete if the messages are not at the sink within a second for every ten of them, a minute at least.
    """
    relay, broker = (list(pids) for pids in roots)
    with subprocess.Popen(sink_command(sink_port, shape.messages), stdout=subprocess.PIPE, text=True) as sink:
        try:
            _wait_listening(sink_port)
            before = cpu_seconds(relay), cpu_seconds(broker)
            start = time.monotonic()
            subprocess.run(source_command(port, shape), check=True, capture_output=True, timeout=600)
            accepted = time.monotonic() - start
            sink.wait(max(60.0, shape.messages / 10))
            delivered = time.monotonic() - start
        except subprocess.TimeoutExpired as error:
            sink.terminate()
            counts = re.findall(r"mesg=(\d+)", sink.stdout.read() if sink.stdout else "")
            raise Incomplete(f"{counts[-1] if counts else 0} of {shape.messages} messages arrived") from error
        finally:
            sink.kill()
    after = cpu_seconds(relay), cpu_seconds(broker)
    relay_ms, broker_ms = ((b - a) * 1000 / shape.messages for a, b in zip(before, after, strict=True))
    return Round(shape.messages / accepted, shape.messages / delivered, relay_ms, broker_ms)


def _wait_listening(port: int) -> None:
    """Return once a socket listens on `port`, without connecting: smtp-sink would count the session."""
    wanted = f"0100007F:{port:04X}"
    deadline = time.monotonic() + 10
    while not any(
        fields[1] == wanted and fields[3] == "0A"
        for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines())
    ):
        if time.monotonic() > deadline:
            raise Incomplete(f"smtp-sink does not listen on 127.0.0.1:{port}")
        time.sleep(0.02)


def cpu_seconds(roots: Iterable[int]) -> float:
    """Return the CPU time of processes and all their descendants, those that ended and were waited for included."""
    stats = _stats()
    return sum(stats[pid][1] for pid in _family(roots, stats) if pid in stats) / TICKS


def descendants(roots: Iterable[int]) -> list[int]:
    """Return processes and all their descendants."""
    return sorted(_family(roots, _stats()))


def _family(roots: Iterable[int], stats: dict[int, tuple[int, int]]) -> set[int]:
    wanted, grown = set(roots), True
    while grown:
        more = {pid for pid, (parent, _) in stats.items() if parent in wanted} - wanted
        wanted |= more
        grown = bool(more)
    return wanted


def _stats() -> dict[int, tuple[int, int]]:
    """Return parent and CPU ticks of every process (proc(5), /proc/PID/stat)."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # ended meanwhile
            found[int(entry.name)] = int(fields[1]), sum(int(ticks) for ticks in fields[11:15])
    return found
