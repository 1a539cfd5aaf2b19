"""A limit of sessions per destination that never waits: who gets no slot comes back later."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """Counts what is in use; a destination without any costs nothing."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """May be changed; what is held stays held."""
        self._used: Counter[str] = Counter()

    @contextmanager
    def hold(self, destination: str) -> Iterator[bool]:
        """Yield whether a slot was free; a taken one is held for the block."""
        if self._used[destination] >= self.limit:
            yield False
            return
        self._used[destination] += 1
        try:
            yield True
        finally:
            self._used[destination] -= 1
            if not self._used[destination]:
                del self._used[destination]

    def __len__(self) -> int:
        """Return how many destinations have sessions."""
        return len(self._used)
