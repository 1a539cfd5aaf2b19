"""Ingress running in a thread on real sockets, over a Recorder, for tests that talk to it with blocking clients.

Clients from 127.0.0.1 are strangers; those that bind 127.0.0.2 are in the trusted network.
"""

import asyncio
import io
import json
import socket
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import uvloop

from services.ingress.app import IngressApp, build
from shared import log, metrics
from shared.broker.port import Publisher
from shared.config.model import Auth, Config, Hosted, Ingress, Listener, Log, Mode, Relay, Tls
from shared.config.units import Duration
from shared.dns.port import Resolver
from shared.dns.resolver import DnsResolver
from tests.support.recording import Recorder

STRANGER = "127.0.0.1"
TRUSTED = "127.0.0.2"

NO_DNS = DnsResolver(("127.0.0.1:9",))
"""Answers every question with a failure, at once."""

T = TypeVar("T")

RELAY = Relay(
    postmaster="postmaster@example.org",
    trusted_networks=("127.0.0.2/32",),
    denied_destinations=("*.denied.example", "denied.example", "bad@elsewhere.example"),
    denied_senders=("spammer.example",),
    hosted={"example.org": "127.0.0.1:2600", ".sub.example.org": "127.0.0.1:2600"},
)


def front_config(tmp_path: Path | None = None, **ingress: Any) -> Config:
    """Return a configuration with a relay listener. With `tmp_path`, also a recipient list for listed.example."""
    relay = RELAY
    if tmp_path is not None:
        recipients = tmp_path / "recipients.txt"
        recipients.write_text("alice\nbob@listed.example # Bob\n")
        listed = Hosted(next_hop=("127.0.0.1:2600",), recipients=str(recipients))
        relay = msgspec.structs.replace(relay, hosted={**relay.hosted, "listed.example": listed})
    ingress.setdefault("listener", (Listener(address="127.0.0.1:0"),))
    return Config(hostname="relay.example.net", relay=relay, ingress=Ingress(**ingress))


def with_tls(config: Config, certificate: Path, users: Path | None = None) -> Config:
    """Return the configuration with all three kinds of listener, a certificate (key in the same file) and users."""
    modes = (Mode.RELAY, Mode.SUBMISSION, Mode.SUBMISSIONS)
    listeners = tuple(Listener(address="127.0.0.1:0", mode=mode) for mode in modes)
    return msgspec.structs.replace(
        config,
        tls=Tls(certificate=str(certificate)),
        auth=Auth(
            users_file=str(users) if users else None, failure_delay=Duration(0.001), max_failures_per_address=1000
        ),
        ingress=msgspec.structs.replace(config.ingress, listener=listeners),
    )


class Front:
    """Use as a context manager; `port` is the first listener's."""

    def __init__(
        self, config: Config, publisher: Publisher | None = None, loop: str = "uvloop", resolver: Resolver | None = None
    ) -> None:
        self.recorder = Recorder()
        self.log = io.StringIO()
        """Every line logged, as JSON."""
        self._config = config
        self._publisher = publisher or self.recorder
        self._resolver = resolver or NO_DNS
        self._loop = uvloop.new_event_loop() if loop == "uvloop" else asyncio.new_event_loop()
        self._unhandled: list[str] = []
        self._loop.set_exception_handler(lambda _, context: self._unhandled.append(repr(context)))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.app: IngressApp

    def __enter__(self) -> Self:
        log.set_up(Log(), "ingress", self.log)
        self._thread.start()
        self.app = self.call(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self.app.drain(10))
        self.call(asyncio.sleep(0.01))  # closed transports let go of their sockets in the loop's next turn
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> IngressApp:
        app = build(self._config, self._publisher, self._resolver)
        await app.start()
        return app

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the app's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def soon(self, work: Callable[[], object]) -> None:
        """Have the app's loop call `work`."""
        self._loop.call_soon_threadsafe(work)

    def settle(self) -> None:
        """Return once the app's loop has looked at its sockets again: what has been sent to it is read by then."""
        self.call(_two_turns())

    @property
    def port(self) -> int:
        """The first listener's port."""
        return self.app.ports[0]

    def leftovers(self) -> list[str]:
        """Return what ended sessions must not leave: open sessions, counted connections, held budget, metrics."""
        site = self.app._site
        gauge = int(metrics.sessions._value.get())
        found = {
            "sessions": len(site.open),
            "connections": site.connections.open,
            "octets": site.budget.used,
            "sessions by metric": gauge,
        }
        return [f"{count} {what}" for what, count in found.items() if count]

    def problems(self) -> list[str]:
        """Return error lines of the log, and exceptions that nobody handled."""
        lines = self.log.getvalue().splitlines()
        return [line for line in lines if json.loads(line)["level"] in {"error", "critical"}] + self._unhandled

    def connect(self, source: str = STRANGER, listener: int = 0) -> "Talk":
        """Connect and read the greeting."""
        talk = self.knock(source, listener)
        assert talk.reply().startswith("220")
        return talk

    def knock(self, source: str = STRANGER, listener: int = 0) -> "Talk":
        """Connect, and leave the greeting to be read."""
        return Talk(socket.create_connection(("127.0.0.1", self.app.ports[listener]), 30, (source, 0)))

    def ready(self, source: str = STRANGER, recipient: str = "bob@example.org") -> "Talk":
        """Return a session that has just been answered 354."""
        talk = self.connect(source)
        for line, code in (
            ("EHLO client.example", "250"),
            ("MAIL FROM:<alice@elsewhere.example>", "250"),
            (f"RCPT TO:<{recipient}>", "250"),
            ("DATA", "354"),
        ):
            assert talk.ask(line).startswith(code), line
        return talk


async def _two_turns() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


class Talk:
    """A bare SMTP client: text lines out, whole replies in (lines joined by LF)."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._file = connection.makefile("rb")

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self.socket.sendall(octets)

    def line(self) -> str:
        """Return the next line without its end, "" at the end of the connection."""
        try:
            return self._file.readline().decode().rstrip("\r\n")
        except ConnectionError:
            return ""

    def reply(self) -> str:
        """Return the next reply, "" at the end of the connection."""
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return "\n".join(lines)

    def ask(self, line: str) -> str:
        """Send one command and return its reply."""
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def wrap(self, connection: socket.socket) -> None:
        """Go on over a socket that has been wrapped in TLS."""
        self._file.close()
        self.socket = connection
        self._file = connection.makefile("rb")

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
