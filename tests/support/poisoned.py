"""A screener whose handler takes its process down on one sort of message: `python -m tests.support.poisoned URL`."""

import asyncio
import itertools
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from shared.broker.isolate import in_child
from shared.broker.port import Broker
from shared.broker.rabbitmq import connect
from shared.broker.sqlite import open_broker
from shared.broker.topology import Stage, User
from shared.broker.worker import Settings, Worker
from shared.model import Message, Send
from tests.support.isolated_child import crash_on_poison

CHILD = (sys.executable, "-m", "tests.support.isolated_child", "crash_on_poison")


async def in_isolation(message: Message) -> Sequence[Send]:
    """Handle it in a child process, which goes down as the parent did."""
    return await in_child(CHILD, message)


async def main(url: str) -> None:
    """Screen until killed, by oneself or from outside; no step of the ladder is waited for."""
    broker: Broker
    if url.startswith("amqp"):
        broker = await connect(url, User.SCREENER, wait=False)
    else:
        broker = await open_broker(Path(url))
    times = itertools.count(int(time.time()) - 1_000_000, 20_000)
    settings = Settings(concurrency=10, timeout=60)
    worker = Worker(
        broker, Stage.SCREEN, crash_on_poison, settings, isolated=in_isolation, clock=lambda: float(next(times))
    )
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
