"""Delivering one message in a child process: for what came back again and again and may be killing workers."""

import pickle
import random
import sys
from collections.abc import Callable, Sequence

from services.delivery.app import Lasting, build_handler, gate_settings
from services.delivery.security.sts_policies import StsMemory
from services.delivery.shaping.gate import Gate
from shared import log
from shared.broker.isolate import in_child, serve_one
from shared.broker.port import Slots
from shared.clock import wall_clock
from shared.config.model import Config
from shared.dns.port import Resolver
from shared.model import Handler, Message, Send

FLAG = "--isolated"
"""The argument of `python -m services.delivery` that makes it the child."""


def isolated(config: Config, slots: Slots) -> Handler:
    """Return a handler that delivers each message in a process of its own, with a slot of the cluster's."""
    argv = (sys.executable, "-m", "services.delivery", FLAG)
    settings = pickle.dumps(config)

    async def handle(message: Message) -> Sequence[Send]:
        return await in_child(argv, message, settings, slots)

    return handle


def serve(make_resolver: Callable[[Config], Resolver]) -> None:
    """Be the child: the configuration and the message on standard input."""

    def handler(settings: bytes, slots: Slots) -> Handler:
        config: Config = pickle.loads(settings)  # noqa: S301  (from our own parent process, over its pipe)
        log.set_up(config.log, "delivery-isolated")
        rng = random.SystemRandom()
        lasting = Lasting(Gate(slots, gate_settings(config), rng), StsMemory())
        return build_handler(config, make_resolver(config), lasting, clock=wall_clock, rng=rng)

    serve_one(handler)
