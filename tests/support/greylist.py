"""A greylist for Postfix (its policy delegation protocol): whoever comes for the first time is told to come again."""

import socketserver
import threading
from typing import Self


class _Handler(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        request: dict[str, str] = {}
        for raw in self.rfile:
            line = raw.decode().rstrip("\n")
            if line:
                key, _, value = line.partition("=")
                request[key] = value
                continue
            visitor = request.get("client_address", ""), request.get("sender", ""), request.get("recipient", "")
            known = visitor in self.server.seen
            self.server.seen.add(visitor)
            action = "DUNNO" if known else "DEFER_IF_PERMIT 4.2.0 Greylisted, please come again"
            self.wfile.write(f"action={action}\n\n".encode())
            request = {}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    seen: set[tuple[str, str, str]]


class Greylist:
    """Use as a context manager; `service` is what Postfix's check_policy_service takes."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.seen = set()
        self.service = f"inet:127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
