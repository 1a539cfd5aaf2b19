"""The delivery stage as it is shipped, on either broker: its queue is filled first, then the process is started."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.delivery.neighbours import Mail, Neighbours
from shared.broker.adapters import open_broker
from shared.broker.topology import User
from shared.clock import wall_clock
from shared.config.load import load
from shared.ids import new_id
from shared.model import Action, Envelope, Item, Message, Origin, Place, Recipient, Send, Verdict
from tests.support.processes import SLUICE, Process, write_config
from tests.support.rabbitmq import Node
from tests.support.rabbitmq_world import on_rabbitmq

AT_ONCE = 200


class Sluice:
    """One `sluice delivery` with its defaults. `options` are keys of [delivery]."""

    name = "Sluice (queue file)"

    def __init__(self, directory: Path, options: Mapping[str, Any]) -> None:
        directory.mkdir()
        self._directory = directory
        self._options = options
        self._stack = ExitStack()
        self._process: Process | None = None
        self._runs = 0

    def set_up(self) -> None:
        """Start the broker, if it is a process of its own."""

    def broker(self, directory: Path) -> Mapping[str, object]:
        """Return the keys of a broker with empty queues."""
        return {"broker": f"sqlite:///{directory}/queue.db"}

    def fill(self, mail: Sequence[Mail], neighbours: Neighbours) -> None:
        """Queue the mail, as the screener would."""
        directory = self._directory / str(self._runs)
        directory.mkdir()
        self._runs += 1
        config = {
            "hostname": "sluice.bench.example",
            "relay": {"postmaster": "postmaster@bench.example"},
            "delivery": {
                "nameservers": [neighbours.nameserver],
                "port": neighbours.port,
                "allow_private_destinations": True,
                **self._options,
            },
            **self.broker(directory),
        }
        path = write_config(directory / "sluice.toml", config)
        asyncio.run(_publish(path, mail))
        self._process = Process("delivery", [*SLUICE, "delivery", "--config", str(path)], directory)

    def release(self) -> None:
        """Start the stage."""
        assert self._process is not None
        self._process.spawn()

    def roots(self) -> list[int]:
        """Return the process ids of the stage."""
        assert self._process is not None
        return [self._process.pid]

    def broker_roots(self) -> list[int]:
        """Return the process id of a broker apart."""
        return []

    def settled(self) -> None:
        """End the stage; what it has in hand is settled."""
        assert self._process is not None
        status = self._process.terminate()
        assert status == 0, self._process.tail()

    def tear_down(self) -> None:
        """Stop everything."""
        if self._process is not None:
            self._process.kill()
        self._stack.close()


class OnRabbitmq(Sluice):
    """The same on a private node of Debian's RabbitMQ."""

    name = "Sluice (RabbitMQ)"

    def set_up(self) -> None:
        """Start the node."""
        self._node = Node()
        self._stack.callback(self._node.close)
        self._node.start()
        self._node_pid = int(self._node.ctl("eval", "list_to_integer(os:getpid())."))

    def broker(self, directory: Path) -> Mapping[str, object]:
        """Return the keys of a virtual host of its own."""
        return self._stack.enter_context(on_rabbitmq(self._node, directory)).config

    def broker_roots(self) -> list[int]:
        """Return the node's process id."""
        return [self._node_pid]


async def _publish(config: Path, mail: Sequence[Mail]) -> None:
    broker = await open_broker(load(config, {}), User.SCREENER)
    now = wall_clock()
    try:
        for begin in range(0, len(mail), AT_ONCE):
            await broker.publish([Send(Place.DELIVER, _screened(each, now)) for each in mail[begin : begin + AT_ONCE]])
    finally:
        await broker.close()


def _screened(mail: Mail, now: float) -> Message:
    recipient = Recipient(address=mail.recipient)
    item = Item(
        id=new_id(now),
        split=1,
        envelope=Envelope(sender="list@bench.example", recipients=(recipient,)),
        origin=Origin.TRUSTED,
        accepted_at=now,
        destination=recipient.domain,
        verdict=Verdict(action=Action.PASS, at=now),
    )
    return Message(item, mail.content)
