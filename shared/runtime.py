"""Running an app as a process: event loop, signals, health, reload, two-phase drain. The same for every service."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

import uvloop

from shared import log
from shared.config.load import Loaded, find, load_from
from shared.config.model import Config
from shared.errors import ConfigError, SluiceError
from shared.malloc import give_back_large_blocks
from shared.open_files import raise_limit
from shared.ops import Health, serving
from shared.reload import Reloader

FAILED = 1
BAD_CONFIGURATION = 2
TURN = 0.25
"""Seconds between two looks at an app's trouble."""
CLOSING = 5.0
"""Seconds beyond the drain's grace for closing connections."""


class App(Protocol):
    """A stage, or several, that can be started, asked and drained."""

    async def start(self) -> None:
        """Begin to work; return once it does. Raise SluiceError with place, reason and remedy if it cannot."""
        ...

    def trouble(self) -> str | None:
        """Return why it is not ready, in one line, or None."""
        ...

    async def drain(self, grace: float) -> None:
        """Take nothing new, finish what is in hand for `grace` seconds, hand the rest back."""
        ...


@runtime_checkable
class MayFail(Protocol):
    """An app that can break after its start; its process then drains and exits 1, for its supervisor to restart."""

    def failure(self) -> BaseException | None:
        """Return what broke it, or None."""
        ...


OpenApp = Callable[[Config], AbstractAsyncContextManager[App]]
"""Opens what an app needs (a broker, a resolver), yields the app not yet started, and closes it all again."""


def run_app(loaded: Loaded, service: str, open_app: OpenApp) -> int:
    """Run an app until SIGTERM or SIGINT, drain it, and return the process' exit status.

    SIGHUP, or a change of the files that were loaded, reloads an app that can (shared/reload.py).
    0 after a drain; 1 if it could not start or broke; 2 if its configuration cannot be used. The reason is one
    line on standard error. A second signal ends the process at once: what was in hand goes back to the broker.
    """
    log.set_up(loaded.config.log, service)
    give_back_large_blocks()
    raise_limit()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_Process(loaded, open_app).run())
    except SluiceError as error:
        print(f"sluice: {error}", file=sys.stderr)  # noqa: T201  (a person starts it; the line must not depend on log.format)
        return BAD_CONFIGURATION if isinstance(error, ConfigError) else FAILED
    except Exception:  # noqa: BLE001  (one structured line instead of a bare traceback)
        log.get().critical("crashed", exc_info=True)
        return FAILED


def run_here(main: Callable[[Loaded], int]) -> int:
    """Run `main` on the configuration found here (`python -m services.ingress`); return the exit status."""
    try:
        given = os.environ.get("SLUICE_CONFIG")
        return main(load_from(find(Path(given) if given else None), os.environ))
    except ConfigError as error:
        print(f"sluice: {error}", file=sys.stderr)  # noqa: T201  (as in run_app)
        return BAD_CONFIGURATION


class _Process:
    """One run: starting, working, draining."""

    def __init__(self, loaded: Loaded, open_app: OpenApp) -> None:
        self._config = loaded.config
        self._reloader = Reloader(loaded)
        self._open_app = open_app
        self._log = log.get()
        self._health = Health()
        self._app: App | None = None
        self._stop = asyncio.Event()
        self._signals = 0
        self._failure: BaseException | None = None

    async def run(self) -> int:
        """Return the exit status."""
        with serving(self._config.ops.address, self._health) as ops:
            watch = asyncio.create_task(self._watch())
            life = asyncio.create_task(self._live(str(ops) if ops else None))
            self._on_signals(life)
            try:
                return await life
            except asyncio.CancelledError:
                self._log.info("stopped", while_starting=True)
                return 0
            finally:
                watch.cancel()

    async def _live(self, ops: str | None) -> int:
        try:
            async with asyncio.timeout(None) as limit, self._open_app(self._config) as app:
                await app.start()
                self._app = app
                self._log.info("started", ops=ops, pid=os.getpid())
                await self._work(app)
                grace = float(self._reloader.config.ops.drain_timeout)
                self._log.info("stopping", grace=grace)
                limit.reschedule(asyncio.get_running_loop().time() + grace + CLOSING)
                await app.drain(grace)
        except TimeoutError:
            if not limit.expired():
                raise
            self._log.error("stopped before the drain had ended", grace=self._reloader.config.ops.drain_timeout)
            return FAILED
        if self._failure is not None:
            raise self._failure
        self._log.info("stopped")
        return 0

    async def _work(self, app: App) -> None:
        """Return when it is to stop; until then reload as asked."""
        reloading = asyncio.create_task(self._reloader.run(app))
        try:
            await self._stop.wait()
        finally:
            reloading.cancel()

    def _on_signals(self, life: asyncio.Task[int]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number, life)
        loop.add_signal_handler(signal.SIGHUP, self._reloader.ask)

    def _signalled(self, number: signal.Signals, life: asyncio.Task[int]) -> None:
        self._signals += 1
        if self._signals > 1:
            self._log.warning("stopped at once", signal=number.name)
            os._exit(FAILED)  # what is in hand goes back to the broker, as after a crash
        if self._app is None:
            life.cancel()
        self._stop.set()

    async def _watch(self) -> None:
        """Keep the health fresh, and log each change of it."""
        before: str | None = None
        while True:
            trouble = self._trouble()
            self._health.turn(trouble)
            if self._app is not None and not self._stop.is_set() and trouble != before:
                if trouble:
                    self._log.warning("not ready", reason=trouble)
                elif before:
                    self._log.info("ready")
                before = trouble
            self._look_for_failure()
            await asyncio.sleep(TURN)

    def _look_for_failure(self) -> None:
        failure = self._app.failure() if isinstance(self._app, MayFail) else None
        if failure is not None and not self._stop.is_set():
            while isinstance(failure, BaseExceptionGroup) and len(failure.exceptions) == 1:
                failure = failure.exceptions[0]
            self._failure = failure
            self._stop.set()

    def _trouble(self) -> str | None:
        if self._stop.is_set():
            return "draining"
        return "starting" if self._app is None else self._app.trouble()
