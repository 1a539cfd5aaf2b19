"""The screener as an app: parts put together, a worker that runs them."""

import asyncio

from services.screener.handler import Screener
from services.screener.isolated import isolated
from services.screener.settings import Settings
from shared.broker import worker
from shared.broker.port import Broker
from shared.broker.topology import Stage
from shared.broker.worker import Worker
from shared.clock import Clock, wall_clock
from shared.config.model import Config


class App:
    """The screener stage."""

    def __init__(self, broker: Broker, runs: Worker) -> None:
        self._broker = broker
        self._worker = runs
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to consume."""
        self._running = asyncio.create_task(self._worker.run())

    def trouble(self) -> str | None:
        """Return why nothing is screened, in one line, or None."""
        if self._running is not None and self._running.done() and not self._running.cancelled():
            return f"worker stopped: {self._running.exception() or 'drained'}"
        return self._broker.trouble()

    def failure(self) -> BaseException | None:
        """Return what ended the worker, or None: then the process must end as well."""
        running = self._running
        return running.exception() if running is not None and running.done() and not running.cancelled() else None

    async def drain(self, grace: float) -> None:
        """Take no more, finish or hand back what is in hand."""
        await self._worker.drain(grace)
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])


def build(config: Config, broker: Broker, *, clock: Clock = wall_clock) -> App:
    """Return the stage, not yet started. Raise ConfigError for rules that cannot be used."""
    settings = Settings.of(config)
    handler = Screener(settings, clock)
    limits = worker.Settings(config.screener.concurrency, float(config.screener.timeout))
    return App(broker, Worker(broker, Stage.SCREEN, handler, limits, isolated=isolated(settings), clock=clock))
