"""What opens the relay, or may: networks that hold more than is meant, and keys that let strangers do more. Pure."""

import ipaddress
from collections.abc import Iterator

from shared.config.findings import Check, Facts, Problem, Severity
from shared.config.model import Config

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def trusted(config: Config, facts: Facts) -> Iterator[Problem]:
    """Yield what is wrong with who may send anywhere."""
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
        elif any(_within(whole, network) for whole in _WHOLE):
            reason = f"{text} is a private range as a whole: whatever is in one, guests and containers too, may send"
            yield Problem(Severity.WARNING, key, reason, "name the networks that you use")
        for gateway in _contained(facts.gateways, network):
            reason = f"{text} contains this container's gateway {gateway}, behind which any client may appear"
            remedy = "leave the gateway out, or publish the port without address translation"
            yield Problem(Severity.ERROR, key, reason, remedy)


def _holds_everything(network: Network) -> bool:
    """Return whether a network holds all of IPv4 or a large part of the internet."""
    return _holds_all_mapped(network) or (network.prefixlen < 8 and not _is_private(network))


def _holds_all_mapped(network: Network) -> bool:
    """Return whether an IPv6 network holds every IPv4 address in its mapped form (RFC 4291 section 2.5.5.2)."""
    return isinstance(network, ipaddress.IPv6Network) and network.supernet_of(ipaddress.IPv6Network("::ffff:0:0/96"))


_RANGES = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
"""For private use (RFC 1918, 6598, 4193)."""
_PRIVATE = tuple(
    ipaddress.ip_network(text) for text in (*_RANGES, "127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10")
)
"""Listed here because `is_private` of a network looks at its ends only, in the older Pythons."""


_WHOLE = tuple(ipaddress.ip_network(text) for text in _RANGES)


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


def balancers(config: Config, facts: Facts) -> Iterator[Problem]:
    """Yield what is wrong with who may say whose connection it is."""
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


def openings(config: Config, _: Facts) -> Iterator[Problem]:
    """Yield the keys that let others do what they may not by default."""
    if config.relay.allow_hosted_senders_from_outside:
        reason = "strangers may use your own domains as envelope sender"
        yield Problem(Severity.WARNING, "relay.allow_hosted_senders_from_outside", reason, "leave it out if you can")
    if config.delivery.allow_private_destinations:
        reason = "foreign MX records may direct mail to hosts of your private networks"
        yield Problem(Severity.WARNING, "delivery.allow_private_destinations", reason, "for closed networks only")


OPENINGS: tuple[Check, ...] = (trusted, balancers, openings)
