"""A process to be killed: publishes to a queue file without end, printing each id once publish has returned."""

import asyncio
import sys
from pathlib import Path

from shared.broker.sqlite import open_broker
from shared.ids import new_id
from shared.model import Place
from tests.support.messages import make_item, make_message, to

CONCURRENT = 30


async def main(path: Path) -> None:
    """Publish from many tasks, as sessions do; also take and acknowledge, so that the file is busy in every way."""
    broker = await open_broker(path)
    subscription = await broker.subscribe(Place.SCREEN, 20)

    async def publish() -> None:
        while True:
            message = make_message(make_item(new_id(1.0)), b"x" * 5000)
            await broker.publish([to(Place.DELIVER, message), to(Place.SCREEN)])
            print(message.item.id, flush=True)

    async def consume() -> None:
        async for received in subscription:
            await received.ack()

    await asyncio.gather(consume(), *(publish() for _ in range(CONCURRENT)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
