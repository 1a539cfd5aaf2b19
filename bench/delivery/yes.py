"""A destination that costs as little as it may: it says yes, and looks for nothing but the end of a message.

`python -m bench.delivery.yes [chunking]` prints its port and runs until its standard input ends.
"""

import asyncio
import sys
from typing import cast

import uvloop

EHLO = b"250-sink.bench.example\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
REPLIES = {
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"DATA": b"354 End data with <CR><LF>.<CR><LF>\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}


class Sink(asyncio.Protocol):
    """One session."""

    def __init__(self, *, chunking: bool) -> None:
        self._ehlo = EHLO.replace(b"250 ENH", b"250-CHUNKING\r\n250 ENH") if chunking else EHLO
        self._buffer = b""
        self._in_data = False
        self._chunk = 0
        self._count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"220 sink.bench.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        out = []
        while True:
            if self._in_data:
                if not self._buffer.endswith(b"\r\n.\r\n"):
                    break
                self._buffer, self._in_data = b"", False
                out.append(self._queued())
            elif self._chunk:
                if len(self._buffer) < self._chunk:
                    break
                self._buffer, self._chunk = self._buffer[self._chunk :], 0
                out.append(self._queued())
            else:
                end = self._buffer.find(b"\r\n")
                if end < 0:
                    break
                line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
                out.append(self._command(line))
        if out:
            self._transport.write(b"".join(out))

    def _command(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"EHLO":
            return self._ehlo
        if verb == b"BDAT":
            self._chunk = int(line.split()[1])
            return b""
        self._in_data = verb == b"DATA"
        return REPLIES[verb]

    def _queued(self) -> bytes:
        """As Postfix answers: no two replies are the same."""
        self._count += 1
        return b"250 2.0.0 Ok: queued as %X%08X\r\n" % (id(self), self._count)


async def main() -> None:
    """Serve."""
    loop = asyncio.get_running_loop()
    chunking = "chunking" in sys.argv[1:]
    server = await loop.create_server(lambda: Sink(chunking=chunking), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
