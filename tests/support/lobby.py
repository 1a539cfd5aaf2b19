"""The real ingress without its listeners: sessions are made on wires in memory (wire.py), on a loop of the test's own.

Strangers call from STRANGER, clients of the trusted network from TRUSTED. `users` are those of USERS.
"""

import asyncio
import functools
import io
import json
import os
import re
import ssl
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import msgspec
import trustme
from argon2 import PasswordHasher

from services.ingress.app import IngressApp, build
from services.ingress.auth import scram
from services.ingress.protocol.session import Session
from shared import log
from shared.config.model import Config, Log, Mode
from shared.config.units import Duration
from shared.dns.port import Resolver
from shared.model import Message
from tests.support.front import NO_DNS, front_config, with_tls
from tests.support.recording import Recorder
from tests.support.wire import PATIENCE, Caller, converse

STRANGER = "203.0.113.9"
TRUSTED = "127.0.0.2"
DENIED = "203.0.113.66"
USER = "carol@example.org"
PASSWORD = "correct horse"

T = TypeVar("T")


class Papers(NamedTuple):
    """What the ingress and its clients need of files: made once, as hashing passwords and keys takes time."""

    config: Config
    trust: ssl.SSLContext
    """For clients: knows the authority that signed the server's certificate."""


@functools.cache
def papers(folder: Path) -> Papers:
    """Write certificate, users and a recipient list into `folder` and return the configuration that names them."""
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
    # As `sluice user add` writes it, but with a hash that costs no time.
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    (folder / "users").write_text(f"{USER}:{hashed}:{scram.derive(PASSWORD, os.urandom(scram.SALT_OCTETS))}\n")
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    config = with_tls(front_config(folder), folder / "relay.pem", folder / "users")
    # Clients of all sessions guess from the same addresses: nobody waits, nobody is locked out.
    auth = msgspec.structs.replace(
        config.auth, failure_delay=Duration(0), max_failures_per_address=10**6, max_failures_per_account=10**6
    )
    relay = msgspec.structs.replace(config.relay, denied_clients=(DENIED,))
    return Papers(msgspec.structs.replace(config, auth=auth, relay=relay), trust)


class Lobby:
    """Use as a context manager. `problems` is what no session may ever leave behind."""

    def __init__(self, papers: Papers, **ingress: Any) -> None:
        config = papers.config
        settings = msgspec.structs.replace(config.ingress, **ingress)
        self.config = msgspec.structs.replace(config, ingress=settings)
        self.trust = papers.trust
        self.recorder = Recorder()
        self.log = io.StringIO()
        self.resolver: Resolver = NO_DNS
        """Set another before the start."""
        self._runner = asyncio.Runner()
        self._unhandled: list[str] = []
        self.app: IngressApp

    def __enter__(self) -> Self:
        log.set_up(Log(), "ingress", self.log)
        self._runner.get_loop().set_exception_handler(lambda _, context: self._unhandled.append(repr(context)))
        self.app = build(self.config, self.recorder, self.resolver)
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.app.drain(5))
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of the client's on the loop of the server."""
        return self._runner.run(work)

    def protocol(self, mode: Mode = Mode.RELAY) -> Session:
        """Return a new session's protocol object, as a listener of this mode would make it."""
        modes = [listener.mode for listener in self.config.ingress.listener]
        site = self.app._site
        return Session(site, site.door(modes.index(mode)))

    async def call(self, peer: str = STRANGER, mode: Mode = Mode.RELAY) -> Caller:
        """Connect and read the greeting."""
        session = self.protocol(mode)
        if mode is Mode.SUBMISSIONS:
            caller = await self._shake_hands(session, peer)
        else:
            caller = Caller(session, peer)
        greeting = await caller.reply()
        assert greeting.startswith("554 5.7.1 " if peer == DENIED else "220 "), greeting
        return caller

    async def _shake_hands(self, session: Session, peer: str) -> Caller:
        """Connect with TLS from the first octet."""
        caller = Caller(session, peer)
        await caller.start_tls(self.trust)
        return caller

    def converse(
        self, pieces: Sequence[bytes], peer: str = STRANGER, turns: int = 1, *, under_tls: bool = False
    ) -> bytes:
        """Send pieces in a session of their own, then the end of input; return all the server says.

        `under_tls`: the session finds itself under TLS, which nobody has to speak.
        """

        async def talk() -> bytes:
            heard = await converse(self.protocol(), peer, pieces, turns, under_tls=under_tls)
            await self.quiet()
            return heard

        return self.run(talk())

    async def quiet(self) -> None:
        """Return once every session has ended, or has had time enough to."""
        until = time.monotonic() + PATIENCE
        while self.app._site.open and time.monotonic() < until:
            await asyncio.sleep(0)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once the condition holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0)

    def stop_sessions(self) -> None:
        """Tell every open session to end, as a drain does."""
        for session in tuple(self.app._site.open):
            session.stop()

    def taken(self) -> list[Message]:
        """Return the messages made durable since the last call."""
        messages = self.recorder.messages
        self.recorder.sends.clear()
        return messages

    def problems(self) -> list[str]:
        """Return error lines of the log and exceptions that nobody handled, since the last call."""
        lines = [line for line in self.log.getvalue().splitlines() if _is_bad(line)]
        self.log.seek(0)
        self.log.truncate()
        lines += self._unhandled
        self._unhandled.clear()
        return lines

    def leftovers(self) -> list[str]:
        """Return what ended sessions must not leave: open sessions, counted connections, held budget."""
        site = self.app._site
        found = {"sessions": len(site.open), "connections": site.connections.open, "octets": site.budget.used}
        return [f"{count} {what}" for what, count in found.items() if count]


def essence(message: Message) -> object:
    """Return what of a message must be equal when its transaction is repeated: all but id and time."""
    item = message.item
    content = message.content.replace(item.id.encode(), b"ID")
    return (
        item.envelope,
        item.origin,
        item.client,
        re.sub(rb"\t\w{3}, \d+ \w{3} \d{4} [\d:]{8} \+0000", b"DATE", content),
    )


def _is_bad(line: str) -> bool:
    try:
        return json.loads(line).get("level") in {"error", "critical"}
    except ValueError:
        return True
