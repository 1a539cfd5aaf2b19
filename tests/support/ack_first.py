"""A deliberately wrong screener: the real handler and broker, but acknowledged BEFORE anything that follows is durable.

It exists so that the kill tests can show that their ledger notices: `python -m tests.support.ack_first CONFIG`.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.screener.handler import Screener
from services.screener.settings import Settings
from shared.broker import worker
from shared.broker.adapters import open_broker
from shared.broker.port import Received
from shared.broker.stage_app import StageApp
from shared.broker.topology import Stage, User
from shared.broker.worker import Worker
from shared.config.load import load_from
from shared.config.model import Config
from shared.errors import ConfigError
from shared.reload import Swap
from shared.runtime import run_app

WINDOW = 0.2
"""Seconds between the acknowledgement and the publish: wide enough for a kill to fall into it."""


class AckFirst(Worker):
    """The order of the real worker's loop, reversed."""

    async def _work(self, received: Received) -> None:
        outcome = await self._handle(received)
        await received.ack()
        await asyncio.sleep(WINDOW)
        await self._make_durable(received, outcome)


def _fixed(_: Config) -> Swap:
    raise ConfigError("it takes no new configuration")


@asynccontextmanager
async def open_app(config: Config) -> AsyncIterator[StageApp]:
    """As the real screener's, with the wrong worker."""
    broker = await open_broker(config, User.SCREENER)
    limits = worker.Settings(config.screener.concurrency, float(config.screener.timeout))
    try:
        yield StageApp(broker, AckFirst(broker, Stage.SCREEN, Screener(Settings.of(config)), limits), _fixed)
    finally:
        await broker.close()


if __name__ == "__main__":
    sys.exit(run_app(load_from(Path(sys.argv[1]), os.environ), "screener", open_app))
