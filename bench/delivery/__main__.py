"""`make bench-delivery`: a full queue for many domains whose servers are slow, beside Debian's Postfix.

Each system's queue is filled first; then it is let go, and the time counts from the first connection that the servers
see to the last final dot that they answer. Rounds are interleaved; figures are medians.
"""

import argparse
import contextlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.delivery.neighbours import Mail, Neighbours, Shape, mail, memory
from bench.delivery.postfix import Postfix, ThroughOneHop
from bench.delivery.sink import Seen
from bench.delivery.sluice import OnRabbitmq, Sluice
from bench.relay.load import cpu_seconds
from tests.support.ports import free_port

MIB = 1024**2
TURN = 0.2
PATIENCE = 60.0
"""Seconds without a message after which a round has failed."""


class System(Protocol):
    """What can be filled and let go."""

    name: str

    def set_up(self) -> None:
        """Start what runs all the time."""
        ...

    def fill(self, mail: Sequence[Mail], neighbours: Neighbours) -> None:
        """Queue the mail and send none of it."""
        ...

    def release(self) -> None:
        """Let it send."""
        ...

    def roots(self) -> list[int]:
        """Return its process ids."""
        ...

    def broker_roots(self) -> list[int]:
        """Return those of its broker, if that runs apart."""
        ...

    def settled(self) -> None:
        """Return when it has nothing more to do."""
        ...

    def tear_down(self) -> None:
        """Stop everything."""
        ...


SYSTEMS: dict[str, type[Postfix] | type[Sluice]] = {
    "postfix": Postfix,
    "one-hop": ThroughOneHop,
    "sqlite": Sluice,
    "rabbitmq": OnRabbitmq,
}


class Round(NamedTuple):
    """One drained queue."""

    seen: Seen
    rate: float
    """Messages a second."""
    cpu: float
    """CPU milliseconds a message."""
    broker_cpu: float
    memory: float
    """Most octets at a time."""


class Stuck(Exception):  # noqa: N818  (an outcome to report)
    """The servers have not got every message."""


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(prog="bench.delivery", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=5000, help="messages a round (default 5000)")
    parser.add_argument("--domains", type=int, default=500, help="how many domains they are for (default 500)")
    parser.add_argument("--size", type=int, default=4096, help="octets of each body (default 4096)")
    parser.add_argument("--seconds", type=float, default=1.0, help="until a final dot is answered (default 1)")
    parser.add_argument("--rounds", type=int, default=1, help="rounds of each system (default 1)")
    parser.add_argument(
        "--systems", nargs="+", choices=SYSTEMS, default=["postfix", "sqlite", "rabbitmq"], help="which to run"
    )
    parser.add_argument("--concurrency", type=int, help="[delivery] concurrency, in place of its default")
    return parser.parse_args(argv)


def measure(system: System, shape: Shape, progress: Progress, what: str) -> Round:
    """Fill and drain one queue. Raise Stuck if the servers get nothing for a minute."""
    task = progress.add_task(f"{what}: filling", total=shape.messages)
    try:
        with Neighbours(shape, free_port()) as neighbours:
            system.fill(mail(shape), neighbours)
            progress.update(task, description=f"{what}: draining")
            before = [cpu_seconds(system.broker_roots())]
            own = cpu_seconds(system.roots()) if isinstance(system, Postfix) else 0.0
            system.release()
            seen, most = _drain(system, neighbours, shape, lambda count: progress.update(task, completed=count))
            cpu = cpu_seconds(system.roots()) - own, cpu_seconds(system.broker_roots()) - before[0]
            system.settled()
            seen = neighbours.seen()
    finally:
        progress.remove_task(task)
    each, broker = (seconds * 1000 / shape.messages for seconds in cpu)
    return Round(seen, shape.messages / (seen.last - seen.first), each, broker, most)


def _drain(system: System, neighbours: Neighbours, shape: Shape, show: Callable[[int], None]) -> tuple[Seen, int]:
    most, last, since = 0, 0, time.monotonic()
    while (seen := neighbours.seen()).different < shape.messages:
        most = max(most, memory(system.roots()))
        show(seen.different)
        if seen.different > last:
            last, since = seen.different, time.monotonic()
        if time.monotonic() - since > PATIENCE:
            raise Stuck(f"{seen.different} of {shape.messages} messages arrived")
        time.sleep(TURN)
    return seen, most


def table(results: Mapping[str, list[Round]], shape: Shape) -> Table:
    """Return medians and the ratio to Postfix."""
    shown = Table(
        title=f"{shape.messages} messages of {shape.size} octets to {shape.domains} domains, "
        f"{shape.seconds:g} s to answer each final dot",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    shown.add_column("system", no_wrap=True)
    for heading in ("/s", "s", "to\nPostf.", "CPU\nms", "broker\nms", "MiB", "sess-\nions", "at\nonce", "to\none"):
        shown.add_column(heading, justify="right")
    peer = statistics.median(each.rate for each in results.get(Postfix.name) or ()) if results.get(Postfix.name) else 0
    for name, rounds in results.items():
        if not rounds:
            shown.add_row(name, *["-"] * 10)
            continue
        rate = statistics.median(each.rate for each in rounds)
        broker = statistics.median(each.broker_cpu for each in rounds)
        seen = rounds[-1].seen
        shown.add_row(
            name,
            f"{rate:,.0f}",
            f"{shape.messages / rate:.1f}",
            f"{rate / peer:.1f}" if peer else "-",
            f"{statistics.median(each.cpu for each in rounds):.2f}",
            f"{broker:.2f}" if broker else "-",
            f"{max(each.memory for each in rounds) / MIB:.0f}",
            *(str(each) for each in (seen.sessions, seen.at_once, seen.at_one)),
        )
    return shown


def main(argv: Sequence[str]) -> int:
    """Run the benchmark; 1 if a tool is missing or a round lost mail."""
    options = arguments(argv)
    console = Console()
    if "postfix" in options.systems and shutil.which("postfix") is None:
        console.print("bench: postfix not found: apt-get install postfix")
        return 1
    shape = Shape(options.messages, options.domains, options.size, options.seconds)
    ours = {"concurrency": options.concurrency} if options.concurrency else {}
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-bench-")))
        root.chmod(0o755)  # Postfix's daemons run as another user
        systems = [
            SYSTEMS[name](root / name, {} if issubclass(SYSTEMS[name], Postfix) else ours) for name in options.systems
        ]
        results: dict[str, list[Round]] = {system.name: [] for system in systems}
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        progress = stack.enter_context(Progress(*columns, console=console, transient=True))
        for system in systems:
            stack.callback(system.tear_down)
            system.set_up()
        for number in range(options.rounds):
            for system in systems:
                try:
                    results[system.name].append(measure(system, shape, progress, f"{system.name}, round {number + 1}"))
                except Stuck as error:
                    console.print(f"{system.name}: {error}")
    console.print(table(results, shape))
    for name, rounds in results.items():
        for twice in (each.seen.messages - each.seen.different for each in rounds):
            if twice:
                console.print(f"{name}: {twice} messages arrived twice")
    console.print("Postfix has each domain's server from a transport map, without DNS; Sluice asks a name server.")
    return 0 if all(len(rounds) == options.rounds for rounds in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
