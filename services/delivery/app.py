"""Delivery as an app: parts put together, a worker that runs them."""

import random

from services.delivery import tls
from services.delivery.attempt import Courier
from services.delivery.client import Client
from services.delivery.handler import Handler, Parts
from services.delivery.hosts import Hosts
from services.delivery.mx import Rules, parse
from services.delivery.pool import Limits, Pool
from services.delivery.retry import Plan
from services.delivery.route import NextHop, Routes, compile_routes
from services.delivery.session import Timeouts
from services.delivery.settle import Policy
from services.delivery.slots import Slots
from shared import model
from shared.broker.port import Broker
from shared.broker.stage_app import StageApp
from shared.broker.topology import Stage
from shared.broker.worker import Settings, Worker
from shared.clock import Clock, wall_clock
from shared.config.model import Config
from shared.dns.port import Resolver
from shared.errors import ConfigError

SETTLING_SECONDS = 60.0
"""What the worker allows beyond an attempt, so that an attempt's own time-out is an outcome and not a failure."""


def build(
    config: Config,
    broker: Broker,
    resolver: Resolver,
    *,
    clock: Clock = wall_clock,
    rng: random.Random | None = None,
    isolated: model.Handler | None = None,
) -> StageApp:
    """Return the stage, not yet started. Raise ConfigError for a route that cannot be used.

    `isolated` handles what may be killing workers; without it they handle that themselves.
    """
    delivery = config.delivery
    pool = build_pool(config)
    handler = build_handler(config, resolver, pool, clock=clock, rng=rng or random.SystemRandom())
    settings = Settings(delivery.concurrency, delivery.attempt_timeout + SETTLING_SECONDS)
    worker = Worker(broker, Stage.DELIVER, handler, settings, isolated=isolated, clock=clock)
    return StageApp(broker, worker, pool.close)


def build_pool(config: Config) -> Pool:
    """Return an empty pool of SMTP sessions."""
    delivery = config.delivery
    return Pool(Limits(delivery.idle_connection, delivery.messages_per_connection, delivery.concurrency))


def build_handler(config: Config, resolver: Resolver, pool: Pool, *, clock: Clock, rng: random.Random) -> Handler:
    """Return the stage's handler, which tests call."""
    delivery = config.delivery
    if not delivery.retry:
        raise ConfigError('delivery.retry: it is empty: write at least one wait, such as ["5m"]')
    routes = compile_routes(config)
    _check_authorities(routes)
    own = frozenset(parse(address) for address in config.relay.own_addresses)
    rules = Rules(config.hostname, own, delivery.allow_private_destinations)
    timeouts = Timeouts.of(delivery.connect_timeout, delivery.reply_timeout)
    parts = Parts(
        hosts=Hosts(routes, rules, resolver, rng),
        courier=Courier(Client(config.hostname, delivery.route_passwords, timeouts), pool),
        slots=Slots(delivery.per_destination),
        policy=Policy(
            Plan(delivery.retry, delivery.lifetime, delivery.delay_warning), config.hostname, config.relay.postmaster
        ),
        attempt_seconds=delivery.attempt_timeout,
    )
    return Handler(parts, clock, rng)


def _check_authorities(routes: Routes) -> None:
    """Read every file of certificate authorities now: a missing one stops the process, not a message."""
    for hops in routes.static.values():
        for hop in hops:
            if isinstance(hop, NextHop):
                tls.context(hop.tls, hop.ca)
