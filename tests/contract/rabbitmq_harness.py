"""RabbitMQ for the contract suite: a vhost with the real topology on the session's node, emptied before each test.

One vhost for all: 3.10 loses its dead-letter supervisor when queues with at-least-once dead-lettering are deleted
while they start (seen after a crash), and every queue name stays in memory as an atom.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiormq import Connection
from aiormq import connect as connect_raw
from pamqp.commands import Basic

from shared.broker.admin import Target, apply
from shared.broker.port import Broker, Operator
from shared.broker.rabbitmq import RabbitBroker, RabbitOperator, Settings, connect, connect_operator
from shared.broker.topology import Limits, User, quorum_queues
from tests.contract.harness import PATIENCE
from tests.support.rabbitmq import RabbitNode

PASSWORDS = {user: f"password-of-{user}" for user in User}
VHOST = "contract"


class RabbitHarness:
    """Services connect as their own users; the harness itself looks as the administrator."""

    survives_restart = True

    def __init__(self, node: RabbitNode, vhost: str) -> None:
        self.node = node
        self.vhost = vhost
        self._brokers: list[RabbitBroker] = []
        self._operators: list[RabbitOperator] = []

    @classmethod
    async def create(cls, node: object, vhost: str = VHOST, limits: Limits | None = None) -> "RabbitHarness":
        """Apply the topology to a vhost, which is made at first, and empty it."""
        assert isinstance(node, RabbitNode)
        harness = cls(node, vhost)
        differences = await apply(harness.target, PASSWORDS, limits or Limits())
        assert not differences, [str(each) for each in differences]
        await harness.empty()
        await harness.forget_index()
        return harness

    @property
    def target(self) -> Target:
        """The administrator's access."""
        return Target(self.node.management_url, self.node.user, self.node.password, self.vhost)

    def url(self, user: User) -> str:
        """The URL of a service."""
        return self.node.amqp_url(self.vhost, user.value, PASSWORDS[user])

    @property
    def address(self) -> str:
        """The screener's URL."""
        return self.url(User.SCREENER)

    @property
    def operator_address(self) -> str:
        """The operator's URL."""
        return self.url(User.OPERATOR)

    async def open(self, user: User, settings: Settings | None = None) -> Broker:
        """Return a new broker."""
        broker = await connect(self.url(user), user, settings or Settings(), wait=False)
        self._brokers.append(broker)
        return broker

    async def operator(self) -> Operator:
        """Return a new operator."""
        operator = await connect_operator(self.url(User.OPERATOR))
        self._operators.append(operator)
        return operator

    async def restart(self) -> None:
        """Kill the node and boot it."""
        await self.stop()
        await self.start()

    async def stop(self) -> None:
        """Kill the node."""
        await asyncio.to_thread(self.node.kill)

    async def start(self) -> None:
        """Boot the node."""
        await asyncio.to_thread(self.node.ensure_running)

    async def put(self, queue: str, body: bytes) -> None:
        """Publish through the default exchange, confirmed."""
        async with self.raw() as connection:
            channel = await connection.channel()
            properties = Basic.Properties(delivery_mode=2)
            await channel.basic_publish(body, routing_key=queue, properties=properties, mandatory=True)

    async def depth(self, queue: str) -> int:
        """Ask the queue itself."""
        async with self.raw() as connection:
            channel = await connection.channel()
            declared = await channel.queue_declare(queue, passive=True)
            return declared.message_count or 0

    async def forget_index(self) -> None:
        """Note on the quarantine's list that nothing is left of what it names: a stream cannot be purged."""
        # Whatever the stream says of its length: RabbitMQ 4 counts a stream's messages late.
        operator = await connect_operator(self.url(User.OPERATOR))
        await operator.reindex()
        await operator.close()

    async def empty(self) -> None:
        """Purge every queue until nothing is left and nobody consumes: what others held comes back late."""
        async with asyncio.timeout(PATIENCE), self.raw() as connection:
            channel = await connection.channel()
            clean = False
            while not clean:
                clean = True
                for queue in quorum_queues():
                    declared = await channel.queue_declare(queue, passive=True)
                    if declared.message_count or declared.consumer_count:
                        await channel.queue_purge(queue)
                        clean = False

    @contextlib.asynccontextmanager
    async def raw(self, user: User | None = None) -> AsyncIterator[Connection]:
        """Yield a bare connection, by default the administrator's."""
        connection = await connect_raw(self.node.amqp_url(self.vhost) if user is None else self.url(user))
        try:
            yield connection
        finally:
            await connection.close()

    async def close(self) -> None:
        """Close whatever is open, mend the node."""
        await asyncio.gather(*(each.close() for each in self._brokers), *(each.close() for each in self._operators))
        await self.start()
