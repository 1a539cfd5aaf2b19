"""One client's session: its life from greeting to close, and the order of its commands. What they do: session.py.

How it runs. A session has one task. Octets are parsed where they arrive, and each command is begun there and then
(stepping.py); one that waits for nothing (most) is over before the next octet is looked at, and the replies of a
pipelined group leave in one write (RFC 2920 section 3.2). What waits is carried on by the task, and nothing else of
the session is looked at until it has ended. A command is an ordinary function; it returns None when it is done, or a
coroutine with the rest of it, which may await what it likes. So a policy hook costs nothing where it has nothing to
ask, and a command that always waits is simply an `async def`.

Where to join in:

- before the greeting: `open` of entrance.py, which may await `more` and read `input` (balancer.py does);
- after a command: an entry of session.py's COMMANDS;
- a line out of turn, as in AUTH: `await self.line(limit)`;
- octets that are no commands (DATA, BDAT): `self.receive(sink, then)`; the sink takes octets until it has seen its end.

Nothing that a client does, its hanging up included, cancels a command that is being carried out (BROKER.md 23). One
timer looks after all time-outs (pace.py).
"""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from services.ingress import replies
from services.ingress.protocol.commands import MAX_AUTH_LINE, Command, parse_command, too_long
from services.ingress.protocol.connection import COMMAND_OCTETS, Connection, Sink
from services.ingress.protocol.input import LineTooLong
from services.ingress.protocol.pace import Progress, command_deadline, content_deadline
from services.ingress.protocol.stepping import Suspended, Work, first_step
from services.ingress.protocol.voice import Goodbye, HungUp
from services.ingress.replies import Refuse
from services.ingress.site import Door, Site
from shared import metrics

COMMANDS_AT_ONCE = 250
"""So many that wait for nothing are carried out before other sessions have their turn: about a millisecond's."""

S = TypeVar("S", bound=Sink)


