"""The beginning of a session: who is let in, who is turned away, and how a session ends by QUIT."""

import asyncio
import contextlib
from typing import NoReturn

from services.ingress import replies
from services.ingress.policy.inquiry import Inquiry
from services.ingress.protocol.balancer import Balanced
from services.ingress.protocol.commands import MAX_LINE, Command, parse_command
from services.ingress.protocol.input import LineTooLong
from services.ingress.protocol.voice import Goodbye
from services.ingress.replies import Refuse
from shared.smtp.reply import Reply

BYE = Reply(221, "2.0.0", "Bye")


class Entrance(Balanced):
    """What comes before the first command."""

    _inquiry: Inquiry | None = None

    async def open(self) -> None:
        """Greet, or refuse to."""
        if self.door.balancers is not None:
            await self.arrive(self.door.balancers)
        self.admit()
        if self.door.implicit_tls is not None:
            await self.start_tls(self.door.implicit_tls)
        if not self.is_own_of_balancer:
            await self._look_over()
        self.say(Reply(220, None, f"{self.site.hostname} ESMTP Sluice"))

    async def _look_over(self) -> None:
        guard, address, mode = self.site.guard, self.address, self.door.listener.mode
        refused = guard.connect(address)
        if refused is not None:
            await self._turn_away(refused)
        self._inquiry = guard.inquire(address, mode)
        delay = guard.greeting_delay(address, mode)
        if delay and await self._speaks_within(delay):
            await self._turn_away(replies.EARLY_TALKER)

    async def _speaks_within(self, seconds: float) -> bool:
        """Return whether the client sends anything in this time: a server speaks first (RFC 5321 section 3.1)."""
        if not self.input:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.more()
        return len(self.input) > 0

    async def _turn_away(self, refused: Refuse) -> NoReturn:
        """Refuse all mail of this session in place of the greeting; then obey QUIT only (RFC 5321 section 3.1)."""
        self.refuse(refused)
        while True:
            command = await self._next_command()
            if isinstance(command, Refuse):
                self.refuse(command)
            elif command.verb == "QUIT":
                self.quit(command.argument)
            else:
                self.refuse(replies.TURNED_AWAY)

    async def _next_command(self) -> Command | Refuse:
        try:
            line = await self.line(MAX_LINE)
        except LineTooLong:
            return replies.LINE_TOO_LONG
        self.commands += 1
        return parse_command(line)

    @property
    def client_name(self) -> str | None:
        """The client's name by DNS that leads back to its address, if that was looked up."""
        inquiry = self._inquiry
        if inquiry is None or not inquiry.done() or inquiry.cancelled():
            return None
        named = inquiry.result().reverse
        return None if named is None else named.name

    def finish(self, end: str) -> None:
        """End the session, and what is still being asked about it."""
        if self._inquiry is not None:
            self._inquiry.cancel()
        super().finish(end)

    def quit(self, _: str) -> NoReturn:
        """End the session."""
        self.say(BYE)
        raise Goodbye("quit")
