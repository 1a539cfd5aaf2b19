"""Where mail for a domain goes: hosted domains first, then static routes, then MX.

Pure, and compiled once from the configuration, so that a route that cannot be read stops the process, not a message.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from services.delivery.routing.source import Source, parse_source
from shared.config.model import Config, Hosted
from shared.config.next_hop import is_mx
from shared.config.tls_policy import Policy, Tls, parse_policy
from shared.errors import ConfigError

T = TypeVar("T")

PORTS = {"smtp": 25, "smtps": 465, "lmtp": 24}
"""The ports of next hops that name none; implicit TLS is RFC 8314."""


class NextHop(msgspec.Struct, frozen=True):
    """One host to hand mail to: a name or an address, without brackets."""

    host: str
    port: int
    tls: Policy | None = None
    """None leaves it to `delivery.tls_policy`, and to what the domain publishes."""
    implicit_tls: bool = False
    user: str | None = None
    """Authenticate as this user, with the password in `delivery.route_passwords` under `route`."""
    route: str | None = None
    ca: str | None = None
    """A file of certificate authorities instead of the system's."""
    certificate: str | None = None
    """A file with a certificate of ours for this host, and its key unless `key` names another file."""
    key: str | None = None
    source: Source = Source()
    lmtp: bool = False
    """Speak LMTP (RFC 2033). Then `host` may also be the path of a socket, which begins with "/"."""


class ByMx(msgspec.Struct, frozen=True):
    """The hosts that DNS names for the domain."""

    port: int
    source: Source = Source()


Hop = NextHop | ByMx


class Routes(NamedTuple):
    """Every route of the configuration. Keys: a domain, ".example.org" for its subdomains, "*" for the rest."""

    hosted: Mapping[str, tuple[Hop, ...]]
    static: Mapping[str, tuple[Hop, ...]]
    default: ByMx

    def hops(self, domain: str) -> tuple[Hop, ...]:
        """Return the next hops for a domain, in the order in which to try them."""
        return find(self.hosted, domain) or find(self.static, domain) or self.static.get("*") or (self.default,)


def find(table: Mapping[str, T], domain: str) -> T | None:
    """Look up a domain itself, then its longest suffix in the form ".example.org"."""
    if domain in table:
        return table[domain]
    at = domain.find(".")
    while at >= 0:
        if domain[at:] in table:
            return table[domain[at:]]
        at = domain.find(".", at + 1)
    return None


def compile_routes(config: Config) -> Routes:
    """Read every next hop of the configuration. Raise ConfigError naming the key that cannot be read."""
    default = ByMx(config.delivery.port, default_source(config))
    hosted = {
        _key(domain): tuple(parse_hop(text, f"relay.hosted.{domain}", default) for text in _next_hops(value))
        for domain, value in config.relay.hosted.items()
    }
    static = {
        _key(domain): (parse_hop(text, f"delivery.route.{domain}", default, route=domain),)
        for domain, text in config.delivery.route.items()
    }
    for domain, (hop,) in static.items():
        if isinstance(hop, NextHop) and hop.user and hop.route not in config.delivery.route_passwords:
            raise ConfigError(
                f'delivery.route.{domain}: user "{hop.user}" has no password: '
                f'set delivery.route_passwords."{hop.route}" or its file'
            )
    return Routes(hosted, static, default)


def default_source(config: Config) -> Source:
    """Return how we appear to hosts whose route says nothing about it."""
    delivery = config.delivery
    return Source(delivery.source_address, delivery.source_address_v6, delivery.helo)


def _key(domain: str) -> str:
    return domain.lower().removesuffix(".")


def _next_hops(value: str | tuple[str, ...] | Hosted) -> tuple[str, ...]:
    if isinstance(value, Hosted):
        return value.next_hop
    return (value,) if isinstance(value, str) else value


