"""What is valid key by key but wrong as a whole, above all anything that opens the relay. Pure."""

import ipaddress
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import combinations
from typing import NamedTuple
from urllib.parse import urlsplit

from shared.config.model import Config, Hosted, Mode

MAX_RETENTION = 30 * 86400
"""Less than the ring of day buckets is long (BROKER.md: one bucket a day, 31 of them)."""
MAX_ATTEMPT = 1500.0
"""Below the broker's consumer timeout of 30 minutes (BROKER.md 4)."""
MAX_MESSAGE = 120 * 1024**2
"""Below the broker's max_message_size in our rabbitmq.conf, 128 MiB, with room for the item (BROKER.md 2)."""


class Severity(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Problem(NamedTuple):
    """One finding: where, what and what to do."""

    severity: Severity
    key: str
    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}" + (f"; {self.remedy}" if self.remedy else "")


class Facts(NamedTuple):
    """What the configuration does not say of itself."""

    gateways: tuple[str, ...] = ()
    """Of a container's networks: published ports may show one of them as every client's address."""
    readable_by_all: bool = False
    """The configuration file may be read by every user of the machine."""


Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Check = Callable[[Config, Facts], Iterator[Problem]]


def problems(config: Config, facts: Facts) -> list[Problem]:
    """Return everything that is wrong or doubtful, the worst first."""
    found = [problem for check in CHECKS for problem in check(config, facts)]
    return sorted(found, key=lambda problem: problem.severity is not Severity.ERROR)


def _trusted(config: Config, facts: Facts) -> Iterator[Problem]:
    key = "relay.trusted_networks"
    for text in config.relay.trusted_networks:
        network = ipaddress.ip_network(text)
        if _holds_everything(network):
            yield Problem(
                Severity.ERROR,
                key,
                f"{text} makes an open relay: the whole internet may send",
                "name your own networks",
            )
        elif _is_wide(network):
            yield Problem(
                Severity.WARNING, key, f"{text} is a very wide public network", "name only networks that are yours"
            )
        for gateway in _contained(facts.gateways, network):
            yield Problem(
                Severity.ERROR,
                key,
                f"{text} contains this container's gateway {gateway}, behind which any client may appear",
                "leave the gateway out, or publish the port without address translation",
            )


def _holds_everything(network: Network) -> bool:
    """Return whether a network holds all of IPv4 or a large part of the internet."""
    return _holds_all_mapped(network) or (network.prefixlen < 8 and not _is_private(network))


def _holds_all_mapped(network: Network) -> bool:
    """Return whether an IPv6 network holds every IPv4 address in its mapped form (RFC 4291 section 2.5.5.2)."""
    return isinstance(network, ipaddress.IPv6Network) and network.supernet_of(ipaddress.IPv6Network("::ffff:0:0/96"))


_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
"""Listed here because `is_private` of a network looks at its ends only, in the older Pythons."""


def _is_private(network: Network) -> bool:
    return any(_within(network, private) for private in _PRIVATE)


def _within(network: Network, other: Network) -> bool:
    if isinstance(network, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and network.subnet_of(other)
    return isinstance(other, ipaddress.IPv6Network) and network.subnet_of(other)


def _overlap(network: Network, other: Network) -> bool:
    return _within(network, other) or _within(other, network)


def _is_wide(network: Network) -> bool:
    return network.prefixlen < (16 if network.version == 4 else 32) and not _is_private(network)


def _contained(addresses: tuple[str, ...], network: Network) -> list[str]:
    """Return the first of the addresses that a network contains, if there is one."""
    return [address for address in addresses if ipaddress.ip_address(address) in network][:1]


def _hosted(config: Config, _: Facts) -> Iterator[Problem]:
    for name, entry in config.relay.hosted.items():
        key = f'relay.hosted."{name}"'
        labels = name.strip(".").split(".")
        public = len(labels) == 1 or (len(labels) == 2 and len(labels[1]) == 2 and labels[0] in _SECOND_LEVEL)
        if public and name.startswith("."):
            reason = f"hosts every domain under {name}: mail for other people's domains would be relayed"
            yield Problem(Severity.ERROR, key, reason, "name the domains you host")
        elif public and name != "localhost":
            yield Problem(Severity.WARNING, key, "looks like a top-level domain", "write the whole domain")
        if "mx" in _hops(entry) and not config.relay.own_addresses:
            reason = 'next hop "mx" needs relay.own_addresses, or mail may loop back to this relay'
            yield Problem(Severity.ERROR, key, reason, "list the addresses under which MX records name this relay")
        for denied in config.relay.denied_destinations:
            if covers(denied, name):
                yield Problem(Severity.WARNING, key, f'also denied by "{denied}": nobody may send there', "keep one")


_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "ne", "net", "or", "org"})
"""As in co.uk: under a country's domain these are not anybody's own."""


