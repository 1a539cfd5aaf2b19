"""Delivery as an app: parts put together, a worker that runs them."""

import random
from collections.abc import Callable
from typing import NamedTuple

from services.delivery.attempt import Courier
from services.delivery.handler import Handler, Parts
from services.delivery.routing.hosts import Hosts
from services.delivery.routing.mx import Rules, parse
from services.delivery.routing.route import compile_routes
from services.delivery.security import observing
from services.delivery.security.contexts import Contexts, Files, verifying
from services.delivery.security.protector import Protector
from services.delivery.security.sts_fetch import StsFetcher
from services.delivery.security.sts_policies import StsMemory, StsPolicies
from services.delivery.settle import Policy
from services.delivery.shaping import gate as shaping
from services.delivery.shaping.gate import Gate
from services.delivery.shaping.limits import Table
from services.delivery.signing.signer import Signer, read_keys
from services.delivery.smtp.client import Client
from services.delivery.smtp.session import Timeouts
from shared import model
from shared.broker.port import Broker, Slots
from shared.broker.stage_app import StageApp
from shared.broker.topology import Stage
from shared.broker.worker import Settings, Worker
from shared.clock import Clock, wall_clock
from shared.config.model import Config
from shared.config.tls_policy import parse_policy
from shared.dns.port import Resolver
from shared.errors import ConfigError
from shared.reload import Swap

SETTLING_SECONDS = 60.0
"""What the worker allows beyond an attempt, so that an attempt's own time-out is an outcome and not a failure."""


class Lasting(NamedTuple):
    """What outlives a reload of the configuration."""

    gate: Gate
    sts: StsMemory


def build(
    config: Config,
    broker: Broker,
    resolver: Resolver,
    *,
    clock: Clock = wall_clock,
    rng: random.Random | None = None,
    isolated: Callable[[Config, Slots], model.Handler] | None = None,
) -> StageApp:
    """Return the stage, not yet started. Raise ConfigError for a route that cannot be used.

    `isolated` makes what handles that which may be killing workers; without it they handle that themselves.
    """
    rng = rng or random.SystemRandom()
    slots = broker.slots()
    lasting = Lasting(Gate(slots, gate_settings(config), rng), StsMemory())

    def handlers(config: Config) -> tuple[model.Handler, float, model.Handler | None]:
        handler = build_handler(config, resolver, lasting, clock=clock, rng=rng)
        return (
            handler,
            config.delivery.attempt_timeout + SETTLING_SECONDS,
            isolated(config, slots) if isolated else None,
        )

    handler, timeout, alone = handlers(config)
    settings = Settings(config.delivery.concurrency, timeout, config.delivery.buffer)
    worker = Worker(broker, Stage.DELIVER, handler, settings, isolated=alone, clock=clock)

    def prepare(new: Config) -> Swap:
        prepared = handlers(new)

        def swap() -> None:
            worker.change(*prepared)
            lasting.gate.settings = gate_settings(new)

        return swap

    return StageApp(broker, worker, prepare, lasting.gate.close)


def gate_settings(config: Config) -> shaping.Settings:
    """Return what the configuration says about how much a destination gets."""
    delivery = config.delivery
    return shaping.Settings(
        Table(delivery), delivery.idle_connection, delivery.concurrency, max(1, delivery.concurrency // 2)
    )


def build_handler(
    config: Config,
    resolver: Resolver,
    lasting: Lasting,
    *,
    clock: Clock,
    rng: random.Random,
) -> Handler:
    """Return the stage's handler, which tests call."""
    delivery = config.delivery
    if not delivery.retry or not all(delivery.retry):
        raise ConfigError('delivery.retry: it is empty, or a wait in it is 0: write waits such as ["1m", "5m"]')
    routes = compile_routes(config)
    own = frozenset(parse(address) for address in config.relay.own_addresses)
    rules = Rules(config.hostname, own, delivery.allow_private_destinations)
    timeouts = Timeouts.of(delivery.connect_timeout, delivery.reply_timeout)
    client = Client(config.hostname, Contexts(routes, delivery.tls_ca), delivery.route_passwords, timeouts)
    parts = Parts(
        hosts=Hosts(routes, rules, resolver, rng),
        protector=build_protector(config, resolver, lasting.sts, clock),
        courier=Courier(client),
        gate=lasting.gate,
        policy=Policy.of(config),
        attempt_seconds=delivery.attempt_timeout,
        signer=Signer(read_keys(config), config.hostname, config.relay.postmaster),
        held=delivery.hold,
    )
    return Handler(parts, clock, rng)


def build_protector(config: Config, resolver: Resolver, memory: StsMemory, clock: Clock) -> Protector:
    """Return what knows how hosts are to be protected. Raise ConfigError for a file that cannot be read."""
    delivery = config.delivery
    configured = {domain: parse_policy(text) for domain, text in delivery.tls_policy.items()}
    policies = None
    if delivery.mta_sts:
        context = verifying(Files(ca=delivery.tls_ca))
        private = delivery.allow_private_destinations
        fetcher = StsFetcher(resolver, context, delivery.mta_sts_port, allow_private=private)
        policies = StsPolicies(memory, resolver, fetcher.fetch, clock, observing.policy_failed)
    return Protector(configured, resolver, policies, dane=delivery.dane == "auto")
