"""What the contract suite needs of a broker beside the port itself: opening it, breaking it, looking behind it.

One harness is one empty broker with the whole topology. `SqliteHarness` (sqlite_harness.py) is a file in a
temporary directory, `RabbitHarness` (rabbitmq_harness.py) a fresh vhost on a private node.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from shared.broker.port import Broker, Operator, Received
from shared.broker.topology import User

PATIENCE = 60.0
"""Seconds a condition may take on a busy machine before a test gives up; nothing waits this long when all is well."""


class Harness(Protocol):
    """One empty broker, closed by the `harness` fixture."""

    @property
    def survives_restart(self) -> bool:
        """True if brokers opened before `restart` go on by themselves; else they are dead, as a killed process."""
        ...

    @property
    def address(self) -> str:
        """Where another process finds it as the screener: an AMQP URL, or the path of a queue file."""
        ...

    @property
    def operator_address(self) -> str:
        """Where another process finds it as the operator."""
        ...

    async def open(self, user: User) -> Broker:
        """Return a new broker as `user`, ready to use; the harness closes it if the test does not."""
        ...

    async def operator(self) -> Operator:
        """Return a new operator; the harness closes it if the test does not."""
        ...

    async def restart(self) -> None:
        """Kill the broker this instant (SIGKILL, nothing is closed or flushed) and start it; return when it serves."""
        ...

    async def stop(self) -> None:
        """Make the broker unavailable: publishes fail or wait until `start`. What is stored stays."""
        ...

    async def start(self) -> None:
        """End what `stop` began; return when it serves."""
        ...

    async def put(self, queue: str, body: bytes) -> None:
        """Put any octets on a queue, past the adapter, durable on return."""
        ...

    async def depth(self, queue: str) -> int:
        """Return how many messages are ready on a queue now, those in a consumer's hand not counted."""
        ...

    async def close(self) -> None:
        """Close whatever is open and take the broker away."""
        ...


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool], what: str) -> None:
    """Wait until `condition` is true; fail with `what` if it is not within PATIENCE."""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                found = condition()
                if found if isinstance(found, bool) else await found:
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE:.0f} s: {what}") from None


async def take(broker: Broker, queue: str, count: int, prefetch: int = 1000) -> list[Received]:
    """Take `count` bodies from a queue and leave them unsettled."""
    subscription = await broker.subscribe(queue, prefetch)
    found: list[Received] = []
    async with asyncio.timeout(PATIENCE):
        async for received in subscription:
            found.append(received)
            if len(found) == count:
                break
    return found


async def until_depth(harness: Harness, queue: str, count: int) -> None:
    """Wait until `count` are ready on a queue."""

    async def reached() -> bool:
        return await harness.depth(queue) == count

    await until(reached, f"{count} ready on {queue}")
