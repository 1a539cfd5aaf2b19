"""The management API over HTTP: a few kept connections, each in a thread of its own."""

import asyncio
import base64
import contextlib
import http.client
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from shared.broker.admin.values import Call, Target
from shared.errors import BrokerError, BrokerUnavailable, ConfigError

CONNECTIONS = 8
"""Requests at a time: declaring a quorum queue is mostly waiting."""
TIMEOUT = 30.0
"""Seconds for one answer; declaring on a busy cluster is slow."""

_Value = TypeVar("_Value")


def quoted(name: str) -> str:
    """Return a name as one segment of a path."""
    return quote(name, safe="")


class RefusedError(BrokerError):
    """RabbitMQ understood a request and did not do it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Api:
    """Use as an async context manager. Errors name the URL, the reason and the remedy; never the password."""

    def __init__(self, target: Target) -> None:
        self._target = target
        url = urlsplit(target.url)
        if url.scheme not in {"http", "https"} or url.hostname is None:
            raise ConfigError(f'broker_admin.url: "{target.url}" is not an http:// or https:// URL')
        self._secure, self._host, self._port = url.scheme == "https", url.hostname, url.port
        self._prefix = url.path.rstrip("/")
        token = base64.b64encode(f"{target.user}:{target.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="rabbitmq-api")
        self._local = threading.local()
        self._open: list[http.client.HTTPConnection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=kind is None, cancel_futures=True)
        for connection in self._open:
            connection.close()

    async def get(self, path: str, kind: type[_Value]) -> _Value:
        """Return the answer to `GET /api/PATH` as `kind`. Raise BrokerError if it cannot be had."""
        text = await self.call(Call("GET", path))
        try:
            return msgspec.json.decode(text, type=kind)
        except msgspec.ValidationError as error:
            reason = f"{self._target.url}: GET /api/{path}: not an answer this release understands: {error}"
            raise BrokerError(reason) from error

    async def call(self, call: Call) -> bytes:
        """Make one request and return the body of the answer. Raise BrokerError if it was not done."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._call, call)

    def _call(self, call: Call) -> bytes:
        body = None if call.body is None else json.dumps(call.body)
        for attempt in (1, 2):
            connection, kept = self._connection()
            try:
                connection.request(call.method, f"{self._prefix}/api/{call.path}", body, self._headers)
                response = connection.getresponse()
                text = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if kept and attempt == 1 and isinstance(error, (ConnectionError, http.client.HTTPException)):
                    continue  # the server may close a kept connection at any time; every request here may be repeated
                reason = str(error) or type(error).__name__
                remedy = "start RabbitMQ with its management plugin, or correct broker_admin.url"
                raise BrokerUnavailable(f"{self._target.url}: {reason}: {remedy}") from error
            self._raise_for(call, response.status, text)
            return text
        raise AssertionError("unreachable: the second attempt returns or raises")

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        """Return this thread's connection, and whether it was in use before."""
        known: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if known is not None:
            return known, known.sock is not None
        if self._secure:
            context = ssl.create_default_context()
            known = http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT, context=context)
        else:
            known = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT)
        self._local.connection = known
        self._open.append(known)
        return known, False

    def _raise_for(self, call: Call, status: int, text: bytes) -> None:
        if status < 400:
            return
        if status == 401:
            reason = f'{self._target.url}: RabbitMQ refuses user "{self._target.user}" or its password'
            raise ConfigError(f"{reason}: correct broker_admin.user and broker_admin.password")
        said = text.decode(errors="replace")[:500]
        with contextlib.suppress(ValueError, AttributeError):
            answer = json.loads(said)
            said = f"{answer.get('error')}: {answer.get('reason')}"
        raise RefusedError(status, f"{self._target.url}: {call.method} /api/{call.path}: {status} {said}")
