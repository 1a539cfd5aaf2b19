"""Ingress as a process: `sluice ingress`, or `python -m services.ingress`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.ingress.app import build
from shared.broker.adapters import open_broker
from shared.broker.topology import User
from shared.config.load import Loaded
from shared.config.model import Config
from shared.dns.resolver import DnsResolver
from shared.runtime import App, run_app, run_here


@asynccontextmanager
async def open_app(config: Config) -> AsyncIterator[App]:
    """Open the broker, yield the app, close the broker."""
    broker = await open_broker(config, User.INGRESS)
    try:
        yield build(config, broker, DnsResolver(config.ingress.nameservers))
    finally:
        await broker.close()


def main(loaded: Loaded) -> int:
    """Run until a signal; return the exit status."""
    return run_app(loaded, "ingress", open_app)


if __name__ == "__main__":
    sys.exit(run_here(main))
