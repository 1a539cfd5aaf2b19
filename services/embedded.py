"""All stages in one process: `sluice up`, on the embedded broker or on RabbitMQ."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from services.delivery import app as delivery
from services.delivery.isolated import isolated
from services.ingress import app as ingress
from services.screener import app as screener
from shared import log
from shared.broker.adapters import is_embedded, open_broker, shown_url
from shared.broker.port import Broker
from shared.broker.topology import User
from shared.config.load import Loaded
from shared.config.model import Config
from shared.dns.resolver import DnsResolver
from shared.reload import Reloadable, Swap
from shared.runtime import App, MayFail, run_app


class Stages:
    """Stages as one app, named in the order in which mail flows."""

    def __init__(self, stages: Sequence[tuple[str, App]]) -> None:
        self._stages = tuple(stages)
        self._started: list[App] = []

    async def start(self) -> None:
        """Start the last stage first, so that the door opens when everything behind it works."""
        for _, app in reversed(self._stages):
            try:
                await app.start()
            except BaseException:
                await self.drain(0)
                raise
            self._started.insert(0, app)

    def trouble(self) -> str | None:
        """Return the first stage's trouble, with the stage's name before it."""
        for name, app in self._stages:
            trouble = app.trouble()
            if trouble is not None:
                return f"{name}: {trouble}"
        return None

    def failure(self) -> BaseException | None:
        """Return what broke a stage: then the whole process ends."""
        for _, app in self._stages:
            failure = app.failure() if isinstance(app, MayFail) else None
            if failure is not None:
                return failure
        return None

    def prepare(self, config: Config) -> Swap:
        """Prepare every stage, and swap all of them or none."""
        swaps = [app.prepare(config) for _, app in self._stages if isinstance(app, Reloadable)]

        def swap() -> None:
            for each in swaps:
                each()

        return swap

    async def drain(self, grace: float) -> None:
        """Drain stage after stage as mail flows; `grace` is for all of them together."""
        until = time.monotonic() + grace
        for app in self._started:
            await app.drain(max(0.0, until - time.monotonic()))


@asynccontextmanager
async def open_app(config: Config) -> AsyncIterator[App]:
    """Open the broker (one for all if embedded, else one with each service's user), yield the app, close again."""
    async with AsyncExitStack() as stack:
        users = (User.INGRESS, User.SCREENER, User.DELIVERY)
        brokers: dict[User, Broker] = {}
        for user in users[:1] if is_embedded(config) else users:
            brokers[user] = await open_broker(config, user)
            stack.push_async_callback(brokers[user].close)
        first = brokers[User.INGRESS]
        resolver = DnsResolver(config.delivery.nameservers, dnssec=config.delivery.dnssec)
        last = brokers.get(User.DELIVERY, first)
        yield Stages(
            [
                ("ingress", ingress.build(config, first, DnsResolver(config.ingress.nameservers))),
                ("screener", screener.build(config, brokers.get(User.SCREENER, first))),
                ("delivery", delivery.build(config, last, resolver, isolated=isolated)),
            ]
        )


def main(loaded: Loaded) -> int:
    """Run until a signal; return the exit status."""
    config = loaded.config
    log.set_up(config.log, "up")
    log.get().info(
        "relay",
        listeners=[f"{listener.address} ({listener.mode})" for listener in config.ingress.listener],
        broker=shown_url(config),
        hosted=sorted(config.relay.hosted),
        trusted=list(config.relay.trusted_networks),
    )
    return run_app(loaded, "up", open_app)
