"""The publish window: how many bodies, and how many octets of them, may be without a confirm at a time."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Window:
    """First come, first served, so that large bodies are not starved by small ones."""

    def __init__(self, bodies: int, octets: int) -> None:
        self._bodies = bodies
        self._octets = octets
        self._used_bodies = 0
        self._used_octets = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def room(self, octets: int) -> AsyncIterator[None]:
        """Wait for room, hold it inside. A body larger than the whole window goes alone."""
        if self._waiting or not self._fits(octets):
            await self._wait(octets)
        else:
            self._take(octets)
        try:
            yield
        finally:
            self._used_bodies -= 1
            self._used_octets -= octets
            self._admit()

    def _fits(self, octets: int) -> bool:
        if self._used_bodies == 0:
            return True
        return self._used_bodies < self._bodies and self._used_octets + octets <= self._octets

    def _take(self, octets: int) -> None:
        self._used_bodies += 1
        self._used_octets += octets

    async def _wait(self, octets: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((octets, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # admitted in the same instant: give the room back
                self._used_bodies -= 1
                self._used_octets -= octets
            else:
                self._waiting.remove((octets, turn))
            self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            octets, turn = self._waiting.popleft()
            if not turn.done():
                self._take(octets)
                turn.set_result(None)
