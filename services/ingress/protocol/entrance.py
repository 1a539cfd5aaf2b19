"""The beginning of a session: who is let in, who is turned away, and how a session ends by QUIT."""

from typing import NoReturn

from services.ingress import replies
from services.ingress.protocol.balancer import Balanced
from services.ingress.protocol.commands import MAX_LINE, Command, parse_command
from services.ingress.protocol.input import LineTooLong
from services.ingress.protocol.voice import Goodbye
from services.ingress.replies import Refuse
from shared.smtp.reply import Reply

BYE = Reply(221, "2.0.0", "Bye")


class Entrance(Balanced):
    """What comes before the first command."""

    async def open(self) -> None:
        """Greet, or refuse to."""
        if self.door.balancers is not None:
            await self.arrive(self.door.balancers)
        self.admit()
        refused = self.site.guard.connect(self.address)
        if refused is not None:
            await self._turn_away(refused)
        self.say(Reply(220, None, f"{self.site.hostname} ESMTP Sluice"))

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

    def quit(self, _: str) -> NoReturn:
        """End the session."""
        self.say(BYE)
        raise Goodbye("quit")
