"""Sessions kept for the next message to the same address, under the same policy and user.

`reusable` and `to_evict` decide; the rest acts on it in a line.
"""

import asyncio
from typing import NamedTuple

from services.delivery.smtp.client import Target
from services.delivery.smtp.session import Session


class Limits(NamedTuple):
    """The pool's keys of the configuration."""

    idle_seconds: float
    transactions: int
    """Per session; then it is closed, so that load balancers behind one address get to spread it."""
    idle_sessions: int = 100


def reusable(*, alive: bool, transactions: int, idle_for: float, limits: Limits) -> bool:
    """Tell whether a session may serve (another) transaction after so long without one."""
    return alive and transactions < limits.transactions and idle_for < limits.idle_seconds


class _Idle(NamedTuple):
    target: Target
    session: Session
    since: float
    timer: asyncio.TimerHandle


class Pool:
    """Idle sessions. A session is either here or with the one who took it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        """May be changed; sessions kept already are closed when the old ones said."""
        self._idle: dict[Session, _Idle] = {}
        """Oldest first."""
        self._to: dict[Target, list[Session]] = {}
        """The same by target, oldest first."""
        self._farewells: set[asyncio.Task[None]] = set()

    def take(self, target: Target) -> Session | None:
        """Return the session last used for this target, if one is kept: the likeliest to be still open."""
        now = asyncio.get_running_loop().time()
        while kept := self._to.get(target):
            idle = self._forget(kept[-1])
            if self._is_reusable(idle.session, now - idle.since):
                return idle.session
            self._dismiss(idle.session)
        return None

    def give(self, target: Target, session: Session) -> None:
        """Take a session back; keep it, or close it."""
        if not self._is_reusable(session, 0.0):
            self._dismiss(session)
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self.limits.idle_seconds, self._expire, session)
        self._idle[session] = _Idle(target, session, loop.time(), timer)
        self._to.setdefault(target, []).append(session)
        if len(self._idle) > self.limits.idle_sessions:
            self._expire(next(iter(self._idle)))

    async def close(self) -> None:
        """Say goodbye to every idle session."""
        for session in list(self._idle):
            self._expire(session)
        if self._farewells:
            await asyncio.wait(self._farewells)

    def _is_reusable(self, session: Session, idle_for: float) -> bool:
        willing = session.alive and not session.exhausted
        return reusable(alive=willing, transactions=session.transactions, idle_for=idle_for, limits=self.limits)

    def _expire(self, session: Session) -> None:
        self._forget(session)
        self._dismiss(session)

    def _forget(self, session: Session) -> _Idle:
        idle = self._idle.pop(session)
        idle.timer.cancel()
        kept = self._to[idle.target]
        kept.remove(session)
        if not kept:
            del self._to[idle.target]
        return idle

    def _dismiss(self, session: Session) -> None:
        if not session.alive:
            return
        task = asyncio.create_task(session.quit())
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)
