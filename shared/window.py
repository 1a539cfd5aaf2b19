"""A window: so many bodies, and so many octets of them, may be somewhere at a time; the others wait their turn."""

import asyncio
from collections import deque


class Window:
    """First come, first served, so that large bodies are not starved by small ones."""

    def __init__(self, bodies: int, octets: int) -> None:
        self._bodies = bodies
        self.octets = octets
        self._used_bodies = 0
        self._used_octets = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def enter_at_once(self, octets: int) -> bool:
        """Enter if there is room; `leave` must follow. A body larger than the whole window goes alone."""
        if self._waiting or not self._fits(octets):
            return False
        self._take(octets)
        return True

    async def enter(self, octets: int) -> None:
        """Wait for room; `leave` must follow."""
        if not self.enter_at_once(octets):
            await self._wait(octets)

    def leave(self, octets: int) -> None:
        """Make room."""
        self._used_bodies -= 1
        self._used_octets -= octets
        self._admit()

    def _fits(self, octets: int) -> bool:
        if self._used_bodies == 0:
            return True
        return self._used_bodies < self._bodies and self._used_octets + octets <= self.octets

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
