"""A real SMTP destination on a loopback address, scripted per command and recipient, that keeps what it received.

    with SmtpServer(script={"RCPT bob@example.org": ["450 4.2.0 later", "250 2.1.5 ok"]}) as server:
        ...
        (mail,) = server.wait_for(1)

Script keys: "GREETING", a verb ("EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT"), a verb
with an address ("RCPT a@b", which goes before "RCPT"), "." (the reply to the content; ". a@b" in LMTP), or "EARLY" (a
reply after the first octets of the content, of which no more are read then). A value is one step or a list of steps of
which the last repeats; a step is a reply line (several lines by LF) or a Drop, Reset, Hang, Delay, Raw or Drip.
Each session is a thread with a blocking socket: it serves tests with and without an event loop.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Self

from tests.support.smtp_session import (
    Delay,
    Drip,
    Drop,
    Hang,
    Left,
    Raw,
    Reset,
    Script,
    Session,
    State,
    Step,
    Transaction,
)

__all__ = ["Delay", "Drip", "Drop", "Hang", "Raw", "Reset", "Script", "SmtpServer", "Step", "Transaction"]

OFFERS = ("PIPELINING", "SIZE 50000000", "8BITMIME", "ENHANCEDSTATUSCODES")
"""What a destination offers unless a test says otherwise."""


class SmtpServer:
    """Accepts on `host:port`, or on the socket with the path `host`; the attributes tell what happened."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        script: Script | None = None,
        extensions: tuple[str, ...] = OFFERS,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        users: Mapping[str, str] | None = None,
        mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN"),
    ) -> None:
        self._script = {
            key: list(value) if isinstance(value, list) else [value] for key, value in (script or {}).items()
        }
        self._extensions = extensions
        self._tls = tls
        self._implicit = implicit_tls
        self.users = users or {}
        """Passwords by user."""
        self.mechanisms = mechanisms
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._listener = _listener(host, port)
        if "EARLY" in self._script:  # or a few megabytes fit between the two
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.host = host
        self.port: int = 0 if host.startswith("/") else self._listener.getsockname()[1]
        self.sessions = 0
        self.commands: list[str] = []
        """Every command line of every session, in order, credentials included."""
        self.transactions: list[Transaction] = []

    @property
    def open(self) -> int:
        """How many sessions are open."""
        with self._changed:
            return len(self._open)

    def script(self, key: str, *steps: Step) -> None:
        """Replace the steps of one key while the server runs."""
        with self._changed:
            self._script[key] = list(steps)

    def wait_for(self, count: int, timeout: float = 30.0) -> list[Transaction]:
        """Return the transactions once there are `count`; else TimeoutError. It blocks: never on an event loop."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.transactions) >= count, timeout):
                raise TimeoutError(f"{len(self.transactions)} of {count} messages after {timeout} s: {self.commands}")
            return list(self.transactions)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening and cut every session."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which close() alone does not
        self._listener.close()
        with self._changed:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, peer = self._listener.accept()
                with self._changed:
                    self.sessions += 1
                    self._open.add(connection)
                    state = State(self.sessions, peer[0] if peer else "")
                threading.Thread(target=self._serve, args=(connection, state), daemon=True).start()

    def _serve(self, connection: socket.socket, state: State) -> None:
        session = Session(self, connection, state)
        try:
            with contextlib.suppress(OSError, Left):
                session.run()
        finally:
            with self._changed:
                self._open.discard(session.connection)
                self._changed.notify_all()
            with contextlib.suppress(OSError):
                session.connection.close()
            connection.close()

    def replace(self, plain: socket.socket, encrypted: socket.socket) -> None:
        """Note that a session's socket is now the encrypted one."""
        with self._changed:
            self._open.discard(plain)
            self._open.add(encrypted)

    def step(self, *keys: str) -> Step | None:
        """Return the next step of the first scripted key."""
        with self._changed:
            for key in keys:
                steps = self._script.get(key)
                if steps:
                    return steps.pop(0) if len(steps) > 1 else steps[0]
        return None

    def record(self, command: str) -> None:
        """Keep a command line."""
        with self._changed:
            self.commands.append(command)

    def received(self, transaction: Transaction) -> None:
        """Keep a message."""
        with self._changed:
            self.transactions.append(transaction)
            self._changed.notify_all()

    @property
    def tls_context(self) -> ssl.SSLContext | None:
        """The context for STARTTLS or implicit TLS."""
        return self._tls

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS starts with the connection."""
        return self._implicit

    def ehlo_lines(self, *, secure: bool) -> list[str]:
        """Return the EHLO keywords for the session's state."""
        keywords = list(self._extensions)
        if self._tls is not None and not secure:
            keywords.append("STARTTLS")
        if self.users:
            keywords.append(f"AUTH {' '.join(self.mechanisms)}")
        return keywords


def _listener(host: str, port: int) -> socket.socket:
    if host.startswith("/"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(host)
        listener.listen(256)
        return listener
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=256)
