"""A consuming stage as an app: its worker started, asked and drained (shared/runtime.py)."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.broker.port import Broker
from shared.broker.worker import Worker
from shared.config.model import Config
from shared.reload import Swap


async def _nothing() -> None:
    """Close nothing."""


class StageApp:
    """The screener, or delivery. `prepare` is what shared/reload.py asks of an app.

    `close` runs after the drain, for what the stage's handler keeps open.
    """

    def __init__(
        self,
        broker: Broker,
        worker: Worker,
        prepare: Callable[[Config], Swap],
        close: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self.prepare = prepare
        self._broker = broker
        self._worker = worker
        self._close = close
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to consume."""
        self._running = asyncio.create_task(self._worker.run())

    def trouble(self) -> str | None:
        """Return why nothing is handled, in one line, or None."""
        if self._running is not None and self._running.done() and not self._running.cancelled():
            return f"worker stopped: {self._running.exception() or 'drained'}"
        return self._broker.trouble()

    def failure(self) -> BaseException | None:
        """Return what ended the worker, or None: then the process must end as well."""
        running = self._running
        return running.exception() if running is not None and running.done() and not running.cancelled() else None

    async def drain(self, grace: float) -> None:
        """Take no more, finish or hand back what is in hand, close what is kept open."""
        await self._worker.drain(grace)
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        await self._close()
