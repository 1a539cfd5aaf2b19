"""Sluice as it is shipped, on either broker, every message relayed to the sink."""

from contextlib import ExitStack
from pathlib import Path

from tests.support.processes import Relay
from tests.support.rabbitmq import Node
from tests.support.rabbitmq_world import on_rabbitmq


def config(port: int, sink_port: int) -> dict[str, object]:
    """Return the configuration: trusts loopback, one smarthost, as many deliveries at a time as Postfix makes."""
    return {
        "hostname": "sluice.bench.example",
        "relay": {"postmaster": "postmaster@bench.example", "trusted_networks": ["127.0.0.0/8"]},
        "ingress": {"listener": [{"address": f"127.0.0.1:{port}", "mode": "relay"}]},
        "delivery": {
            "route": {"*": f"smtp://127.0.0.1:{sink_port}"},
            "concurrency": 20,
            "per_destination": 40,
            "allow_private_destinations": True,
        },
    }


class OnSqlite:
    """`sluice up`: one process, the embedded broker."""

    name = "Sluice on SQLite (1 process)"

    def __init__(self, directory: Path, port: int, sink_port: int) -> None:
        directory.mkdir()
        self.port = port
        self.sink_port = sink_port
        broker = {"broker": f"sqlite:///{directory}/queue.db"}
        self._relay = Relay(directory, {**config(port, sink_port), **broker}, ("up",))

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self._relay.start()

    def stop(self) -> None:
        """Stop it."""
        self._relay.stop()

    def roots(self) -> tuple[list[int], list[int]]:
        """Return its process id; the broker is inside."""
        return [self._relay["up"].pid], []


class OnRabbitmq:
    """Three processes and a private RabbitMQ node of Debian's package."""

    name = "Sluice on RabbitMQ (3 processes)"

    def __init__(self, directory: Path, port: int, sink_port: int) -> None:
        directory.mkdir()
        self.port = port
        self.sink_port = sink_port
        self._directory = directory
        self._node = Node()
        self._stack = ExitStack()
        self._node_pid = 0
        self._relay: Relay | None = None

    def start(self) -> None:
        """Start the node, make the topology, start the services."""
        self._stack.callback(self._node.close)
        self._node.start()
        self._node_pid = int(self._node.ctl("eval", "list_to_integer(os:getpid())."))
        broker = self._stack.enter_context(on_rabbitmq(self._node, self._directory))
        self._relay = Relay(self._directory, {**config(self.port, self.sink_port), **broker.config}, broker.stages)
        self._stack.callback(self._relay.stop)
        self._relay.start()

    def stop(self) -> None:
        """Stop everything."""
        self._stack.close()

    def roots(self) -> tuple[list[int], list[int]]:
        """Return the services' process ids and the node's."""
        assert self._relay is not None
        return [process.pid for process in self._relay.processes.values()], [self._node_pid]
