"""Reloading: on SIGHUP, or when a file has changed, a running app takes the new configuration or says why not.

All or nothing: an app first prepares everything it needs, in a thread and touching nothing that is in force; only if
that succeeds, everything is swapped in one turn of the event loop.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from shared import log, metrics
from shared.config.changes import changes, in_force
from shared.config.load import Loaded
from shared.config.model import Config
from shared.errors import ConfigError
from shared.stamps import Stamps, Watch

LOOK_SECONDS = 2.0
"""Between two looks at the files; a change is taken at the second look that sees it."""

Swap = Callable[[], None]
"""Puts into force what was prepared; never fails, and never waits."""


@runtime_checkable
class Reloadable(Protocol):
    """An app that can take a new configuration while it works."""

    def prepare(self, config: Config) -> Swap:
        """Make everything that the new configuration asks for and change nothing; called in a thread.

        Raise ConfigError, as at the start, for whatever cannot work.
        """
        ...


class Reloader:
    """One process' configuration: the one in force, and the watch over the files it came from."""

    def __init__(self, loaded: Loaded) -> None:
        self.config = loaded.config
        """The configuration in force."""
        self._source = loaded.source
        self._files = loaded.files
        """As they were when the configuration in force was read."""
        self._watch = Watch(loaded.files)
        self._asked = asyncio.Event()
        self._log = log.get()

    def ask(self) -> None:
        """Have everything read again at the next turn, changed or not."""
        self._asked.set()

    async def run(self, app: object) -> None:
        """Reload whenever asked to, or when the files have changed; until cancelled."""
        while True:
            if await self._was_asked():
                await self._reload(app, "signal")
            elif self._watch.look(await asyncio.to_thread(self._watch.taken.again)):
                await self._reload(app, "file changed")

    async def _was_asked(self) -> bool:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    async def _reload(self, app: object, cause: str) -> None:
        tried = Stamps()
        try:
            new, fixed, swap = await asyncio.to_thread(self._prepare, app, tried)
            swap()
        except Exception as error:  # noqa: BLE001  (whatever it is, what is in force stays in force)
            self._refused(error, tried, cause)
            return
        metrics.reloads.labels("done").inc()
        self._log.info("reloaded", cause=cause, keys=changes(self.config, new), files=self._changed(tried))
        if fixed:
            self._log.warning("changed, but in force only after a restart", keys=fixed)
        self.config = new
        self._files = tried
        self._watch.take(tried)

    def _prepare(self, app: object, tried: Stamps) -> tuple[Config, list[str], Swap]:
        if self._source is None or not isinstance(app, Reloadable):
            raise ConfigError("this process cannot reload; restart it instead")
        new, fixed = in_force(self.config, self._source.read(tried))
        return new, fixed, app.prepare(new)

    def _refused(self, error: Exception, tried: Stamps, cause: str) -> None:
        # Reading may have stopped before it came to every file: the others are watched as they are now.
        self._watch.take(Stamps(self._watch.taken.again() | tried))
        metrics.reloads.labels("refused").inc()
        known = isinstance(error, ConfigError)
        self._log.error(
            "not reloaded, the old one stays in force",
            cause=cause,
            error=str(error) if known else repr(error),
            files=self._changed(tried),
            exc_info=None if known else error,
        )

    def _changed(self, tried: Stamps) -> list[str]:
        before = Stamps((path, stamp) for path, stamp in self._files.items() if path in tried)
        return [str(path) for path in before.differing(tried)]
