"""A load client that behaves as a mail server does: it keeps a message until it has seen a 250 for it."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from tests.support.ledger import Ledger

CRLF = b"\r\n"


class Refused(Exception):  # noqa: N818  (a reply, not a fault)
    """A 5xx reply: sending the same again is no use."""


class Target(NamedTuple):
    """Where the load goes and how it looks."""

    port: int
    sender: str = "load@example.org"
    recipient: str = "sink@dest.example"
    host: str = "127.0.0.1"
    source: str | None = None
    """The client's own address, to play a trusted or an untrusted network."""
    size: int = 1024
    """Octets of each body, about."""


def message_for(token: str, target: Target) -> bytes:
    """Return the RFC 5322 message that carries `token`."""
    head = (
        f"From: <{target.sender}>\r\nTo: <{target.recipient}>\r\nSubject: load {token}\r\n"
        f"Date: Tue, 24 Nov 2026 04:00:00 +0000\r\nMessage-ID: <{token}@load.example>\r\nX-Token: {token}\r\n\r\n"
    )
    line = b"All work and no play makes Jack a dull boy. ." + CRLF
    return head.encode("ascii") + line * max(1, target.size // len(line))


class Session:
    """One SMTP connection, as bare as can be."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, target: Target) -> "Session":
        """Connect and greet; OSError or EOFError if that fails, ConnectionError on a 4xx greeting."""
        local = (target.source, 0) if target.source else None
        session = cls(*await asyncio.open_connection(target.host, target.port, local_addr=local))
        await session.expect(None, b"2")
        await session.expect(b"EHLO load.example", b"2")
        return session

    async def command(self, line: bytes | None) -> bytes:
        """Send one line, or nothing, and return the last line of the reply."""
        if line is not None:
            self._writer.write(line + CRLF)
            await self._writer.drain()
        while True:
            reply = await self._reader.readline()
            if not reply.endswith(CRLF):
                raise EOFError("connection closed")
            if reply[3:4] != b"-":
                return reply.rstrip()

    async def expect(self, line: bytes | None, kind: bytes) -> bytes:
        """As `command`; Refused on 5xx, ConnectionError on any other reply that is not of `kind`."""
        reply = await self.command(line)
        if reply.startswith(b"5"):
            raise Refused(f"{line!r}: {reply!r}")
        if not reply.startswith(kind):
            raise ConnectionError(f"{line!r}: {reply!r}")
        return reply

    async def send(self, sender: str, recipient: str, content: bytes) -> bytes:
        """Send one message and return the reply after the final dot."""
        await self.expect(f"MAIL FROM:<{sender}>".encode(), b"2")
        await self.expect(f"RCPT TO:<{recipient}>".encode(), b"2")
        await self.expect(b"DATA", b"3")
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        return await self.expect((b"." if stuffed.startswith(b".") else b"") + stuffed + b".", b"2")

    def close(self) -> None:
        """Drop the connection."""
        self._writer.close()


class Load:
    """`tokens` sent over `connections` at a time; a 250-answered token is recorded once, others are sent again."""

    def __init__(self, target: Target, tokens: Iterable[str], ledger: Ledger) -> None:
        self._target = target
        self._open = deque(tokens)
        self._in_hand = 0
        self._ledger = ledger
        self.troubles = 0
        """Connections lost and 4xx replies: how often the kills were felt at the door."""

    async def run(self, connections: int, pause: float = 0.0) -> None:
        """Send until every token is answered 250, resting `pause` seconds after each; Refused on any 5xx."""
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(self._work(pause))

    async def _work(self, pause: float) -> None:
        while self._open or self._in_hand:
            try:
                session = await asyncio.wait_for(Session.open(self._target), 10)
            except (OSError, EOFError, TimeoutError):
                self.troubles += 1
                await asyncio.sleep(0.05)
                continue
            try:
                await self._send_all(session, pause)
            except (OSError, EOFError, TimeoutError):
                self.troubles += 1
                await asyncio.sleep(0.05)
            finally:
                session.close()

    async def _send_all(self, session: Session, pause: float) -> None:
        while self._open or self._in_hand:
            if not self._open:  # another connection may yet hand its token back
                await asyncio.sleep(0.02)
                continue
            token = self._open.popleft()
            self._in_hand += 1
            try:
                content = message_for(token, self._target)
                await asyncio.wait_for(session.send(self._target.sender, self._target.recipient, content), 90)
            except BaseException:
                self._open.append(token)
                raise
            finally:
                self._in_hand -= 1
            self._ledger.answer(token)
            await asyncio.sleep(pause)
        with contextlib.suppress(OSError, EOFError):
            await session.command(b"QUIT")