def _hops(entry: str | tuple[str, ...] | Hosted) -> tuple[str, ...]:
    if isinstance(entry, Hosted):
        return entry.next_hop
    return (entry,) if isinstance(entry, str) else entry


def covers(pattern: str, other: str) -> bool:
    """Return whether every address that `other` stands for is one that `pattern` stands for.

    Both are deny patterns: "a.example", ".a.example" and "*.a.example" (subdomains), "*", "user@a.example".
    """
    if pattern == "*":
        return True
    pattern, other = (text.removeprefix("*") if text.startswith("*.") else text for text in (pattern, other))
    domain = other.rpartition("@")[2]
    if pattern.startswith("."):
        return domain.endswith(pattern)
    return pattern in {other, domain}


def _denied(config: Config, _: Facts) -> Iterator[Problem]:
    for key, patterns in (
        ("relay.denied_destinations", config.relay.denied_destinations),
        ("relay.denied_senders", config.relay.denied_senders),
    ):
        for first, second in combinations(patterns, 2):
            for wide, narrow in ((first, second), (second, first)):
                if covers(wide, narrow):
                    yield Problem(Severity.WARNING, key, f'"{narrow}" has no effect beside "{wide}"', "remove it")
                    break


def _postmaster(config: Config, _: Facts) -> Iterator[Problem]:
    name = config.relay.postmaster.rpartition("@")[2]
    if not any(_matches(entry, name) for entry in (*config.relay.hosted, *config.delivery.route)):
        yield Problem(
            Severity.ERROR,
            "relay.postmaster",
            f'"{name}" is neither hosted nor routed: reports to the postmaster may not arrive',
            "name a mailbox in a domain of relay.hosted or delivery.route",
        )


def _matches(entry: str, domain: str) -> bool:
    return entry in {"*", domain} or (entry.startswith(".") and domain.endswith(entry))


def _listeners(config: Config, _: Facts) -> Iterator[Problem]:
    listeners = config.ingress.listener
    tls = config.tls.certificate is not None
    if not listeners:
        yield Problem(Severity.ERROR, "ingress.listener", "there is none", "add an [[ingress.listener]]")
    for index, listener in enumerate(listeners):
        key = f"ingress.listener[{index}]"
        if listener.mode is not Mode.RELAY and not tls:
            reason = f"mode {listener.mode} needs TLS, for passwords"
            yield Problem(Severity.ERROR, key, reason, "set tls.certificate and tls.key")
        if listener.mode is not Mode.RELAY and not _authenticates(config) and not listener.trusted_without_auth:
            reason = f"mode {listener.mode} without auth.users_file: nobody can send there"
            yield Problem(Severity.ERROR, key, reason, "set auth.users_file and add users with: sluice user add")
        if listener.mode is Mode.RELAY and listener.trusted_without_auth:
            reason = "trusted_without_auth has no effect on a relay listener"
            yield Problem(Severity.WARNING, key, reason, "remove it")
    for (first, one), (second, two) in combinations(enumerate(listeners), 2):
        if one.address == two.address and not one.address.endswith(":0"):
            yield Problem(Severity.ERROR, f"ingress.listener[{second}]", f"the same address as [{first}]", "change one")


def _authenticates(config: Config) -> bool:
    auth = config.auth
    return any((auth.users_file, auth.http_url, auth.jwks_file, config.tls.client_ca))


def _balancers(config: Config, facts: Facts) -> Iterator[Problem]:
    listeners = config.ingress.listener
    for index, listener in enumerate(listeners):
        key = f"ingress.listener[{index}].proxy_from"
        for text in listener.proxy_from:
            network = ipaddress.ip_network(text)
            if _holds_everything(network) or _is_wide(network):
                reason = f"{text} makes an open relay: whoever connects from there may claim any address"
                yield Problem(Severity.ERROR, key, reason, "name the addresses of your balancers")
            for gateway in _contained(facts.gateways, network):
                reason = (
                    f"{text} contains this container's gateway {gateway}, "
                    "behind which any client may appear, and claim any address"
                )
                yield Problem(Severity.ERROR, key, reason, "name the balancer's own address")
            for other in config.relay.trusted_networks:
                if _overlap(network, ipaddress.ip_network(other)):
                    reason = f"{other} contains balancers ({text}): those addresses are never trusted"
                    yield Problem(Severity.WARNING, "relay.trusted_networks", reason, "leave the balancers out")
        if not listener.proxy_from and any(other.proxy_from for other in listeners):
            reason = "takes no PROXY header, unlike others: behind a balancer every client would be a stranger"
            yield Problem(Severity.WARNING, key, reason, "set it too, or lead no balancer there")


