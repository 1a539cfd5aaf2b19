"""What a client sends, by line for commands and by chunk for content, over one stream reader."""

import asyncio
from collections.abc import Awaitable, Callable

CHUNK = 256 * 1024
"""Octets taken at a time; what a stream reader holds at most is twice its limit."""
READER_LIMIT = 64 * 1024


class LineTooLong(Exception):  # noqa: N818  (what the client did, not a fault of ours)
    """A line over the limit was read to its end and thrown away."""


class Input:
    """Reads with one time-out a line, or a chunk. EOFError at the end of input, TimeoutError when nothing comes.

    `before_wait` runs whenever there is nothing left to read at once: the place to send the replies of a pipelined
    group together (RFC 2920).
    """

    def __init__(
        self, reader: asyncio.StreamReader, timeout: float, before_wait: Callable[[], Awaitable[None]]
    ) -> None:
        self._reader = reader
        self._timeout = timeout
        self._before_wait = before_wait
        self._buffer = bytearray()

    async def line(self, limit: int) -> bytes:
        """Return the next line without its CRLF or LF. Raise LineTooLong if it has more than `limit` octets."""
        too_long = False
        start = 0
        async with asyncio.timeout(self._timeout):
            while (end := self._buffer.find(b"\n", start)) < 0:
                if len(self._buffer) > limit:
                    too_long = True
                    self._buffer.clear()
                start = len(self._buffer)
                self._buffer += await self._read()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if too_long or end > limit:
            raise LineTooLong
        return line.removesuffix(b"\r")

    async def chunk(self) -> bytes:
        """Return octets as they come, at least one."""
        if self._buffer:
            octets = bytes(self._buffer)
            self._buffer.clear()
            return octets
        async with asyncio.timeout(self._timeout):
            return await self._read()

    def put_back(self, octets: bytes) -> None:
        """Make octets the next to be read."""
        self._buffer[:0] = octets

    def discard(self) -> None:
        """Forget what was read ahead: after STARTTLS it is plain text that anybody may have put there (RFC 3207)."""
        self._buffer.clear()

    async def _read(self) -> bytes:
        await self._before_wait()
        octets = await self._reader.read(CHUNK)
        if not octets:
            raise EOFError
        return octets
