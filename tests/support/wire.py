"""An in-memory network for one session of the real ingress: no sockets, no threads, as fast as the code itself.

`Wire` is the transport the session's protocol object is given; `Caller` is the client at its other end, in plain text
or TLS. What is fed reaches the protocol in exactly the pieces it was fed in, each from a callback of the loop, as it
would come from a socket.
"""

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from typing import Any, cast

PATIENCE = 5.0
"""Seconds within which the session must have answered, or ended after the end of its input."""


class Secure:
    """What a transport under TLS says of it."""

    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> tuple[str, str, int]:
        return "TLS_AES_256_GCM_SHA384", "TLSv1.3", 256


class Wire(asyncio.Transport):
    """A transport to a client in the same loop; `asyncio`'s own TLS can be started on it."""

    _start_tls_compatible = True

    def __init__(self, protocol: asyncio.BaseProtocol, peer: str, *, under_tls: bool = False) -> None:
        super().__init__()
        self._known: dict[str, Any] = {"peername": (peer, 40000), "sockname": ("127.0.0.1", 25)}
        if under_tls:
            self._known["ssl_object"] = Secure()
        self._protocol = protocol
        self._paused = self._closing = self._ended = self._input_ended = self._due = False
        self._backlog: list[bytes] = []
        self.output = bytearray()
        self.output_ended = False
        """The server has closed its half, or all."""
        self.news = asyncio.Event()
        """Set when there is output, or the end of it."""

    # The server's side.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return addresses as a TCP transport would."""
        return self._known.get(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._schedule()

    def get_write_buffer_size(self) -> int:
        return 0

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return 16384, 65536

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Take any limits: the client at the other end reads at once."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.output_ended, f"written after the end: {bytes(data)!r}"
        if not self._ended:
            self.output += data
            self.news.set()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(bytes(data) for data in list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.output_ended = True
        self.news.set()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._lose, None)

    def abort(self) -> None:
        self.close()

    def _force_close(self, error: Exception | None) -> None:
        """Close at once; asyncio's TLS calls this when a handshake fails."""
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._lose, error)

    def _lose(self, error: Exception | None) -> None:
        self._ended = self.output_ended = True
        self._protocol.connection_lost(error)
        self.news.set()

    # The client's side.

    @property
    def is_read(self) -> bool:
        """The server has taken all that was fed."""
        return not self._backlog

    def feed(self, octets: bytes) -> None:
        """Let octets arrive at the server, in one piece if it is reading and has room for it."""
        if octets:
            self._backlog.append(octets)
            self._schedule()

    def end(self) -> None:
        """Let the client's end of file arrive, after what was fed."""
        self._input_ended = True
        self._schedule()

    def cut(self) -> None:
        """Let the connection break, as a RST does."""
        self._force_close(ConnectionResetError("reset by the test"))

    def choke(self) -> None:
        """Take no more output: what the server has written stays in its buffer, which is full."""
        cast("asyncio.Protocol", self._protocol).pause_writing()

    def take_again(self) -> None:
        """Take output again."""
        asyncio.get_running_loop().call_soon(cast("asyncio.Protocol", self._protocol).resume_writing)

    def _schedule(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        """Give one piece, as a loop reads a socket once in a turn; then others have their turn."""
        self._due = False
        if self._paused or self._closing:
            return
        if self._backlog:
            octets = self._backlog.pop(0)
            given = self._give(octets)
            if given < len(octets):
                self._backlog.insert(0, octets[given:])
        elif self._input_ended:
            self._input_ended = False
            protocol = cast("asyncio.Protocol", self._protocol)
            if not protocol.eof_received():
                self.close()
        if self._backlog or self._input_ended:
            self._schedule()

    def _give(self, octets: bytes) -> int:
        """Give octets to the protocol and return how many it had room for."""
        protocol = self._protocol
        if not isinstance(protocol, asyncio.BufferedProtocol):
            cast("asyncio.Protocol", protocol).data_received(octets)
            return len(octets)
        room = memoryview(protocol.get_buffer(-1))
        count = min(len(room), len(octets))
        room[:count] = octets[:count]
        protocol.buffer_updated(count)
        return count


class Caller:
    """A client on a wire. Every wait raises AssertionError after PATIENCE."""

    def __init__(self, protocol: asyncio.BaseProtocol, peer: str, *, under_tls: bool = False) -> None:
        self.wire = Wire(protocol, peer, under_tls=under_tls)
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._heard = b""
        self._closed = False
        """The server has ended TLS."""
        asyncio.get_running_loop().call_soon(protocol.connection_made, self.wire)  # as the loop does: from no task

    async def send(self, octets: bytes) -> None:
        """Send octets and let the server's loop turn once."""
        if self._tls is None:
            self.wire.feed(octets)
        elif octets:
            self._tls.write(octets)
            self.wire.feed(self._outgoing.read())
        await asyncio.sleep(0)

    async def reply(self) -> str:
        """Return the next whole reply, lines joined by LF; "" at the end of the connection."""
        lines = [await self.line()]
        while lines[-1][3:4] == "-":
            lines.append(await self.line())
        return "\n".join(lines)

    async def ask(self, line: bytes) -> str:
        """Send a command and return its reply."""
        await self.send(line + b"\r\n")
        return await self.reply()

    async def line(self) -> str:
        """Return the next line without its end; "" at the end of the connection."""
        while b"\r\n" not in self._heard:
            if not await self._hear():
                assert not self._heard, f"the connection ended within a line: {self._heard!r}"
                return ""
        line, _, self._heard = self._heard.partition(b"\r\n")
        return line.decode("utf-8")

    def unread(self) -> bytes:
        """Return what has come and nobody has asked for."""
        self._heard += self._arrived()
        return self._heard

    async def rest(self) -> bytes:
        """End the input and return everything the server says until it closes."""
        self.wire.end()
        while await self._hear():
            pass
        heard, self._heard = self._heard, b""
        return heard

    async def start_tls(self, context: ssl.SSLContext, name: str = "127.0.0.1") -> None:
        """Shake hands. ssl.SSLError if that fails, AssertionError if the server leaves."""
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._incoming.write(self._heard)
        self._heard = b""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.wire.feed(self._outgoing.read())
                assert await self._news(), "the server left within the handshake"
                self._incoming.write(self._take())
            else:
                self.wire.feed(self._outgoing.read())
                return

    async def _hear(self) -> bool:
        """Wait for more; False at the end."""
        while True:
            heard = self._arrived()
            if heard:
                self._heard += heard
                return True
            if self._closed or not await self._news():
                self.wire.end()
                return False

    def _arrived(self) -> bytes:
        if self._tls is None:
            return self._take()
        self._incoming.write(self._take())
        return self._decrypted(self._tls)

    def _decrypted(self, tls: ssl.SSLObject) -> bytes:
        heard = b""
        try:
            while part := tls.read(65536):
                heard += part
            self._closed = True
        except ssl.SSLZeroReturnError:
            self._closed = True
        except ssl.SSLWantReadError:
            pass
        return heard

    def _take(self) -> bytes:
        octets = bytes(self.wire.output)
        self.wire.output.clear()
        return octets

    async def _news(self) -> bool:
        """Wait until there is output; False if the connection has ended without any."""
        while not self.wire.output:
            if self.wire.output_ended:
                return False
            self.wire.news.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self.wire.news.wait()
            except TimeoutError:
                raise AssertionError("the session neither answers nor ends") from None
        return True


async def converse(
    protocol: asyncio.BaseProtocol, peer: str, pieces: Sequence[bytes], turns: int = 1, *, under_tls: bool = False
) -> bytes:
    """Send the pieces, some turns of the loop after each, then the end of input; return all the server says."""
    caller = Caller(protocol, peer, under_tls=under_tls)
    for piece in pieces:
        caller.wire.feed(piece)
        for _ in range(turns):
            await asyncio.sleep(0)
    if under_tls:
        # Under TLS there is no closing of one half: the end of input takes the connection, and replies, with it.
        async with asyncio.timeout(PATIENCE):
            while not (caller.wire.output_ended or (caller.wire.is_read and _is_idle(cast("Any", protocol)))):
                await asyncio.sleep(0)
    return await caller.rest()


def _is_idle(session: Any) -> bool:
    """Return whether the session waits for the client."""
    return not session._busy or session._more is not None
