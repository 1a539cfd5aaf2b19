"""Delivery as a process: `sluice delivery`, or `python -m services.delivery`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.delivery.app import build
from services.delivery.isolated import FLAG, isolated, serve
from shared.broker.adapters import open_broker
from shared.broker.topology import User
from shared.config.load import Loaded
from shared.config.model import Config
from shared.dns.resolver import DnsResolver
from shared.runtime import App, run_app, run_here


def resolver_for(config: Config) -> DnsResolver:
    """Return the configured resolver."""
    return DnsResolver(config.delivery.nameservers, dnssec=config.delivery.dnssec)


@asynccontextmanager
async def open_app(config: Config) -> AsyncIterator[App]:
    """Open the broker and the resolver, yield the app, close the broker."""
    broker = await open_broker(config, User.DELIVERY)
    try:
        yield build(config, broker, resolver_for(config), isolated=isolated)
    finally:
        await broker.close()


def main(loaded: Loaded) -> int:
    """Run until a signal; return the exit status."""
    return run_app(loaded, "delivery", open_app)


if __name__ == "__main__":
    if sys.argv[1:] == [FLAG]:
        serve(resolver_for)
    else:
        sys.exit(run_here(main))
