"""Running a coroutine on the spot as far as it goes without waiting, and the rest of it in a task.

Most commands wait for nothing. Starting a task for each, or waking one, costs more than the command; so the first
step is done by whoever has the octets in hand, as if in the session's task, and the task is woken only for what waits.
"""

import asyncio
from asyncio import tasks
from collections.abc import Coroutine, Generator
from typing import Any

Work = Coroutine[Any, Any, None]


class Suspended:
    """A coroutine that has begun and waits for something. Await it once, in the task it began in, to go on."""

    __slots__ = ("_waits_for", "_work", "error")

    def __init__(self, work: Work, waits_for: object) -> None:
        self._work = work
        self._waits_for = waits_for
        self.error: BaseException | None = None
        """Thrown into it when it goes on: what came for it between the first step and the task."""

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    if self.error is not None:
                        raise self.error  # noqa: TRY301  (one place where errors enter the coroutine)
                    value = yield waits_for
                except GeneratorExit:
                    self._work.close()
                    raise
                except BaseException as error:  # noqa: BLE001  (what the task throws is the coroutine's to catch)
                    self.error = None
                    waits_for = self._work.throw(error)
                else:
                    waits_for = self._work.send(value)
        except StopIteration:
            return


def first_step(work: Work, task: "asyncio.Task[None]", loop: asyncio.AbstractEventLoop) -> Suspended | None:
    """Run `work`, in the name of `task`, until it ends (then return None) or waits. Raise what it raises.

    Call it from the task itself or from a callback of the loop. asyncio.timeout and its kin find `task` as the
    current one: these two functions are asyncio's documented hooks for whoever runs coroutines.
    """
    inside = tasks.current_task(loop) is task
    if not inside:
        tasks._enter_task(loop, task)  # noqa: SLF001
    try:
        return Suspended(work, work.send(None))
    except StopIteration:
        return None
    finally:
        if not inside:
            tasks._leave_task(loop, task)  # noqa: SLF001
