"""A destination that counts its connections, in a thread with an event loop of its own."""

import asyncio
import threading
from typing import Self

REPLIES = {
    b"EHLO": b"250-count\r\n250 PIPELINING\r\n",
    b"MAIL": b"250 ok\r\n",
    b"RCPT": b"250 ok\r\n",
    b"DATA": b"354 go on\r\n",
    b"RSET": b"250 ok\r\n",
    b"QUIT": b"221 bye\r\n",
}


class Counting:
    """Takes everything, `seconds` after the final dot. A connection counts from accept to its end."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.port = 0
        self.open = 0
        self.most = 0
        """Ever open at a time."""
        self.sessions = 0
        self.arrived: list[bytes] = []
        """The Subject of each message."""

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.sessions += 1
        self.most = max(self.most, self.open)
        try:
            writer.write(b"220 count\r\n")
            while line := await reader.readline():
                verb = line[:4].upper().strip()
                writer.write(REPLIES.get(verb, b"500 what\r\n"))
                if verb == b"DATA":
                    content = await reader.readuntil(b"\r\n.\r\n")
                    await asyncio.sleep(self._seconds)
                    subject = next(each for each in content.split(b"\r\n") if each.startswith(b"Subject: "))
                    self.arrived.append(subject.removeprefix(b"Subject: "))
                    writer.write(b"250 taken\r\n")
                if verb == b"QUIT":
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()
