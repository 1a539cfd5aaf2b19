"""One client's connection: octets in and out, bounded both ways, and TLS. What is made of them: conversation.py.

What is held for a client is bounded: reading stops while a command runs and octets pile up, and while replies are not
read no command is begun.
"""

import asyncio
import ssl
from typing import Any, Protocol, cast

from services.ingress.protocol.draft import Draft, State
from services.ingress.protocol.input import Input
from services.ingress.protocol.voice import HungUp, Voice
from services.ingress.site import Door, Site
from services.ingress.tls import handshake_seconds

COMMAND_OCTETS = 16 * 1024
"""Read at a time while commands are expected, and so much may wait behind one that is being carried out."""
GOODBYE_SECONDS = 5.0
"""How long a closed session waits for the client to take its last reply."""


class Sink(Protocol):
    """Takes octets that are no commands."""

    @property
    def wanted(self) -> int | None:
        """So many may be fed; None: any number."""

    def feed(self, octets: bytes) -> bytes | None:
        """Take octets. Return those behind the end once that is reached, None before."""


class Connection(Voice, asyncio.BufferedProtocol):
    """The shell."""

    def __init__(self, site: Site, door: Door) -> None:
        super().__init__(site)
        self.door = door
        self.loop = asyncio.get_running_loop()
        self.input = Input()
        self.session = State()
        self.envelope = Draft()
        self.tls_version: str | None = None
        """TLS version and cipher, or None."""
        self.certificate: dict[str, Any] | None = None
        """The client's, if it has shown one that the handshake verified."""
        self._alarm: asyncio.TimerHandle | None = None
        self._busy = True
        """A command, or `open`, is being carried out."""
        self._more: asyncio.Future[None] | None = None
        """The command that is carried out waits on it for octets."""
        self._sink: Sink | None = None
        """What takes octets that are no commands."""
        self._choked = self._paused = self._eof = False
        self._turn = 0
        """Octets of content that are read before others have their turn."""
        self._room = COMMAND_OCTETS
        """Octets that are read at a time while commands are expected."""
        self._shaking = False
        """The client and we are within a TLS handshake."""
        self._stepwise = False
        """After each read the next one waits until it is asked for."""

    # The connection, as asyncio sees it.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else "unknown"
        self._note_tls()

    def get_buffer(self, _: int) -> memoryview:
        """Return where the next octets go: one buffer for all, emptied before anybody else reads."""
        arena, sink = self.site.arena, self._sink
        if sink is None:
            turn = self._room
        else:
            wanted = sink.wanted
            turn = arena.turn if wanted is None else min(arena.turn, wanted + COMMAND_OCTETS)
        self._turn = turn
        return arena.octets[:turn]

    def buffer_updated(self, count: int) -> None:
        """Work on what has come, or keep it until the command that is being carried out has ended."""
        if self.end is not None:
            return
        self.input.feed(bytes(self.site.arena.octets[:count]))
        if self._more is not None:
            if not self._more.done():
                self._more.set_result(None)
        elif not self._busy:
            self._work()
        if self.end is None and not self._paused:
            if self._stepwise or len(self.input) >= COMMAND_OCTETS:
                self._paused = True
                self.transport.pause_reading()
            elif count == self._turn:
                # More is there already. Others first: else one fast sender would be read until it has sent it all.
                self._paused = True
                self.transport.pause_reading()
                self.loop.call_soon(self._read_on)

    def eof_received(self) -> bool:
        """Let the session answer what it has read: the client may only have closed its half."""
        self._eof = True
        if self.end is not None:
            return False
        if self._more is not None and not self._more.done():
            self._more.set_exception(HungUp())
        elif not self._busy:
            self._work()
        return self.end is None and self.tls_version is None

    def connection_lost(self, _: Exception | None) -> None:
        """End the session, but not what it is carrying out: a message past its final dot is still published."""
        self.lost = self._eof = True
        if self._alarm is not None:
            self._alarm.cancel()
        if self._more is not None and not self._more.done():
            self._more.set_exception(HungUp())
        elif not self._busy:
            self.finish("hung up")

    def pause_writing(self) -> None:
        """Begin no command while the client does not take the replies."""
        self._choked = True

    def resume_writing(self) -> None:
        """Go on."""
        self._choked = False
        if not self._busy:
            self._work()

    def read_only(self, octets: int | None) -> None:
        """Read at most so many octets, and none after them until the next call; None: read as usual."""
        self._stepwise = octets is not None
        self._room = COMMAND_OCTETS if octets is None else octets

    def _read_on(self) -> None:
        if self._paused and self.end is None and len(self.input) < COMMAND_OCTETS:
            self._paused = False
            self.transport.resume_reading()

    def finish(self, end: str) -> None:
        """End the session; `end` is how, for the log. What was said still goes out."""
        if self.end is not None:
            return
        self.end = end
        unread = self._paused or self._sink is not None or len(self.input) > 0
        self._give_to(None)
        self.envelope.close()
        self.input.discard()
        self._rouse()
        if self.lost:
            return
        self.flush()
        if unread and self.tls_version is None and not self._eof:
            # Closing a socket with unread octets resets it, and the last reply is lost: first let the client finish.
            self.transport.write_eof()
            if self._paused:
                self.transport.resume_reading()
        else:
            self.transport.close()
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self.loop.call_later(GOODBYE_SECONDS, self.transport.abort)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Do the handshake; nothing said before it counts after it (RFC 3207 section 4.2). Raise HungUp if it fails."""
        self.flush()
        self.input.discard()
        self._paused = False
        self._shaking = True
        try:
            transport = await self.loop.start_tls(
                self.transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=handshake_seconds(self.site.settings),
            )
        except OSError as error:
            self.log.info("TLS handshake failed", client=self.address, error=str(error) or repr(error))
            raise HungUp from error
        finally:
            self._shaking = False
        if transport is None or transport.get_extra_info("ssl_object") is None:
            # So uvloop ends a handshake whose client was gone before it began.
            raise HungUp
        self.transport = transport
        self.session = State()
        self.reset()
        self._note_tls()

    def _note_tls(self) -> None:
        tls = self.transport.get_extra_info("ssl_object")
        self.certificate = self.transport.get_extra_info("peercert")
        self.tls_version = f"{tls.version()} {tls.cipher()[0]}" if tls is not None else None

    def reset(self) -> None:
        """Forget the mail transaction."""
        self.envelope.close()
        self.envelope = Draft()

    def _give_to(self, sink: Sink | None) -> None:
        """Give octets to a sink from now on; None: they are commands."""
        self.site.arena.receiving += (sink is not None) - (self._sink is not None)
        self._sink = sink

    def _rouse(self) -> None:
        """Wake the session's task."""
        raise NotImplementedError

    def _work(self) -> None:
        """Carry out what has come."""
        raise NotImplementedError
