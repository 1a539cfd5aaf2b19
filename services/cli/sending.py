"""What `sluice check` tries out of delivery's own: where its connections come from, and the keys that sign its mail."""

import asyncio
import base64
import binascii
import socket
import stat
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

from services.delivery.routing.route import compile_routes, default_source
from services.delivery.routing.source import Source
from services.delivery.security.contexts import Contexts
from services.delivery.signing.keys import RSA_BITS, SigningKey
from services.delivery.signing.signer import read_keys
from shared.config.findings import Problem, Severity
from shared.config.model import Config
from shared.dns.port import Resolver, Status
from shared.errors import ConfigError
from shared.mailauth.tags import read_tags, without_space

_TRANSLATED = [
    ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
]
"""What receivers see in place of these addresses is known elsewhere."""


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
    for table, section in ((routes.hosted, "relay.hosted"), (routes.static, "delivery.route")):
        for domain, hops in table.items():
            found = (address for hop in hops for address in (hop.source.v4, hop.source.v6) if address)
            yield from ((address, f'{section}."{domain}"') for address in found)
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


async def names(config: Config, resolver: Resolver) -> list[Problem]:
    """Look each name up that EHLO is told to give: it should have the address that the connection comes from."""
    try:
        given = list(_given(config))
    except ConfigError:
        return []  # `sources` says so
    return list(await asyncio.gather(*(_named(resolver, key, source) for key, source in given)))


def _given(config: Config) -> Iterator[tuple[str, Source]]:
    routes, default = compile_routes(config), default_source(config)
    if default.helo:
        yield "delivery.helo", default
    for table, section in ((routes.hosted, "relay.hosted"), (routes.static, "delivery.route")):
        for domain, hops in table.items():
            others = dict.fromkeys(hop.source for hop in hops if hop.source != default and hop.source.helo)
            yield from ((f'{section}."{domain}"', source) for source in others)


async def _named(resolver: Resolver, key: str, source: Source) -> Problem:
    name = f'"{source.helo}" of EHLO'
    answer = await resolver.addresses(source.helo or "")
    if answer.status is Status.FAILED:
        return Problem(Severity.WARNING, key, f"{name}: no answer from DNS: {answer.detail}", "ask again")
    if answer.status is not Status.FOUND:
        return Problem(Severity.WARNING, key, f"{name} has no address: receivers may refuse mail", "add it to DNS")
    found = ", ".join(answer.addresses)
    own = [each for each in (source.v4, source.v6) if each and not any(ip_address(each) in net for net in _TRANSLATED)]
    lacking = " and ".join(each for each in own if each not in answer.addresses)
    if lacking:
        reason = f"{name} is {found}, and not {lacking}: receivers may refuse mail"
        return Problem(Severity.WARNING, key, reason, f"add {lacking} to its addresses in DNS")
    return Problem(Severity.OK, key, f"{name} is {found}")


def tls_files(config: Config) -> list[Problem]:
    """Read the authorities of routes and of `tls_ca`, and the certificates that routes show, as delivery does."""
    try:
        routes = compile_routes(config)
    except ConfigError:
        return []  # `sources` says so
    try:
        Contexts(routes, config.delivery.tls_ca)
    except ConfigError as error:
        key, _, reason = str(error).partition(": ")
        return [Problem(Severity.ERROR, key, reason, "name a PEM file that this user may read")]
    return []


async def signing(config: Config, resolver: Resolver) -> list[Problem]:
    """Read each key, and compare its public half with what receivers find in DNS."""
    try:
        keys = read_keys(config)
    except ConfigError as error:
        key, _, reason = str(error).partition(": ")
        what, _, remedy = reason.rpartition("; ")
        return [Problem(Severity.ERROR, key, what, remedy)]
    return [
        *(_readable_by_all(f"delivery.dkim[{index}].key", one.key) for index, one in enumerate(config.delivery.dkim)),
        *([] if config.delivery.arc is None else [_readable_by_all("delivery.arc.key", config.delivery.arc.key)]),
        *await asyncio.gather(*(_published(resolver, name, key) for name, key in keys.all().items())),
    ]


def _readable_by_all(key: str, path: str) -> Problem:
    if Path(path).stat().st_mode & stat.S_IROTH:
        reason = f"every user of this machine may read {path}, and sign as you"
        return Problem(Severity.WARNING, key, reason, "chmod 600")
    return Problem(Severity.OK, key, path)


async def _published(resolver: Resolver, name: str, key: SigningKey) -> Problem:
    answer = await resolver.txt(key.name)
    remedy = "publish what this prints: sluice dkim record"
    if answer.status is Status.FAILED:
        return Problem(Severity.WARNING, name, f"{key.name}: no answer from DNS: {answer.detail}", "ask again")
    if answer.status is not Status.FOUND:
        reason = f"{key.name} is not in DNS: receivers cannot verify what it signs"
        return Problem(Severity.ERROR, name, reason, remedy)
    if len(answer.records) > 1:
        reason = f"{key.name} has {len(answer.records)} TXT records: receivers may take any of them"
        return Problem(Severity.ERROR, name, reason, "leave one")
    tags = read_tags(answer.records[0].decode("latin-1")) or {}
    if not _fits(tags, key):
        return Problem(Severity.ERROR, name, f"{key.name} in DNS is not the public key of this one", remedy)
    return _judged(name, key, tags)


def _judged(name: str, key: SigningKey, tags: dict[str, str]) -> Problem:
    """Return what is to be said of a key that is in DNS."""
    if "y" in [flag.strip().lower() for flag in tags.get("t", "").split(":")]:
        reason = f"{key.name} says t=y, testing: receivers may ignore what it signs"
        return Problem(Severity.WARNING, name, reason, "remove t=y from the record")
    if key.is_short:
        reason = f"{key.name} has fewer than {RSA_BITS} bits: others may break it, and sign as you"
        return Problem(Severity.WARNING, name, reason, "make a new one: sluice dkim key")
    return Problem(Severity.OK, name, f"{key.name} is in DNS")


def _fits(tags: dict[str, str], key: SigningKey) -> bool:
    kind = key.algorithm.partition("-")[0]
    try:
        public = base64.b64decode(without_space(tags.get("p", "")), validate=True)
    except binascii.Error:
        return False
    return tags.get("v", "DKIM1") == "DKIM1" and tags.get("k", "rsa").lower() == kind and key.is_published_as(public)
