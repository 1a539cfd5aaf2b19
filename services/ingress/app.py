"""Ingress as an app: built from the configuration and a publisher, started, asked, drained (shared/runtime.py)."""

import asyncio
import time

from services.ingress.auth.build import attempts, authenticator
from services.ingress.mailauth.verify import Verifier
from services.ingress.message.budget import Budget
from services.ingress.policy.limits import Connections
from services.ingress.policy.rules import compile_rules
from services.ingress.server import Bound, Server, check_listeners
from services.ingress.site import Site
from services.ingress.tls import server_context
from shared import log
from shared.broker.port import Publisher
from shared.clock import Clock, wall_clock
from shared.config.check import Facts, unenforced
from shared.config.model import Config
from shared.dns.port import Resolver
from shared.errors import ConfigError


class IngressApp:
    """The front door."""

    def __init__(self, config: Config, publisher: Publisher, resolver: Resolver, clock: Clock) -> None:
        """Raise ConfigError, naming the key, for whatever cannot work."""
        for problem in unenforced(config, Facts()):
            raise ConfigError(str(problem))
        tls = server_context(config.tls, ask_clients=False)
        check_listeners(config.ingress.listener, tls)
        self._site = Site(
            hostname=config.hostname,
            settings=config.ingress,
            rules=compile_rules(config.relay, config.auth),
            publisher=publisher,
            resolver=resolver,
            clock=clock,
            connections=Connections(config.ingress.max_connections, config.ingress.max_connections_per_client),
            budget=Budget(config.ingress.buffer),
            tls=tls,
            submission_tls=server_context(config.tls, ask_clients=True),
            authenticator=authenticator(config, attempts(config.auth), clock),
            verifier=_verifier(config, resolver),
        )
        self._server = Server(self._site, config.ingress.listener)
        self._state: str | None = "not started"

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
        if self._site.verifier is not None:
            self._site.verifier.close()
        if self._site.authenticator is not None:
            self._site.authenticator.close()


def build(config: Config, publisher: Publisher, resolver: Resolver, *, clock: Clock = wall_clock) -> IngressApp:
    """Return ingress, ready to start. Raise ConfigError, naming the key, for whatever cannot work."""
    return IngressApp(config, publisher, resolver, clock)


def _verifier(config: Config, resolver: Resolver) -> Verifier | None:
    settings = config.ingress.authentication
    return Verifier(resolver, config.hostname, settings) if settings.verify else None
