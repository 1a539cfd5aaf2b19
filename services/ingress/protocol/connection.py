"""One client's connection: its life from greeting to close, its command loop, its TLS. What commands do: session.py.

Built on aiosmtpd's protocol (its connection and STARTTLS handling, its session object, its `smtp_` methods); the
command loop, reading and time-outs are ours, which removes the defects BROKER.md lists as 22 to 28.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

from aiosmtpd.smtp import SMTP, TLSSetupException

from services.ingress import replies
from services.ingress.protocol.commands import MAX_AUTH_LINE, Command, parse_command
from services.ingress.protocol.draft import Draft, State
from services.ingress.protocol.input import READER_LIMIT, Input, LineTooLong
from services.ingress.replies import Refuse
from services.ingress.site import Door, Site
from shared import log, metrics
from shared.smtp.reply import Reply

MAX_ERRORS = 20
"""Refused commands after which a stranger is cut off."""
MAX_ERRORS_OF_OURS = 1000
"""The same for trusted and authenticated clients: a mailing list may have that many bad recipients."""
GOODBYE_SECONDS = 5.0
"""How long a closing connection is waited for to take its last reply."""


class Goodbye(Exception):  # noqa: N818  (the session's regular end)
    """End the session; the last reply has been said. The text is how it ended, for the log."""


class Connection(SMTP):
    """The shell. Nothing that a client does, its hanging up included, cancels a command that is being carried out."""

    session: State
    envelope: Draft

    def __init__(self, site: Site, door: Door) -> None:
        # Not SMTP.__init__: it reflects over every method for each connection and clears a table of limits
        # that all connections share (BROKER.md 22, 25). These are the fields its other methods use.
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(READER_LIMIT, loop)
        asyncio.StreamReaderProtocol.__init__(self, reader, self._cb_client_connected, loop)
        self.loop = loop
        self.transport = None
        self.tls_context = door.tls
        self._tls_protocol = None
        self._original_transport = None
        self._handle_hooks = {}
        self._handler_coroutine = None
        self.site = site
        self.door = door
        self.address = ""
        self.input = Input(reader, site.settings.command_timeout, self.flush)
        self.tls_version: str | None = None
        """TLS version and cipher, or None."""
        self.certificate: dict[str, Any] | None = None
        """The client's, if it has shown one that the handshake verified."""
        self.counts = {"commands": 0, "messages": 0}
        self._output: list[bytes] = []
        self._committing = False
        self._stopping = False
        self._errors = 0
        self._log = log.get()

    # The connection, as asyncio and aiosmtpd see it.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or begin again under TLS, where aiosmtpd forgets all state (RFC 3207 section 4.2)."""
        super().connection_made(transport)
        self.site.open.add(self)
        tls = transport.get_extra_info("ssl_object")
        self.certificate = transport.get_extra_info("peercert")
        self.tls_version = f"{tls.version()} {tls.cipher()[0]}" if tls is not None else None

    def eof_received(self) -> bool | None:
        """Let the session answer what it has read, instead of cancelling it (BROKER.md 23)."""
        asyncio.StreamReaderProtocol.eof_received(self)
        return self.tls_version is None

    def connection_lost(self, error: Exception | None) -> None:
        """End the input, nothing more: a message past its final dot is still published (BROKER.md 23)."""
        if self._original_transport is not None:
            self._original_transport.close()
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        self.transport = None

    def _create_session(self) -> State:
        return State(self.loop)

    def _create_envelope(self) -> Draft:
        return Draft()

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Do nothing: each read has its own time-out (BROKER.md 28)."""

    async def push(self, status: Any) -> None:
        """Send a reply line at once; for aiosmtpd's own methods."""
        self._output.append((status if isinstance(status, bytes) else status.encode()) + b"\r\n")
        await self.flush()

    # What is said.

    def say(self, reply: Reply) -> None:
        """Queue a reply; it goes out before the session next waits for the client (RFC 2920 section 3.2)."""
        self._output.append(f"{reply}\r\n".encode())

    def say_lines(self, code: int, lines: list[str]) -> None:
        """Queue a reply of several lines."""
        last = len(lines) - 1
        self._output += [f"{code}{' ' if n == last else '-'}{line}\r\n".encode() for n, line in enumerate(lines)]

    def refuse(self, refused: Refuse, **fields: object) -> None:
        """Say why not, under its rule in log and metric. A 421, or one error too many, ends the session."""
        self._record(refused, **fields)
        self._errors += refused.reply.is_permanent
        if self._errors >= (MAX_ERRORS if self.is_stranger else MAX_ERRORS_OF_OURS):
            refused = replies.TOO_MANY_ERRORS
            self._record(refused)
        if refused.reply.code == 421:
            raise Goodbye(refused.rule)

    def _record(self, refused: Refuse, **fields: object) -> None:
        self.say(refused.reply)
        metrics.refused.labels(refused.rule).inc()
        self._log.info("refused", client=self.address, rule=refused.rule, reply=str(refused.reply), **fields)

    async def flush(self) -> None:
        """Send what was said. Raise ConnectionError if the client is gone."""
        if self._output:
            self._writer.write(b"".join(self._output))
            self._output.clear()
            await self._writer.drain()

    # The session's life.

    @property
    def task(self) -> "asyncio.Task[None]":
        """The session's task, once the connection is made."""
        if self._handler_coroutine is None:
            raise RuntimeError("the connection is not made yet")
        return self._handler_coroutine

    def stop(self) -> None:
        """End the session with 421: at once, or after the reply to a message that is past its final dot."""
        self._stopping = True
        if not self._committing:
            self.task.cancel()

    @contextlib.contextmanager
    def committing(self) -> Iterator[None]:
        """Carry out what `stop` must not interrupt."""
        self._committing = True
        try:
            yield
        finally:
            self._committing = False

    async def _handle_client(self) -> None:
        """Run the session; aiosmtpd starts it as a task when the connection is made."""
        peer = self.session.peer
        self.address = str(peer[0]) if peer else "unknown"
        started = time.monotonic()
        end = "error"
        try:
            with metrics.sessions.track_inprogress():
                end = await self._converse()
        finally:
            self.site.open.discard(self)
            self._writer.close()
            seconds = round(time.monotonic() - started, 3)
            self._log.info("session", client=self.address, end=end, errors=self._errors, seconds=seconds, **self.counts)

    async def _converse(self) -> str:
        """Greet, obey, say goodbye; return how it ended."""
        refused = self.site.connections.enter(self.address)
        try:
            if refused is not None:
                self.refuse(refused)
            self.greet()
            while True:
                await self._one_command()
        except Goodbye as goodbye:
            end = str(goodbye)
        except TimeoutError:
            end = self._last_word(replies.TIMED_OUT)
        except asyncio.CancelledError:
            # Only `stop` and the end of the drain cancel a session; it ends here, and says so if it still can.
            self.task.uncancel()
            end = self._last_word(replies.SHUTTING_DOWN)
        except (EOFError, OSError, TLSSetupException):
            return "hung up"
        finally:
            if refused is None:
                self.site.connections.leave(self.address)
        with contextlib.suppress(OSError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self.flush()
        return end

    def _last_word(self, refused: Refuse) -> str:
        self._record(refused)
        return refused.rule

    async def _one_command(self) -> None:
        try:
            command = parse_command(await self.input.line(MAX_AUTH_LINE))
        except LineTooLong:
            command = replies.LINE_TOO_LONG
        self.counts["commands"] += 1
        if isinstance(command, Refuse):
            self.refuse(command)
            return
        try:
            await self.obey(command)
        except (EOFError, OSError, Goodbye, TLSSetupException):
            raise
        except Exception:  # noqa: BLE001  (BROKER.md 26: the client must hear 451 and nothing of the error)
            self._log.error("command failed", client=self.address, verb=command.verb, exc_info=True)
            self.reset()
            self.refuse(replies.INTERNAL)
        if self._stopping:
            self.refuse(replies.SHUTTING_DOWN)

    @property
    def is_stranger(self) -> bool:
        """Neither trusted nor authenticated."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget the mail transaction."""
        self.envelope = Draft()

    def greet(self) -> None:
        """Say the first line."""
        self.say(Reply(220, None, f"{self.site.hostname} ESMTP Sluice"))

    async def obey(self, command: Command) -> None:
        """Carry out one command."""
        raise NotImplementedError
