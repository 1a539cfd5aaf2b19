"""A client of clamd: INSTREAM in sessions that are kept, over TCP or a UNIX socket (clamd(8))."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from services.screener.antivirus.answer import Answer, State, Unavailable, read_answer

_CHUNK = 128 * 1024
FRESH = 5.0
"""Seconds that an idle session is used again; clamd itself closes it after IdleTimeout, 30 by default."""
_LARGE = 256 * 1024
"""Octets above which a broken stream may be clamd's way of refusing it: StreamMaxLength closes the connection."""


class _Session(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Clamd:
    """Scans pieces of mail; at most so many sessions at a time, each used again within `fresh` seconds."""

    def __init__(self, url: str, timeout: float, sessions: int, fresh: float = FRESH) -> None:
        self.url = url
        self._timeout = timeout
        self._fresh = fresh
        self._slots = asyncio.Semaphore(sessions)
        self._idle: list[tuple[float, _Session]] = []
        self._retired = False

    async def scan(self, pieces: Iterable[bytes]) -> Answer:
        """Return the worst of what is said of the pieces, the first virus at once. Raise Unavailable."""
        worst = Answer(State.CLEAN)
        try:
            async with self._slots, asyncio.timeout(self._timeout):
                for piece in pieces:
                    answer = await self._scan(piece)
                    worst = max(worst, answer, key=lambda each: each.state)
                    if worst.state is State.INFECTED:
                        break
        except TimeoutError:
            raise Unavailable(f"{self.url}: no answer within {self._timeout:g} s") from None
        except OSError as error:
            raise Unavailable(f"{self.url}: {error.strerror or error}") from error
        return worst

    def retire(self) -> None:
        """Close what is idle, and each session in use when its scan ends."""
        self._retired = True
        idle, self._idle = self._idle, []
        for _, session in idle:
            session.writer.close()

    async def close(self) -> None:
        """Close what is idle."""
        idle, self._idle = self._idle, []
        for _, session in idle:
            await _close(session)

    async def _scan(self, piece: bytes) -> Answer:
        """Try a new session where a kept one is gone; what breaks both is refused if clamd is there all the same."""
        for fresh in (False, True):
            try:
                async with self._session(fresh=fresh) as session:
                    return read_answer(await _stream(session, piece))
            except (ConnectionError, asyncio.IncompleteReadError):
                continue
        if len(piece) < _LARGE or not await self._answers():
            raise Unavailable(f"{self.url}: the connection breaks")
        return Answer(State.UNSCANNABLE, "connection closed by clamd")

    async def _answers(self) -> bool:
        try:
            async with self._session(fresh=True) as session:
                session.writer.write(b"zPING\0")
                return (await session.reader.readuntil(b"\0")).endswith(b"PONG\0")
        except (OSError, EOFError, Unavailable):
            return False

    @contextlib.asynccontextmanager
    async def _session(self, *, fresh: bool) -> AsyncIterator[_Session]:
        session = await self._open() if fresh else (await self._kept() or await self._open())
        try:
            yield session
        except BaseException:
            session.writer.close()
            raise
        if self._retired:
            session.writer.close()
        else:
            self._idle.append((asyncio.get_running_loop().time(), session))

    async def _kept(self) -> _Session | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            since, session = self._idle.pop()
            if now - since < self._fresh and not session.reader.at_eof() and not session.writer.is_closing():
                return session
            await _close(session)
        return None

    async def _open(self) -> _Session:
        parts = urlsplit(self.url)
        if parts.hostname:
            opening = asyncio.open_connection(parts.hostname, parts.port or 3310)
        else:
            opening = asyncio.open_unix_connection(parts.path)
        try:
            session = _Session(*await opening)
        except OSError as error:
            raise Unavailable(f"{self.url}: {error.strerror or error}") from error
        session.writer.write(b"zIDSESSION\0")
        return session


async def _stream(session: _Session, piece: bytes) -> str:
    """Send a piece and return the reply, which may come before all is sent: then the rest is refused."""
    reply = asyncio.ensure_future(session.reader.readuntil(b"\0"))
    try:
        with contextlib.suppress(ConnectionError):  # the reply, if there is one, says why
            session.writer.write(b"zINSTREAM\0")
            for start in range(0, len(piece), _CHUNK):
                chunk = piece[start : start + _CHUNK]
                session.writer.write(len(chunk).to_bytes(4) + chunk)
                await session.writer.drain()
                if reply.done():
                    break
            session.writer.write(bytes(4))
            await session.writer.drain()
        return (await reply)[:-1].decode("utf-8", "replace")
    finally:
        reply.cancel()


async def _close(session: _Session) -> None:
    session.writer.close()
    with contextlib.suppress(OSError):
        await session.writer.wait_closed()
