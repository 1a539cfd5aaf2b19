"""Moving many messages of a queue, some at a time: whatever ends the job, what was begun is finished."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Self

from shared.window import Window

AT_ONCE = 100
OCTETS_AT_ONCE = 32 * 1024**2


class Moves:
    """Moves that are on their way.

    async with Moves() as moves:
        for ...:
            await moves.begin(len(body), move(body))
    """

    def __init__(self, share: int = 1) -> None:
        """`share`: how many do this at the same time; each has that part of what may be on its way."""
        self.moved = 0
        self._window = Window(AT_ONCE // share, OCTETS_AT_ONCE // share)
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    async def begin(self, octets: int, move: Coroutine[Any, Any, bool]) -> None:
        """Begin a move, which returns whether it moved anything, once there is room. Raise what another has raised."""
        try:
            await self._window.enter(octets)
        except BaseException:
            move.close()
            raise
        task = asyncio.create_task(self._move(octets, move))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._raise()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait for what was begun, after an interruption too: half a move is a duplicate."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        if kind is None:
            self._raise()

    async def _move(self, octets: int, move: Coroutine[Any, Any, bool]) -> None:
        try:
            done = await move
            self.moved += done  # not in one line: others count while this one waits
        except Exception as error:  # noqa: BLE001  (raised by the job, once)
            self._failure = self._failure or error
        finally:
            self._window.leave(octets)

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure
