"""What `sluice check` tries out of delivery's own: where its connections come from."""

import socket
from collections.abc import Iterator

from services.delivery.routing.route import NextHop, compile_routes, default_source
from services.delivery.routing.source import Source
from shared.config.findings import Problem, Severity
from shared.config.model import Config
from shared.errors import ConfigError


def sources(config: Config) -> list[Problem]:
    """Bind each source address: one that this machine does not have makes every attempt fail."""
    try:
        addresses = dict(_addresses(config))
    except ConfigError as error:
        key, _, reason = str(error).partition(": ")
        return [Problem(Severity.ERROR, key, reason)]
    return [_bound(key, address) for address, key in addresses.items()]


def _addresses(config: Config) -> Iterator[tuple[str, str]]:
    """Yield every source address with a key that names it."""
    routes, default = compile_routes(config), default_source(config)
    for domain, hops in routes.static.items():
        source = hops[0].source if isinstance(hops[0], NextHop) else Source()
        yield from ((address, f'delivery.route."{domain}"') for address in (source.v4, source.v6) if address)
    yield from ((address, key) for address, key in _keys(default) if address)


def _keys(default: Source) -> Iterator[tuple[str | None, str]]:
    yield default.v4, "delivery.source_address"
    yield default.v6, "delivery.source_address_v6"


def _bound(key: str, address: str) -> Problem:
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.bind((address, 0))
    except OSError as error:
        reason = f"connections cannot come from {address}: {error.strerror or error}"
        return Problem(Severity.ERROR, key, reason, "name an address of this machine")
    return Problem(Severity.OK, key, f"connections come from {address}")
