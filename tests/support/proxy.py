"""A TCP proxy in front of a server, whose links a test may cut or silence."""

import asyncio
import contextlib
from typing import Self

BLOCK = 65536


class Proxy:
    """Listens on a port of its own and passes octets to and from `port` on loopback."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._silent = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._ups: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.connections = 0
        """Ever taken."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection, on both sides."""
        for writer in self._writers | self._ups:
            writer.transport.abort()

    def cut_far_side(self) -> None:
        """Reset every connection at the server's side only, and swallow what clients say: they are told nothing."""
        self._silent = True
        for writer in self._ups:
            writer.transport.abort()

    def silence(self) -> None:
        """Pass nothing on from now on, over new connections either; nobody is told."""
        self._silent = True

    def resume(self) -> None:
        """Pass octets on again; what was swallowed stays so."""
        self._silent = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        up_reader, up = await asyncio.open_connection("127.0.0.1", self._to)
        self._ups.add(up)
        await asyncio.gather(self._pass(reader, up), self._pass(up_reader, writer))
        self._writers.discard(writer)
        self._ups.discard(up)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while block := await reader.read(BLOCK):
                if not self._silent:
                    writer.write(block)
                    await writer.drain()
        if not self._silent:
            writer.close()
