"""The embedded broker for the contract suite: a queue file in a temporary directory."""

import asyncio
import sqlite3
from pathlib import Path

from shared import wire
from shared.broker.port import Broker, Operator
from shared.broker.sqlite import Options, SqliteBroker, SqliteOperator, open_broker, open_operator, schema, store
from shared.broker.topology import User
from shared.clock import wall_clock
from shared.errors import WireError

OPTIONS = Options(busy_timeout=0.2)


class SqliteHarness:
    """Every `open` is a broker of its own on the same file, as every process would have."""

    survives_restart = False

    def __init__(self, directory: Path) -> None:
        self.path = directory / "queue.db"
        schema.connect(self.path, 1, create=True).close()
        self._brokers: list[SqliteBroker] = []
        self._operators: list[SqliteOperator] = []
        self._blocker: sqlite3.Connection | None = None

    @property
    def address(self) -> str:
        """The file."""
        return str(self.path)

    @property
    def operator_address(self) -> str:
        """The file."""
        return str(self.path)

    async def open(self, user: User) -> Broker:
        """Return a new broker; who asks makes no difference here."""
        broker = await open_broker(self.path, OPTIONS)
        self._brokers.append(broker)
        return broker

    async def operator(self) -> Operator:
        """Return a new operator."""
        operator = await open_operator(self.path, OPTIONS)
        self._operators.append(operator)
        return operator

    async def restart(self) -> None:
        """End every broker as SIGKILL would: what is queued in memory is gone, leases stay as they are in the file."""
        for broker in self._brokers:
            await broker._writer.close(finish=False)
            if broker._lock is not None:
                broker._lock.release()
                broker._lock = None
        for broker in self._brokers:
            await broker.close()
        self._brokers.clear()

    async def stop(self) -> None:
        """Keep the file locked, as a process that hangs in a transaction would."""
        self._blocker = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        await asyncio.to_thread(self._blocker.execute, "BEGIN IMMEDIATE")

    async def start(self) -> None:
        """Let go of the file."""
        if self._blocker is not None:
            self._blocker.execute("ROLLBACK")
            self._blocker.close()
            self._blocker = None

    async def put(self, queue: str, body: bytes) -> None:
        """Put any octets on a queue from another connection."""
        try:
            message_id = wire.decode_item(body).id
        except WireError:
            message_id = ""

        def run() -> None:
            connection = schema.connect(self.path, 30, create=False)
            connection.execute("BEGIN IMMEDIATE")
            store.put(connection, [store.Row(queue, wall_clock(), message_id, body)])
            connection.execute("COMMIT")
            connection.close()

        await asyncio.to_thread(run)

    async def depth(self, queue: str) -> int:
        """Return how many bodies may be leased now."""
        operator = await open_operator(self.path, OPTIONS)
        try:
            return next((each.ready for each in await operator.depths() if each.queue == queue), 0)
        finally:
            await operator.close()

    async def close(self) -> None:
        """Close whatever is open."""
        await self.start()
        for broker in self._brokers:
            await broker.close()
        for operator in self._operators:
            await operator.close()