class Conversation(Connection):
    """The session's task, and what it and the arriving octets make of each other."""

    def __init__(self, site: Site, door: Door) -> None:
        super().__init__(site, door)
        self.commands = 0
        self.messages = 0
        self._suspended: Suspended | None = None
        """The rest of a command, for the task."""
        self._wake: asyncio.Future[None] | None = None
        """The task sleeps on it while there is nothing for it to do."""
        self._then: Callable[[], Work | None] | None = None
        self.verb = "connect"
        """Of the command that is being carried out, for the log."""
        self._since = self.loop.time()
        """When the client was last done with something."""
        self._stopping = self._deferred = False
        self.is_own_of_balancer = False
        """Nobody's session but a balancer's own, such as its checks."""
        self._admitted: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        self.site.open.add(self)
        self.task = self.loop.create_task(self._live())
        self._alarm = self.loop.call_later(self.site.pace.look, self._look)
        # Now, not when the task runs: until then octets would be read that are not for us, such as TLS's.
        self._suspended = first_step(self._guard(self.open()), self.task, self.loop)

    # The session's life.

    async def _live(self) -> None:
        """Be the session's task: open it, carry on what waits, account for it."""
        started = time.monotonic()
        metrics.sessions.inc()
        try:
            opening, self._suspended = self._suspended, None
            if opening is not None:
                await opening
            while self.end is None:
                self._busy = False
                self._work()
                while self._suspended is None and self.end is None:
                    await self._sleep()
                suspended, self._suspended = self._suspended, None
                if suspended is not None:
                    await suspended
        except asyncio.CancelledError:
            # Only the end of the drain cancels a session; it ends here, and says so if it still can.
            self.task.uncancel()
            self.record(replies.SHUTTING_DOWN)
            self.finish(replies.SHUTTING_DOWN.rule)
        finally:
            self.finish("error")
            self.site.open.discard(self)
            if self._admitted is not None:
                self.site.connections.leave(self._admitted)
            metrics.sessions.dec()
            checked = self.is_own_of_balancer and not self.messages and not self.errors
            (self.log.debug if checked else self.log.info)(
                "session",
                client=self.address,
                end=self.end,
                errors=self.errors,
                seconds=round(time.monotonic() - started, 3),
                commands=self.commands,
                messages=self.messages,
            )

    async def _sleep(self) -> None:
        self._wake = self.loop.create_future()
        try:
            await self._wake
        except asyncio.CancelledError as error:
            if self._suspended is None:
                raise
            self._suspended.error = error  # it was meant for what the task is about to carry on
        finally:
            self._wake = None

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def admit(self) -> None:
        """Count the connection against the limits; refuse it if it is one too many.

        Where TLS comes first that is done without a word: a handshake for each refusal would be worth an attack.
        """
        refused = self.site.connections.enter(self.address)
        if refused is not None:
            self.mute = self.door.implicit_tls is not None
            self.refuse(refused)
        self._admitted = self.address

    def stop(self) -> None:
        """End the session with 421: now, or after the command that is being carried out."""
        if self._shaking:
            self.transport.abort()
        elif self._busy and self._more is None:
            self._stopping = True
        else:
            self._dismiss(replies.SHUTTING_DOWN)

    def _dismiss(self, refused: Refuse) -> None:
        """Say goodbye while the client's next octets are waited for."""
        if self.end is not None:
            return
        self.record(refused)
        if self._more is None:
            self.finish(refused.rule)
        elif not self._more.done():
            self._more.set_exception(Goodbye(refused.rule))

    def _look(self) -> None:
        """Look after the time-outs."""
        now = self.loop.time()
        pace = self.site.pace
        due: Refuse | float = now + pace.look
        if self._more is not None or not self._busy:
            message = self.envelope.incoming  # between BDAT's chunks, too
            due = (
                command_deadline(pace, self._since, now)
                if message is None
                else content_deadline(pace, Progress(message.began, self._since, message.octets), now)
            )
        self._alarm = None
        if isinstance(due, Refuse):
            self._dismiss(due)
        if self.end is None:
            self._alarm = self.loop.call_at(
                now + pace.look if isinstance(due, Refuse) else min(due, now + pace.look), self._look
            )

    # The order of commands.

    def _work(self) -> None:
        """Carry out what has come, until it is used up, a command waits, the client reads no replies, or for a turn."""
        left = COMMANDS_AT_ONCE
        while not (self._busy or self._choked or self._deferred or self.end is not None):
            if not left:
                self._deferred = True
                self.loop.call_soon(self._work_on)
                break
            left -= 1
            if self.lost:
                self.finish("hung up")
                return
            self._busy = True
            if not self._step():
                self._busy = False
                if self._eof:
                    self.finish("hung up")
                break
            if self._suspended is not None:
                self._rouse()
                break
            self._busy = False
            self._since = self.loop.time()
            if self.said > COMMAND_OCTETS:
                self.flush()
        self.flush()
        if self._paused:
            self._read_on()

    def _work_on(self) -> None:
        self._deferred = False
        self._work()

    def _step(self) -> bool:
        """Carry out what comes next, as far as it goes without waiting. False if more octets are needed first."""
        try:
            if self._sink is None:
                line = self._line()
                if line is None:
                    return False
                self.commands += 1
                rest = self._command(line)
            else:
                then = self._fill(self._sink)
                if then is None:
                    return False
                rest = then()
            if rest is None and self._stopping:
                self.refuse(replies.SHUTTING_DOWN)
        except Exception as error:  # noqa: BLE001  (whatever it is, the client must hear 451)
            self._end_of(error)
        else:
            if rest is not None:
                self._suspended = first_step(self._guard(rest), self.task, self.loop)
        return True

    def _line(self) -> bytes | Refuse | None:
        try:
            return self.input.line(MAX_AUTH_LINE)
        except LineTooLong as error:
            return too_long(error.beginning)

    def _command(self, line: bytes | Refuse) -> Work | None:
        command = parse_command(line) if isinstance(line, bytes) else line
        if isinstance(command, Refuse):
            self.verb = ""
            self.refuse(command)
            return None
        self.verb = command.verb
        return self.obey(command)

    def _fill(self, sink: Sink) -> Callable[[], Work | None] | None:
        """Give the sink what has come; return what then is to be done, None while it has not seen its end."""
        octets = self.input.take(sink.wanted)
        if not octets:
            return None
        self._since = self.loop.time()
        rest = sink.feed(octets)
        if rest is None:
            return None
        then = self._then
        self._then = None
        self._give_to(None)
        if rest:
            self.input.put_back(rest)
        return then

    async def _guard(self, work: Work) -> None:
        """Carry out the rest of a command. Raises nothing."""
        try:
            await work
            if self._stopping:
                self.refuse(replies.SHUTTING_DOWN)
        except Exception as error:  # noqa: BLE001  (whatever it is, the client must hear 451)
            self._end_of(error)

    def _end_of(self, error: Exception) -> None:
        """End the session, or only the command: what goes wrong is a 451 that says nothing of itself (BROKER.md 26)."""
        try:
            if isinstance(error, Goodbye | HungUp):
                raise error
            self.log.error("command failed", client=self.address, verb=self.verb, exc_info=error)
            self.reset()
            self.refuse(replies.INTERNAL)
            if self._stopping:
                self.refuse(replies.SHUTTING_DOWN)
        except Goodbye as goodbye:
            self.finish(str(goodbye))
        except HungUp:
            self.finish("hung up")

    # For commands.

    async def more(self) -> None:
        """Wait until the client has sent something. Raise HungUp if it will not, Goodbye if it took too long."""
        self.flush()
        if self._eof:
            raise HungUp
        self._read_on()
        self._more = self.loop.create_future()
        try:
            await self._more
        finally:
            self._more = None

    async def line(self, limit: int) -> bytes:
        """Return the client's next line, without its end. Raise LineTooLong, HungUp or Goodbye."""
        self._since = self.loop.time()
        while (line := self.input.line(limit)) is None:
            await self.more()
        return line

    def receive(self, sink: S, then: Callable[[S], Work | None]) -> None:
        """Give the octets that follow to `sink`; once it has seen its end, carry out `then`, as a command."""
        self._give_to(sink)
        self._then = lambda: then(sink)
        self._since = self.loop.time()

    async def open(self) -> None:
        """Do everything that comes before the first command."""
        raise NotImplementedError

    def obey(self, command: Command) -> Work | None:
        """Carry out one command; return the rest of it, if it has to wait for something."""
        raise NotImplementedError
