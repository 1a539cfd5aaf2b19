"""Run inside a service's container, on its standard input: what may these broker credentials do?

Arguments: operation/target pairs, such as read/mail.screen. Prints one JSON object: pair -> "ok" or the refusal.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import aiormq
from aiormq.abc import AbstractChannel


async def attempt(channel: AbstractChannel, operation: str, target: str) -> None:
    """Do one thing on a channel; a refusal raises."""
    match operation:
        case "read":
            await channel.basic_get(target)
        case "publish":
            # confirmed or refused; no queue is bound to this key, so nothing is left behind where it is allowed
            await channel.basic_publish(b"", exchange=target, routing_key="probe")
        case "declare":
            await channel.queue_declare(target, durable=True, arguments={"x-queue-type": "quorum"})
        case "delete":
            await channel.queue_delete(target, if_empty=True)
        case "purge":
            await channel.queue_purge(target)
        case "bind":
            queue, _, exchange = target.partition("@")
            await channel.queue_bind(queue, exchange, routing_key="probe")
        case _:
            raise ValueError(operation)


async def main() -> None:
    """Try each pair on a connection of its own: a refusal closes the channel."""
    url = urlsplit(os.environ["SLUICE_BROKER"])
    password = Path(os.environ["SLUICE_BROKER_PASSWORD_FILE"]).read_text().strip()
    found: dict[str, str] = {}
    for pair in sys.argv[1:]:
        operation, _, target = pair.partition("/")
        connection = await aiormq.connect(f"amqp://{url.username}:{password}@{url.hostname}:{url.port}/")
        try:
            await attempt(await connection.channel(), operation, target)
            found[pair] = "ok"
        except aiormq.exceptions.AMQPError as error:
            found[pair] = type(error).__name__
        finally:
            await connection.close()
    sys.stdout.write(json.dumps(found))


asyncio.run(main())
