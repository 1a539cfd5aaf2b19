"""A flush that is killed in the middle: `python -m tests.support.flushing ADDRESS COUNT` dies at message COUNT."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from shared.broker.port import Operator
from shared.broker.rabbitmq import connect_operator
from shared.broker.sqlite import open_operator
from shared.broker.waiting import LATER, made_due, sweep
from shared.model import Message, Send


async def main(address: str, count: int) -> None:
    """Make everything due, and be killed on the way."""
    operator: Operator
    operator = await (connect_operator(address) if address.startswith("amqp") else open_operator(Path(address)))
    began, seen = time.time(), 0

    def follows(message: Message) -> Sequence[Send] | None:
        nonlocal seen
        seen += 1
        if seen == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return made_due(message, began)

    await sweep(operator, LATER, follows)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