def parse_hop(text: str, key: str, default: ByMx, *, route: str | None = None) -> Hop:
    """Read "mx", "host:port", "[address]:port" or an smtp://, smtps:// or lmtp:// URL. Raise ConfigError naming `key`.

    A URL may have a user, never a password, and `?tls=POLICY&ca=FILE&cert=FILE&key=FILE&source=ADDRESS&helo=NAME`;
    "mx" only the last two, since TLS to MX hosts is a matter of `delivery.tls_policy`. A user or smtps:// means
    `verify` unless it says otherwise: a password is not for whoever answers.
    """
    try:
        if is_mx(text):
            options = _options(text.partition("?")[2], _OF_SOURCE)
            return ByMx(default.port, parse_source(options.get("source"), options.get("helo"), default.source))
        if "://" in text:
            return _from_url(text, route, default.source)
        host, number = _host_and_port(text, PORTS["smtp"])
        return NextHop(host, number, source=default.source)
    except ValueError as error:
        shown = f"…@{text.rpartition('@')[2]}" if "@" in text else text  # before it may stand a password
        raise ConfigError(
            f'{key}: "{shown}" is not a next hop ({error}): write "mx", "host:25", "[192.0.2.1]:25" '
            'or "smtp://user@host:587"'
        ) from error


def _from_url(text: str, route: str | None, source: Source) -> NextHop:
    url = urlsplit(text)
    if url.scheme not in PORTS:
        raise ValueError(f"unknown scheme {url.scheme}://")
    if url.password is not None:
        raise ValueError("a password does not belong here but in delivery.route_passwords")
    if url.scheme == "lmtp" and not url.netloc and len(url.path) > 1 and not url.query and not url.fragment:
        return NextHop(unquote(url.path), 0, tls=Policy(Tls.NONE), lmtp=True)
    if url.path not in {"", "/"} or url.fragment:
        raise ValueError("nothing may follow the port but ?tls=, ca=, cert=, key=, source= and helo=")
    implicit = url.scheme == "smtps"
    host, number = _host_and_port(url.netloc.rpartition("@")[2], PORTS[url.scheme])
    user = unquote(url.username) if url.username else None
    options = _options(url.query, _OPTIONS)
    unsaid = Policy(Tls.VERIFY) if implicit or user else None
    tls = parse_policy(options["tls"]) if "tls" in options else unsaid
    source = parse_source(options.get("source"), options.get("helo"), source)
    if implicit and tls is not None and tls.tls in {Tls.NONE, Tls.MAY}:
        raise ValueError(f"smtps:// cannot go with tls={tls.tls}")
    if user and tls is not None and (tls.tls is Tls.MAY or (tls.tls is Tls.NONE and not _is_here(host))):
        raise ValueError(f"tls={tls.tls} would show the password to others on the way: write encrypt or verify")
    if "key" in options and "cert" not in options:
        raise ValueError("key= is for the certificate that cert= names")
    return NextHop(
        host,
        number,
        tls=tls,
        implicit_tls=implicit,
        user=user,
        route=route,
        ca=options.get("ca"),
        certificate=options.get("cert"),
        key=options.get("key"),
        source=source,
        lmtp=url.scheme == "lmtp",
    )


_OF_SOURCE = frozenset({"source", "helo"})
_OPTIONS = _OF_SOURCE | {"tls", "ca", "cert", "key"}


def _options(query: str, valid: frozenset[str]) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    for name, _ in pairs:
        if name not in valid:
            raise ValueError(f"unknown option {name}")
    return dict(pairs)


def _is_here(host: str) -> bool:
    """Tell whether a host is this machine: a tunnel, say, that has TLS at its other end."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host_and_port(text: str, default: int) -> tuple[str, int]:
    match = re.fullmatch(r"(?:\[(?:IPv6:)?([^]\[]+)]|([^]\[:/@\s]+))(?::(\d{1,5}))?", text)
    if match is None:
        raise ValueError("no host")
    host = (match[1] or match[2]).lower().removesuffix(".")
    if not host:
        raise ValueError("no host")
    if ":" in host:
        host = str(ipaddress.IPv6Address(host))
    number = int(match[3] or default)
    if not 0 < number < 65536:
        raise ValueError("no such port")
    return host, number
