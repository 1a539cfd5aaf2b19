"""`make bench-ingress`: the front door beside unmodified aiosmtpd, a bare protocol and Postfix's smtpd.

Every server is a process that runs throughout; the rounds are interleaved, so that a noisy neighbour hits all of
them; figures are medians. CPU is the server's own, from the kernel's scheduler.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.relay.load import cpu_seconds
from bench.relay.postfix import Postfix
from tests.support.ports import free_port

PYTHON = ("sluice", "aiosmtpd", "bare")
MB = 1_000_000
POSTFIX = "message_size_limit = 67108864\ndefault_transport = discard:\nrelayhost =\n"


class Server:
    """A running server: its port, and the process whose tree is its own."""

    def __init__(self, name: str, port: int, pid: int) -> None:
        self.name = name
        self.port = port
        self.pid = pid

    def resident(self) -> int:
        """Return the octets of resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return 1024 * int(status.partition("VmRSS:")[2].split()[0])

    def cpu(self) -> float:
        """Return the CPU seconds so far; those of one process to the nanosecond, of Postfix' tree to the tick."""
        if self.name == "postfix":
            return cpu_seconds([self.pid])
        return (
            sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{self.pid}/task").glob("*/schedstat")) / 1e9
        )


@contextlib.contextmanager
def python_server(name: str, log: Path) -> Iterator[Server]:
    """Run one of the Python servers."""
    command = [sys.executable, "-m", "bench.ingress.servers", name]
    with log.open("wb") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:
        try:
            assert process.stdout is not None
            yield Server(name, int(process.stdout.readline()), process.pid)
        finally:
            process.kill()


@contextlib.contextmanager
def postfix_server(root: Path) -> Iterator[Server]:
    """Run a private Postfix that discards what its smtpd took."""
    postfix = Postfix(root / "postfix", free_port(), free_port(), POSTFIX)
    postfix.start()
    try:
        yield Server("postfix", postfix.port, postfix.roots()[0][0])
    finally:
        postfix.stop()


def client(job: str, server: Server, *options: object) -> list[float]:
    """Run a load to its end and return the figures it prints."""
    command = [sys.executable, "-m", "bench.ingress.client", job, str(server.port), *map(str, options)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    return [float(word) for word in done.stdout.split()]


def small(server: Server, messages: int, *keep: str) -> float:
    """Return CPU microseconds a 4 KiB message."""
    before = server.cpu()
    client("upload", server, "--messages", messages, *keep)
    return (server.cpu() - before) / messages * 1e6


def large(server: Server, messages: int) -> float:
    """Return megabytes a second of 10 MB messages over one connection."""
    (seconds,) = client("upload", server, "--messages", messages, "--size", 10 * MB, "--keep")
    return messages * 10 / seconds


def noop_p99(server: Server, seconds: float) -> float:
    """Return the 99th percentile in milliseconds of NOOP's reply time while ten connections send 20 MB messages."""
    options = ["--sessions", "10", "--messages", "1000000", "--size", str(20 * MB), "--keep"]
    command = [sys.executable, "-m", "bench.ingress.client", "upload", str(server.port), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as upload:
        try:
            times = sorted(client("noop", server, "--seconds", seconds))
        finally:
            upload.kill()
    return times[int(len(times) * 0.99)] * 1000


def idle_kib(server: Server, sessions: int) -> float:
    """Return KiB of resident memory that each of so many idle sessions adds."""
    before = server.resident()
    command = [sys.executable, "-m", "bench.ingress.client", "idle", str(server.port), "--sessions", str(sessions)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        opened = int(holder.stdout.readline())
        grown = server.resident() - before
        holder.kill()
    return grown / opened / 1024


def measures(options: argparse.Namespace) -> dict[str, tuple[Sequence[str], Callable[[Server], float]]]:
    """Return each measure by its heading: who is measured, and how."""
    return {
        "new connections\nCPU µs/message": (PYTHON, lambda server: small(server, options.messages)),
        "kept connection\nCPU µs/message": (PYTHON, lambda server: small(server, options.messages, "--keep")),
        "10 MB messages\nMB/s": ((*PYTHON, "postfix"), lambda server: large(server, options.large)),
        "NOOP under bulk\np99 ms": (PYTHON, lambda server: noop_p99(server, options.seconds)),
    }


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(prog="bench/ingress", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measure (default 5)")
    parser.add_argument("--messages", type=int, default=1000, help="4 KiB messages a round (default 1000)")
    parser.add_argument("--large", type=int, default=5, help="10 MB messages a round (default 5)")
    parser.add_argument("--seconds", type=float, default=3, help="of NOOPs a round (default 3)")
    parser.add_argument("--idle", type=int, default=5000, help="idle sessions (default 5000)")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the benchmark."""
    options = arguments(argv)
    console = Console()
    todo = measures(options)
    results: dict[str, dict[str, list[float]]] = {heading: {} for heading in todo}
    memory: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-bench-")))
        root.chmod(0o755)  # Postfix's daemons run as another user
        servers = [stack.enter_context(python_server(name, root / f"{name}.log")) for name in PYTHON]
        servers.append(stack.enter_context(postfix_server(root)))
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("", total=(options.rounds + 1) * len(todo) + 1)
            for number in range(options.rounds + 1):
                for heading, (names, measure) in todo.items():
                    progress.update(task, description=f"round {number}, {heading.splitlines()[0]}")
                    for server in servers:
                        if server.name in names:
                            value = measure(server)
                            results[heading].setdefault(server.name, []).extend([value] if number else [])
                    progress.advance(task)
            for name in PYTHON:
                with python_server(name, root / f"{name}-idle.log") as server:
                    client("upload", server, "--messages", 100)
                    memory[name] = idle_kib(server, options.idle)
    console.print(table(results, memory, [*PYTHON, "postfix"]))
    return 0


def table(results: dict[str, dict[str, list[float]]], memory: dict[str, float], names: Sequence[str]) -> Table:
    """Return medians with the ratio of aiosmtpd's to each."""
    shown = Table(title="medians; in brackets the ratio to unmodified aiosmtpd in the same run")
    shown.add_column("server")
    for heading in (*results, "idle session\nKiB resident"):
        shown.add_column(heading, justify="right")
    for name in names:
        cells = []
        for values in results.values():
            if name not in values:
                cells.append("-")
                continue
            middle, peer = statistics.median(values[name]), statistics.median(values["aiosmtpd"])
            cells.append(f"{middle:,.1f} ({middle / peer:.2f})")
        shown.add_row(name, *cells, f"{memory[name]:.1f}" if name in memory else "-")
    return shown


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
