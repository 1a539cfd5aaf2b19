"""Ingress as an app: built from the configuration and a publisher, started, asked, drained (shared/runtime.py)."""

import asyncio
import ssl
import time
from dataclasses import replace
from typing import NamedTuple

from services.ingress.auth.attempts import Attempts
from services.ingress.auth.authenticator import Authenticator
from services.ingress.auth.build import attempts, authenticator
from services.ingress.mailauth.verify import Verifier
from services.ingress.message.budget import Budget
from services.ingress.policy.guard import Guard
from services.ingress.policy.limits import Connections
from services.ingress.policy.lists import Networks
from services.ingress.policy.rules import Rules, balancers_of, compile_rules
from services.ingress.server import Bound, Server, check_listeners
from services.ingress.site import Premises, Site
from services.ingress.tls import server_context
from shared import log
from shared.broker.port import Publisher
from shared.clock import Clock, wall_clock
from shared.config.model import Config
from shared.dns.port import Resolver
from shared.reload import Swap


class IngressApp:
    """The front door."""

    def __init__(self, config: Config, publisher: Publisher, resolver: Resolver, clock: Clock) -> None:
        """Raise ConfigError, naming the key, for whatever cannot work."""
        self._attempts = attempts(config.auth)
        self._premises = Premises()
        compiled = _compile(config, resolver, _Kept(self._attempts), clock)
        self._premises.site = Site(
            hostname=config.hostname,
            settings=config.ingress,
            publisher=publisher,
            resolver=resolver,
            clock=clock,
            connections=Connections(config.ingress.max_connections, config.ingress.max_connections_per_client),
            budget=Budget(config.ingress.buffer),
            **compiled._asdict(),
            premises=self._premises,
        )
        self._server = Server(self._premises)
        self._state: str | None = "not started"

    @property
    def _site(self) -> Site:
        return self._premises.site

    @property
    def bound(self) -> list[Bound]:
        """Where it listens, in the order of the configuration; known after `start`."""
        return self._server.bound

    @property
    def ports(self) -> list[int]:
        """The ports of `bound`."""
        return [bound.port for bound in self.bound]

    async def start(self) -> None:
        """Listen. Raise SluiceError naming the address that cannot be bound."""
        await self._server.start()
        self._state = None
        log.get().info(
            "listening", addresses=[f"{bound.host}:{bound.port} {bound.listener.mode}" for bound in self.bound]
        )

    def prepare(self, config: Config) -> Swap:
        """Compile everything anew; what counts is kept: connections, octets in flight, failed log-ins, rates."""
        site = self._site
        compiled = _compile(config, site.resolver, _Kept(self._attempts, site.guard), site.clock)

        def swap() -> None:
            site.connections.limit = config.ingress.max_connections
            site.connections.limit_per_client = config.ingress.max_connections_per_client
            site.budget.resize(config.ingress.buffer)
            # The old authenticator and verifier may be at work for a session: their threads end with its last use.
            self._premises.site = replace(site, hostname=config.hostname, settings=config.ingress, **compiled._asdict())

        return swap

    def trouble(self) -> str | None:
        """Return why new mail is refused now, or None."""
        return self._state or self._site.publisher.trouble()

    async def drain(self, grace: float) -> None:
        """Accept no connection, end idle sessions with 421, let messages past the final dot have their reply."""
        self._state = "draining"
        self._server.close()
        until = time.monotonic() + grace
        while self._site.open and time.monotonic() < until:
            for session in tuple(self._site.open):
                session.stop()
            await asyncio.wait([session.task for session in self._site.open], timeout=until - time.monotonic())
        late = [session.task for session in self._site.open]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._site.guard.close()
        if self._site.verifier is not None:
            self._site.verifier.close()
        if self._site.authenticator is not None:
            self._site.authenticator.close()


def build(config: Config, publisher: Publisher, resolver: Resolver, *, clock: Clock = wall_clock) -> IngressApp:
    """Return ingress, ready to start. Raise ConfigError, naming the key, for whatever cannot work."""
    return IngressApp(config, publisher, resolver, clock)


class _Compiled(NamedTuple):
    """What a reload replaces, besides the settings themselves; the names are the site's."""

    rules: Rules
    balancers: tuple[Networks, ...]
    guard: Guard
    tls: ssl.SSLContext | None
    submission_tls: ssl.SSLContext | None
    authenticator: Authenticator | None
    verifier: Verifier | None


class _Kept(NamedTuple):
    """What was counted and learnt, and goes on from one configuration to the next."""

    attempts: Attempts
    guard: Guard | None = None


def _compile(config: Config, resolver: Resolver, kept: _Kept, clock: Clock) -> _Compiled:
    """Read every file and compile every rule. Raise ConfigError, naming the key, for whatever cannot work."""
    tls = server_context(config.tls, ask_clients=False)
    listeners = config.ingress.listener
    check_listeners(listeners, tls)
    verify = config.ingress.authentication
    rules = compile_rules(config.relay, config.auth, listeners)
    return _Compiled(
        rules=rules,
        balancers=tuple(balancers_of((listener,)) for listener in listeners),
        guard=Guard(rules, config.ingress, resolver, config.hostname, kept.guard),
        tls=tls,
        submission_tls=server_context(config.tls, ask_clients=True),
        authenticator=authenticator(config, kept.attempts, clock),
        verifier=Verifier(resolver, config.hostname, verify) if verify.verify else None,
    )
