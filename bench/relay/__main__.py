"""`make bench`: smtp-source -> relay -> smtp-sink, Sluice on both brokers next to Debian's Postfix as the same relay.

Every system runs in one go on one machine, one at a time under load, rounds interleaved so that a noisy neighbour
hits all of them; the table shows medians, their range, and the ratio to Postfix in the same run.
"""

import argparse
import contextlib
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.relay.load import Incomplete, Round, Shape, measure
from bench.relay.postfix import Postfix
from bench.relay.sluice import OnRabbitmq, OnSqlite
from tests.support.ports import free_port


class System(Protocol):
    """A relay that takes mail on `port` and sends it all to `sink_port`."""

    name: str
    port: int
    sink_port: int

    def start(self) -> None:
        """Start it; return once it takes mail."""
        ...

    def stop(self) -> None:
        """Stop it."""
        ...

    def roots(self) -> tuple[list[int], list[int]]:
        """Return the process ids of relay and broker."""
        ...


SYSTEMS: dict[str, Callable[[Path, int, int], System]] = {
    "postfix": Postfix,
    "sqlite": OnSqlite,
    "rabbitmq": OnRabbitmq,
}


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(prog="bench/relay", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=2000, help="messages a round (default 2000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each system (default 3)")
    parser.add_argument("--sessions", type=int, default=20, help="sessions at a time (default 20)")
    parser.add_argument("--size", type=int, default=4096, help="octets of each body (default 4096)")
    parser.add_argument("--keep", action="store_true", help="many messages a session, not one")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), help="which to run")
    return parser.parse_args(argv)


def run(systems: Sequence[System], rounds: int, shape: Shape, console: Console) -> dict[str, list[Round]]:
    """Warm every system up, then measure in turn; a system whose mail does not arrive keeps the rounds it had."""
    results: dict[str, list[Round]] = {system.name: [] for system in systems}
    warm_up = shape._replace(messages=max(100, shape.messages // 10))
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=(rounds + 1) * len(systems))
        for number in range(rounds + 1):
            for system in systems:
                progress.update(task, description=f"{system.name}, {f'round {number}' if number else 'warm-up'}")
                try:
                    result = measure(system.port, system.sink_port, shape if number else warm_up, system.roots())
                except Incomplete as error:
                    console.print(f"{system.name}: {error}")
                else:
                    results[system.name] += [result] if number else []
                progress.advance(task)
    return results


def table(results: dict[str, list[Round]], shape: Shape) -> Table:
    """Return medians, ranges and ratios; CPU time is a message's."""
    kept = "kept sessions" if shape.keep else "one message a session"
    shown = Table(title=f"{shape.messages} messages of {shape.size} octets, {shape.sessions} sessions, {kept}")
    shown.add_column("relay")
    for heading in ("accepted\n/s", "delivered\n/s", "range", "to\nPostfix", "CPU\nms", "broker\nCPU ms"):
        shown.add_column(heading, justify="right")
    peer = results.get(Postfix.name)
    for name, rounds in results.items():
        if not rounds:
            shown.add_row(name, *["-"] * 6)
            continue
        delivered = [one.delivered for one in rounds]
        middle = statistics.median(delivered)
        broker = statistics.median(one.broker_cpu for one in rounds)
        shown.add_row(
            name,
            f"{statistics.median(one.accepted for one in rounds):,.0f}",
            f"{middle:,.0f}",
            f"{min(delivered):,.0f}-{max(delivered):,.0f}",
            f"{middle / statistics.median(one.delivered for one in peer):.2f}" if peer else "-",
            f"{statistics.median(one.cpu for one in rounds):.2f}",
            f"{broker:.2f}" if broker else "-",
        )
    return shown


def main(argv: Sequence[str]) -> int:
    """Run the benchmark; 1 if a tool is missing or a round lost mail."""
    options = arguments(argv)
    console = Console()
    missing = [tool for tool in ("smtp-source", "smtp-sink", "postfix") if shutil.which(tool) is None]
    if missing:
        console.print(f"bench: {', '.join(missing)} not found; install Postfix: apt-get install postfix")
        return 1
    shape = Shape(options.messages, options.sessions, options.size, options.keep)
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-bench-")))
        root.chmod(0o755)  # Postfix's daemons run as another user
        systems: list[System] = []
        for name in options.systems:
            system = SYSTEMS[name](root / name, free_port(), free_port())
            stack.callback(system.stop)
            system.start()
            systems.append(system)
        results = run(systems, options.rounds, shape, console)
    console.print(table(results, shape))
    return 0 if all(len(rounds) == options.rounds for rounds in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
