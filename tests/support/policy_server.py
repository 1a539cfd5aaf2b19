"""A real HTTPS server for policies of MTA-STS, on a loopback address: it answers any octets, or none.

with PolicyServer(host, server_context(leaf)) as server:
    server.answer = served("version: STSv1\nmode: enforce\nmx: mx1.example.net\nmax_age: 86400\n")
"""

import contextlib
import socket
import socketserver
import ssl
import threading
from typing import Any, Self


def served(policy: str, status: str = "200 OK", content_type: str = "text/plain") -> bytes:
    """Return an HTTP answer with a policy."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(policy)}\r\n\r\n"
    return (head + policy).encode()


class PolicyServer(socketserver.ThreadingTCPServer):
    """`requests` are the octets of each request that came over TLS."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, context: ssl.SSLContext) -> None:
        super().__init__((host, 0), _Handler)
        self.context = context
        self.answer: bytes | None = b""
        """None: the connection is kept open without an answer."""
        self.for_ever = False
        """The answer's end is repeated until the client leaves."""
        self.stays = False
        """The connection is kept open after the answer."""
        self.requests: list[bytes] = []
        self.host = host
        self.port: int = self.socket.getsockname()[1]
        self.leaving = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leaving.set()
        self.shutdown()
        self.server_close()


class _Handler(socketserver.BaseRequestHandler):
    server: PolicyServer

    def handle(self) -> None:
        plain: socket.socket = self.request
        with contextlib.suppress(OSError), self.server.context.wrap_socket(plain, server_side=True) as connection:
            request = b""
            while b"\r\n\r\n" not in request:
                more = connection.recv(4096)
                if not more:
                    return
                request += more
            self.server.requests.append(request)
            answer: Any = self.server.answer
            if answer is None:
                self.server.leaving.wait()
            else:
                connection.sendall(answer)
                if self.server.stays:
                    self.server.leaving.wait()
                while self.server.for_ever:
                    connection.sendall(answer[-1:] * 4096)
