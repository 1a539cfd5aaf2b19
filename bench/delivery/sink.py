"""Five hundred mail servers in one process: it listens on one port of every loopback address, and takes its time.

    python -m bench.delivery.sink PORT NAMES SECONDS

It is the name server on the UDP port NAMES as well. Each final dot is answered after SECONDS. A line on standard input
is answered by one line of JSON (Seen).
"""

import asyncio
import sys
from collections import Counter
from typing import cast

import msgspec
import uvloop

from bench.delivery.names import NameServer

BANNER = b"220 sink.example ESMTP\r\n"
HELLO = b"250-sink.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250 8BITMIME\r\n"
END = b"\r\n.\r\n"
MARK = b"X-Bench: "


class Seen(msgspec.Struct):
    """What has arrived since the process began."""

    messages: int = 0
    """Final dots answered 250."""
    different: int = 0
    """How many of them carried a number that no other had."""
    sessions: int = 0
    at_once: int = 0
    """Most sessions at a time."""
    at_one: int = 0
    """Most sessions at a time with any one of the servers."""
    first: float = 0.0
    """When the first session began, by the loop's clock."""
    last: float = 0.0
    """When the last final dot was answered."""


class Sink:
    """Counts."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.seen = Seen()
        self.numbers: set[bytes] = set()
        self.open: Counter[str] = Counter()
        self.all_open = 0

    def opened(self, address: str, now: float) -> None:
        """Count a session in."""
        self.seen.first = self.seen.first or now
        self.seen.sessions += 1
        self.all_open += 1
        self.open[address] += 1
        self.seen.at_once = max(self.seen.at_once, self.all_open)
        self.seen.at_one = max(self.seen.at_one, self.open[address])

    def closed(self, address: str) -> None:
        """Count a session out."""
        self.open[address] -= 1
        self.all_open -= 1

    def took(self, content: bytearray, now: float) -> None:
        """Count a message."""
        self.seen.messages += 1
        self.seen.last = now
        begin = content.find(MARK)
        self.numbers.add(bytes(content[begin : content.find(b"\r\n", begin)]))
        self.seen.different = len(self.numbers)


class Session(asyncio.Protocol):
    """One session: says yes to everything, pipelined or not."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._got = bytearray()
        self._in_content = self._busy = False
        self._address = ""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self._address = transport.get_extra_info("sockname")[0]
        self._sink.opened(self._address, self._loop.time())
        self._transport.write(BANNER)

    def connection_lost(self, _: Exception | None) -> None:
        """Forget it."""
        self._sink.closed(self._address)

    def data_received(self, data: bytes) -> None:
        """Take commands and content."""
        searched = max(0, len(self._got) - len(END))
        self._got += data
        self._go_on(searched)

    def _go_on(self, searched: int = 0) -> None:
        """Answer in order: what comes behind a final dot waits for its answer."""
        while self._got and not self._busy:
            if self._in_content:
                end = self._got.find(END, searched)
                if end < 0:
                    return
                self._loop.call_later(self._sink.seconds, self._take, self._got[:end])
                del self._got[: end + len(END)]
                self._in_content, self._busy = False, True
                continue
            end = self._got.find(b"\n")
            if end < 0:
                return
            verb = bytes(self._got[:4]).upper()
            del self._got[: end + 1]
            self._in_content, searched = verb == b"DATA", 0
            self._answer(verb)

    def _answer(self, verb: bytes) -> None:
        match verb:
            case b"EHLO":
                self._transport.write(HELLO)
            case b"DATA":
                self._transport.write(b"354 go on\r\n")
            case b"QUIT":
                self._transport.write(b"221 bye\r\n")
                self._transport.close()
            case _:
                self._transport.write(b"250 ok\r\n")

    def _take(self, content: bytearray) -> None:
        if not self._transport.is_closing():
            self._sink.took(content, self._loop.time())
            self._transport.write(b"250 2.0.0 taken\r\n")
            self._busy = False
            self._go_on()


async def serve(port: int, names: int, seconds: float) -> None:
    """Listen, and answer questions on standard input until its end."""
    sink, loop = Sink(seconds), asyncio.get_running_loop()
    await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", names))
    server = await loop.create_server(lambda: Session(sink), "0.0.0.0", port, backlog=4096)  # 127.0.0.0/8 as a whole
    async with server:
        while await loop.run_in_executor(None, sys.stdin.buffer.readline):
            sys.stdout.buffer.write(msgspec.json.encode(sink.seen) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
