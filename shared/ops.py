"""The operations port: /livez, /readyz and /metrics, served by a thread that a stuck event loop cannot silence."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from shared import metrics
from shared.config.address import Address, parse_address
from shared.errors import SluiceError

STUCK_AFTER = 30.0
"""Seconds without a turn of the event loop after which the process counts as dead."""

TEXT = "text/plain; charset=utf-8"


class Health:
    """What the event loop last said of itself; written by the loop, read by the server's threads."""

    def __init__(self) -> None:
        self._trouble: str | None = "starting"
        self._turned = time.monotonic()

    def turn(self, trouble: str | None) -> None:
        """Record that the event loop runs, and why the process is not ready, in one line (None: it is ready)."""
        self._trouble = trouble
        self._turned = time.monotonic()

    @property
    def trouble(self) -> str | None:
        """Why the process is not ready, or None."""
        return self.stuck or self._trouble

    @property
    def stuck(self) -> str | None:
        """Why the process should be restarted, or None."""
        idle = time.monotonic() - self._turned
        return f"the event loop has been stuck for {idle:.0f} s" if idle > STUCK_AFTER else None


@contextlib.contextmanager
def serving(address: str, health: Health) -> Iterator[Address | None]:
    """Serve while the context lasts; yields the bound address, None if `address` is empty.

    Raise SluiceError if the address cannot be bound.
    """
    if not address:
        yield None
        return
    server = _bind(parse_address(address), health)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="ops", daemon=True)
    thread.start()
    try:
        yield Address(*server.socket.getsockname()[:2])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(socketserver.ThreadingTCPServer):
    """As http.server's, without its look-up of the own name in DNS at the start."""

    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing of a probe that hung up."""


def _bind(address: Address, health: Health) -> _Server:
    class Handler(_Handler):
        source = health

    class Server(_Server):
        address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET

    try:
        return Server(address, Handler)
    except OSError as error:
        raise SluiceError(
            f"ops.address: cannot listen on {address}: {error.strerror or error}; stop what uses it or choose another"
        ) from error


class _Handler(BaseHTTPRequestHandler):
    """Answers GET; `source` is set by the server that uses it."""

    source: Health
    server_version = "sluice"
    sys_version = ""
    timeout = 5
    """Seconds that a client may take over its request."""

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/livez":
                self._health(self.source.stuck)
            case "/readyz":
                self._health(self.source.trouble)
            case "/metrics":
                body, kind = metrics.exposition()
                self._answer(HTTPStatus.OK, body, kind)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, b"known here: /livez /readyz /metrics\n", TEXT)

    def _health(self, trouble: str | None) -> None:
        status = HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK
        self._answer(status, f"{trouble or 'ok'}\n".encode(), TEXT)

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: probes come every few seconds."""
