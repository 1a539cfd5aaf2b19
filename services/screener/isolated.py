"""Screening one message in a child process: for what came back again and again and may be killing workers."""

import sys
from collections.abc import Sequence

import msgspec

from services.screener.handler import Screener
from services.screener.settings import Settings
from shared import log
from shared.broker.isolate import in_child, serve_one
from shared.config.model import Log
from shared.model import Handler, Message, Send


def isolated(settings: Settings) -> Handler:
    """Return a handler that screens each message in a process of its own."""
    argv = (sys.executable, "-m", "services.screener.isolated")
    octets = msgspec.json.encode(settings)

    async def handle(message: Message) -> Sequence[Send]:
        return await in_child(argv, message, octets)

    return handle


def main() -> None:
    """Be the child: settings as JSON and the message on standard input."""
    log.set_up(Log(), "screener-isolated")
    serve_one(lambda settings, _: Screener(msgspec.json.decode(settings, type=Settings)))


if __name__ == "__main__":
    main()
