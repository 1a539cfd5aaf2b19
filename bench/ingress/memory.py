"""`make bench-memory`: the memory of an ingress process while many clients send large messages at the same time.

The clients are as many sessions at once, each sending one message, half of them without saying how large it is. What
is measured is the most resident memory the process ever had, beside what it had before and the budget
(`ingress.buffer`). The broker is real: a queue file, and a private RabbitMQ node.
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.support.flood import load, resident
from tests.support.ports import free_port
from tests.support.processes import SLUICE, Process, write_config
from tests.support.rabbitmq import Node
from tests.support.rabbitmq_world import on_rabbitmq

MIB = 1024**2


@contextlib.contextmanager
def ingress(root: Path, broker: Mapping[str, object], buffer: int) -> Iterator[tuple[int, int]]:
    """Run ingress; yield its port and process id."""
    port = free_port()
    settings = {
        "listener": [{"address": f"127.0.0.1:{port}", "mode": "relay"}],
        "max_message_size": 64 * MIB,
        "max_connections": 5000,
        "max_connections_per_client": 5000,
        "buffer": buffer,
    }
    config = {
        **broker,
        "hostname": "sluice.bench.example",
        "relay": {"hosted": {"destination.example": "127.0.0.1:1"}},
        "ingress": settings,
    }
    path = write_config(root / "sluice.toml", {key: config[key] for key in config if key != "broker_admin"})
    process = Process("ingress", [*SLUICE, "ingress", "--config", str(path)], root)
    process.start()
    try:
        yield port, process.pid
    finally:
        process.kill()


@contextlib.contextmanager
def broker(name: str, root: Path) -> Iterator[Mapping[str, object]]:
    """Yield the configuration of a broker that runs."""
    if name == "sqlite":
        yield {"broker": f"sqlite:///{root / 'queue.db'}"}
        return
    node = Node()
    node.start()
    try:
        with on_rabbitmq(node, root) as world:
            passwords = (root / "passwords" / "ingress").read_text()
            yield {**world.config, "broker_password": passwords}
    finally:
        node.close()


def main(argv: Sequence[str]) -> int:
    """Measure."""
    parser = argparse.ArgumentParser(prog="bench/ingress/memory")
    parser.add_argument("--clients", type=int, default=500, help="at the same time (default 500)")
    parser.add_argument("--size", type=int, default=30, help="MB of each one's message (default 30)")
    parser.add_argument("--buffer", type=int, default=256, help="ingress.buffer in MiB (default 256)")
    options = parser.parse_args(argv)
    table = Table(
        title=f"{options.clients} clients x {options.size} MB, ingress.buffer {options.buffer} MiB; MiB resident"
    )
    for heading in ("broker", "before", "highest", "over the budget", "how it ended for the clients"):
        table.add_column(heading)
    for name in ("sqlite", "rabbitmq"):
        with contextlib.ExitStack() as stack:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-bench-")))
            settings = stack.enter_context(broker(name, root))
            port, pid = stack.enter_context(ingress(root, settings, options.buffer * MIB))
            load(port, 1, 1)
            before = resident(pid, "VmRSS")
            ends = load(port, options.clients, options.size)
            highest = resident(pid, "VmHWM")
        shown = ", ".join(f"{count} x {end}" for end, count in ends.most_common())
        table.add_row(name, f"{before:.0f}", f"{highest:.0f}", f"{highest - options.buffer:.0f}", shown)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