def _callout(config: Config, _: Facts) -> Iterator[Problem]:
    url = urlsplit(config.auth.http_url or "")
    if url.scheme == "http" and url.hostname not in {"localhost", "127.0.0.1", "::1"}:
        reason = "users' passwords cross the network in clear"
        yield Problem(Severity.WARNING, "auth.http_url", reason, "use https")


def _tls(config: Config, _: Facts) -> Iterator[Problem]:
    tls = config.tls
    if tls.key is not None and tls.certificate is None:
        yield Problem(Severity.ERROR, "tls.certificate", "missing beside tls.key", "set it as well")
    if config.auth.users_file and not tls.certificate:
        reason = "users can never authenticate: AUTH is offered under TLS only"
        yield Problem(Severity.WARNING, "auth.users_file", reason, "set tls.certificate and tls.key")


def _names(config: Config, facts: Facts) -> Iterator[Problem]:
    if "." not in config.hostname:
        reason = f'"{config.hostname}" is not a full name: other servers may refuse our greeting'
        yield Problem(Severity.WARNING, "hostname", reason, "set the name that DNS has for this machine")
    _, _, rest = config.broker.partition("://")
    if facts.readable_by_all and ":" in rest.rpartition("@")[0]:
        reason = "the URL holds a password and every user of this machine may read the file"
        yield Problem(Severity.WARNING, "broker", reason, "use broker_password_file, or chmod 600")


def _openings(config: Config, _: Facts) -> Iterator[Problem]:
    if config.relay.allow_hosted_senders_from_outside:
        reason = "strangers may use your own domains as envelope sender"
        yield Problem(Severity.WARNING, "relay.allow_hosted_senders_from_outside", reason, "leave it out if you can")
    if config.delivery.allow_private_destinations:
        reason = "foreign MX records may direct mail to hosts of your private networks"
        yield Problem(Severity.WARNING, "delivery.allow_private_destinations", reason, "for closed networks only")


def _limits(config: Config, _: Facts) -> Iterator[Problem]:
    ingress, delivery = config.ingress, config.delivery
    if ingress.max_message_size > MAX_MESSAGE:
        reason = f"more than the {MAX_MESSAGE} octets that a broker message can hold"
        yield Problem(Severity.ERROR, "ingress.max_message_size", reason, "lower it")
    if ingress.max_message_size > ingress.buffer // 8 * 5:
        reason = "five eighths are less than ingress.max_message_size: the largest messages would never be accepted"
        yield Problem(Severity.ERROR, "ingress.buffer", reason, "raise it")
    if config.quarantine.retention > MAX_RETENTION:
        yield Problem(Severity.ERROR, "quarantine.retention", "longer than the 30 days that can be kept", "lower it")
    if not delivery.retry:
        yield Problem(Severity.ERROR, "delivery.retry", "empty", "give at least one delay")
    if delivery.delay_warning >= delivery.lifetime:
        reason = "not before delivery.lifetime: no warning will be sent"
        yield Problem(Severity.WARNING, "delivery.delay_warning", reason, "lower it")
    for key, limit in (
        ("delivery.attempt_timeout", delivery.attempt_timeout),
        ("screener.timeout", config.screener.timeout),
    ):
        if limit > MAX_ATTEMPT:
            reason = f"longer than {MAX_ATTEMPT:.0f} s: the broker may take the message back in between"
            yield Problem(Severity.ERROR, key, reason, "lower it")


def _routes(config: Config, _: Facts) -> Iterator[Problem]:
    for name in config.delivery.route_passwords:
        if "@" not in config.delivery.route.get(name, ""):
            reason = "no route with a user name has this name"
            yield Problem(
                Severity.WARNING, f'delivery.route_passwords."{name}"', reason, f'set delivery.route."{name}"'
            )


CHECKS: tuple[Check, ...] = (
    _trusted,
    _hosted,
    _denied,
    _postmaster,
    _listeners,
    _balancers,
    _tls,
    _callout,
    _names,
    _openings,
    _limits,
    _routes,
)
