"""From DNS answers to the addresses to try (RFC 5321 section 5.1): pure, `rng` is a parameter.

A result is either what to try, in order, or the reply that says why there is nothing to try.
"""

import ipaddress
import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shared.dns.port import AddressAnswer, Mx, MxAnswer, Status
from shared.smtp.reply import Reply

MAX_HOSTS = 10
"""Mail hosts tried in one attempt; nobody needs more, and a hostile zone may name thousands."""
MAX_ADDRESSES = 20

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Rules(NamedTuple):
    """What we are, and what we do not connect to because a stranger's DNS says so."""

    hostname: str
    own_addresses: frozenset[IpAddress] = frozenset()
    allow_private: bool = False


class Exchange(NamedTuple):
    """One mail host with its addresses."""

    mx: Mx
    answer: AddressAnswer


class Address(NamedTuple):
    """One address to try, and the name it goes by."""

    host: str
    address: str
    bases: tuple[str, ...] = ()
    """The host's TLSA base domains, if DNSSEC vouches for every step from the domain to here (RFC 7672 section 2.2)."""


def failed(domain: str, detail: str) -> Reply:
    """DNS did not answer: retry."""
    return Reply(451, "4.4.3", f"name server failure for {domain} ({detail})" if detail else f"DNS of {domain} failed")


def exchanges(domain: str, answer: MxAnswer, rules: Rules, rng: random.Random) -> tuple[Mx, ...] | Reply:
    """Return the mail hosts to look up, best first, equal preferences in random order.

    No MX means the domain itself (implicit MX). Our own name and everything not better than it is left out.
    """
    match answer.status:
        case Status.NO_NAME:
            return Reply(550, "5.1.2", f"domain {domain} does not exist")
        case Status.FAILED:
            return failed(domain, answer.detail)
        case Status.NO_DATA:
            return _without_ourselves(domain, (Mx(0, domain),), rules.hostname)
    named = [mx for mx in answer.records if mx.host]
    if not named:
        return Reply(556, "5.1.10", f"domain {domain} accepts no mail (null MX)")
    rng.shuffle(named)
    ordered = tuple(sorted(named, key=lambda mx: mx.preference))
    return _without_ourselves(domain, ordered, rules.hostname)


def _without_ourselves(domain: str, ordered: tuple[Mx, ...], hostname: str) -> tuple[Mx, ...] | Reply:
    limit = min((mx.preference for mx in ordered if mx.host == hostname.lower()), default=None)
    better = ordered if limit is None else tuple(mx for mx in ordered if mx.preference < limit)
    return better[:MAX_HOSTS] or _loop(domain)


def _loop(domain: str) -> Reply:
    return Reply(554, "5.4.6", f"mail for {domain} loops back to this host")


def select(
    domain: str, found: Sequence[Exchange], rules: Rules, *, secure: bool = False
) -> tuple[Address, ...] | Reply:
    """Return the addresses to try, in the order of their hosts. `secure`: DNSSEC vouches for the hosts themselves."""
    ours = [ex.mx.preference for ex in found if any(is_own(address, rules) for address in ex.answer.addresses)]
    better = [exchange for exchange in found if not ours or exchange.mx.preference < min(ours)]
    if not better:
        return _loop(domain)
    every = [
        Address(mx.host, address, answer.bases if secure else ())
        for mx, answer in better
        for address in answer.addresses
    ]
    allowed = tuple(address for address in every if rules.allow_private or is_public(address.address))
    return allowed[:MAX_ADDRESSES] or _nothing(domain, better, private=bool(every))


def _nothing(domain: str, found: Iterable[Exchange], *, private: bool) -> Reply:
    for exchange in found:
        if exchange.answer.status is Status.FAILED:
            return failed(domain, exchange.answer.detail)
    if private:
        return Reply(550, "5.4.4", f"mail hosts of {domain} have addresses of private networks only")
    return Reply(550, "5.4.4", f"no mail host of {domain} has an address")


def literal(domain: str, rules: Rules) -> tuple[Address, ...] | Reply:
    """Return the one address of a domain in the form "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3)."""
    text = domain.removeprefix("[").removesuffix("]")
    prefix, _, rest = text.partition(":")
    try:
        address = str(ipaddress.ip_address(rest if prefix.lower() == "ipv6" else text))
    except ValueError:
        return Reply(550, "5.1.2", f"{domain} is not an address we know")
    return select(domain, (Exchange(Mx(0, address), AddressAnswer(Status.FOUND, (address,))),), rules)


def is_own(address: str, rules: Rules) -> bool:
    """Tell whether an address is one of ours."""
    return parse(address) in rules.own_addresses


def is_public(address: str) -> bool:
    """Tell whether an address is one of the Internet at large."""
    parsed = parse(address)
    return parsed.is_global and not parsed.is_multicast


def is_address(host: str) -> bool:
    """Tell an IP address from a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def parse(address: str) -> IpAddress:
    """Return an address as a value; an IPv4 address mapped into IPv6 is the IPv4 address it stands for."""
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed
