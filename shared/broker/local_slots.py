"""Slots of one process alone: counts."""

from collections import Counter
from collections.abc import Callable


class LocalSlots:
    """For the embedded broker, from whose file one process takes mail."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    async def take(self, site: str, limit: int, on_loss: Callable[[], None]) -> "LocalSlot | None":  # noqa: ARG002  (nothing is ever taken away)
        """Return a slot, or None if `limit` are held."""
        if self._held[site] >= limit:
            return None
        self._held[site] += 1
        return LocalSlot(self._held, site)


class LocalSlot:
    """One that is held."""

    def __init__(self, held: Counter[str], site: str) -> None:
        self._held = held
        self._site: str | None = site

    async def release(self) -> None:
        """Let others have it."""
        site, self._site = self._site, None
        if site is not None:
            self._held[site] -= 1
            self._held += Counter()  # forgets what is at zero
