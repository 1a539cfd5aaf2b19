"""Asking an HTTP server whether a password is right (`auth.http_url`).

POST of {"user", "password", "address", "mechanism"} as JSON: 200 with {"user": "…"} is yes, 401 and 403 are no, and
anything else is a failure of the server, for which the client hears 454 and tries again. Redirects are not followed,
for they would take the password along.
"""

import asyncio
import contextlib
import http.client
import json
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlsplit

from services.ingress import replies
from services.ingress.auth.users import canonical_name, is_name
from services.ingress.replies import Refuse
from shared import log

MAX_ANSWER = 65_536


class Question(NamedTuple):
    """What is asked. Never logged."""

    user: str
    password: str
    address: str
    mechanism: str

    def __repr__(self) -> str:
        return f"Question(user={self.user!r}, password=(hidden))"


class Where(NamedTuple):
    """Which server, and how it is asked."""

    url: str
    timeout: float
    """Seconds for all of it."""
    concurrency: int
    secret: str | None = None
    """Sent as a bearer token, so that the server knows who asks."""
    context: ssl.SSLContext | None = None
    """For https."""

    def __repr__(self) -> str:
        return f"Where(url={self.url!r}, secret=(hidden))"


class Trouble(NamedTuple):
    """The server's answer is none; `reason` for the log."""

    reason: str


def read_answer(status: int, body: bytes) -> str | Trouble | None:
    """Return the user's canonical name, None for no, or why the answer cannot be used."""
    if status in (401, 403):
        return None
    if status != 200:
        return Trouble(f"status {status}")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return Trouble("the answer is not JSON")
    user = answer.get("user") if isinstance(answer, dict) else None
    if not isinstance(user, str) or not is_name(user):
        return Trouble('the answer has no "user" that could be one')
    return canonical_name(user)


class Callout:
    """Asks in threads, so many at a time and no more."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._busy = 0
        self._threads = ThreadPoolExecutor(where.concurrency, thread_name_prefix="auth-http")

    async def check(self, question: Question) -> str | Refuse | None:
        """Return the user's canonical name, None for no, or a temporary refusal."""
        if self._busy >= self._where.concurrency:
            return replies.AUTH_CALLOUT_BUSY
        self._busy += 1
        request = _Request(self._where, question)
        # The slot belongs to the request, not to the session that asked: one that hangs up frees no thread.
        asking = asyncio.get_running_loop().run_in_executor(self._threads, request.send)
        asking.add_done_callback(self._free)
        try:
            async with asyncio.timeout(self._where.timeout):
                status, body = await asyncio.shield(asking)
        except TimeoutError:
            request.abort()
            answer: str | Trouble | None = Trouble(f"no answer within {self._where.timeout:g} s")
        except asyncio.CancelledError:
            request.abort()
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            # Only the kind of the error: some quote what was sent or received.
            reason = error.strerror if isinstance(error, OSError) else None
            answer = Trouble(" ".join(filter(None, (type(error).__name__, reason))))
        else:
            answer = read_answer(status, body)
        if isinstance(answer, Trouble):
            log.get().warning("authentication call-out failed", url=self._where.url, reason=answer.reason)
            return replies.AUTH_CALLOUT_FAILED
        return answer

    def close(self) -> None:
        """End the threads, after what they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _free(self, asking: "asyncio.Future[tuple[int, bytes]]") -> None:
        self._busy -= 1
        if not asking.cancelled():
            asking.exception()


class _Request:
    """One question on a connection of its own; `send` blocks, `abort` from another thread ends it."""

    def __init__(self, where: Where, question: Question) -> None:
        url = urlsplit(where.url)
        self._target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._body = json.dumps(question._asdict()).encode()
        self._headers = {"Content-Type": "application/json", "Accept": "application/json", "Connection": "close"}
        if where.secret is not None:
            self._headers["Authorization"] = f"Bearer {where.secret}"
        host = url.hostname or ""
        if url.scheme == "https":
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, url.port, timeout=where.timeout, context=where.context
            )
        else:
            self._connection = http.client.HTTPConnection(host, url.port, timeout=where.timeout)

    def send(self) -> tuple[int, bytes]:
        """Return status and body. Raise OSError or HTTPException."""
        with contextlib.closing(self._connection) as connection:
            connection.request("POST", self._target, self._body, self._headers)
            response = connection.getresponse()
            body = response.read(MAX_ANSWER + 1)
            return response.status, body if len(body) <= MAX_ANSWER else b""

    def abort(self) -> None:
        """Let a blocked `send` fail now."""
        connected = self._connection.sock
        if isinstance(connected, socket.socket):
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
