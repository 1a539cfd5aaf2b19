"""A place at a destination: a slot, and the session kept with it, for one attempt at a time."""

import asyncio
from collections.abc import Callable, Sequence

from services.delivery.shaping.limits import Limits
from services.delivery.smtp.client import Client, Failure, Target
from services.delivery.smtp.session import Session
from shared.broker.port import Slot


class Berth:
    """At most one session at any moment; the next is opened only when the one before it has ended."""

    def __init__(self, site: str, limits: Limits) -> None:
        self.site = site
        self.limits = limits
        self.slot: Slot | None = None
        self.lost = False
        """True once the slot may be another worker's."""
        self.on_loss: Callable[[], None] | None = None
        """What ends whatever is under way."""
        self.timer: asyncio.TimerHandle | None = None
        self._kept: tuple[Target, Session] | None = None
        self.begin(limits)

    def begin(self, limits: Limits) -> None:
        """Begin another attempt."""
        self.limits = limits
        self.on_loss = None
        self.met = False
        """True if a host took a session in this attempt."""
        self.failures: list[Failure] = []
        self._sessions: list[tuple[Session, int]] = []

    @property
    def session(self) -> Session | None:
        """The session that is kept, if it is still alive."""
        return self._kept[1] if self._kept is not None and self._kept[1].alive else None

    @property
    def used(self) -> int:
        """How many transactions were begun in this attempt."""
        return sum(session.transactions - before for session, before in self._sessions)

    def suits(self, targets: Sequence[Target]) -> bool:
        """Tell whether the session kept is one for these targets."""
        return self.session is not None and self._kept is not None and self._kept[0] in targets

    def ordered(self, targets: Sequence[Target]) -> Sequence[Target]:
        """Return the targets with the one first to which a session is kept, unless it is a spare host's."""
        if self._kept is None or self._kept[0].spare or not self.suits(targets):
            return targets
        first = self._kept[0]
        return (first, *(target for target in targets if target != first))

    def take(self, target: Target) -> Session | None:
        """Return the session kept, if it is for this target and may serve another transaction."""
        if self._kept is None or self._kept[0] != target or not self.reusable:
            return None
        session = self._kept[1]
        self._kept = None
        self._sessions.append((session, session.transactions))
        return session

    async def open(self, client: Client, target: Target, domain: str) -> Session | Failure:
        """Open a session, after the one kept has ended."""
        await self.quit()
        opened = await client.open(target, domain)
        if isinstance(opened, Failure):
            self.failures.append(opened)
        else:
            self.met = True
            self._sessions.append((opened, opened.transactions))
        return opened

    def give(self, target: Target, session: Session) -> None:
        """Take a session back after a transaction."""
        if session.alive:
            self.met = True
            self._kept = (target, session)

    @property
    def reusable(self) -> bool:
        """True if the session kept may serve another transaction."""
        session = self.session
        return session is not None and not session.exhausted and session.transactions < self.limits.messages

    async def quit(self) -> None:
        """End the session kept, if there is one."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept[1].quit()

    def lose(self) -> None:
        """End everything at once: the slot may be another worker's in a moment."""
        self.lost = True
        if self._kept is not None:
            self._kept[1].abort()
        if self.on_loss is not None:
            self.on_loss()

    def interrupt_by(self, callback: Callable[[], None]) -> None:
        """Say how to end what is under way; called at once if the slot is lost already."""
        self.on_loss = callback
        if self.lost:
            callback()
