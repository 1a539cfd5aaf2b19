"""From DNS answers to the addresses to try (RFC 5321 section 5.1): pure, `rng` is a parameter.

A result is either what to try, in order, or the reply that says why there is nothing to try.
"""

import ipaddress
import random
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import NamedTuple

from shared.dns.port import AddressAnswer, Mx, MxAnswer, Status
from shared.smtp.reply import Reply

MAX_HOSTS = 10
"""Mail hosts tried in one attempt; nobody needs more, and a hostile zone may name thousands."""
MAX_ADDRESSES = 20
MAX_ADDRESSES_OF_HOST = 6
"""Of both families; the next host must have its turn, too."""

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that has been given out; nothing beyond it is the Internet (RFC 4291 section 2.4)."""
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

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
    fallback: str | None = None
    """An IPv4 address of the same host, to connect to when the IPv6 one does not answer at once."""
    spare: bool = False
    """True if there are hosts of a better preference."""
    named: bool = False
    """True if nobody between us and the domain can have put another host's name here."""


class Chosen(NamedTuple):
    """What to try, in order, and why other hosts are not among it: what DNS may say later."""

    addresses: tuple[Address, ...]
    missing: Reply | None = None


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
    named = [mx for mx in answer.records if mx.host]  # beside others a null MX means nothing (RFC 7505 section 3)
    if not named:
        return Reply(556, "5.1.10", f"domain {domain} accepts no mail (null MX)")
    rng.shuffle(named)
    best = {mx.host: mx for mx in sorted(named, key=lambda mx: -mx.preference)}  # a host twice counts by its better one
    hosts = tuple(sorted((mx for mx in named if best[mx.host] is mx), key=lambda mx: mx.preference))
    return _without_ourselves(domain, hosts, rules.hostname)


def _without_ourselves(domain: str, hosts: tuple[Mx, ...], hostname: str) -> tuple[Mx, ...] | Reply:
    limit = min((mx.preference for mx in hosts if mx.host == hostname.lower()), default=None)
    better = hosts if limit is None else tuple(mx for mx in hosts if mx.preference < limit)
    return better[:MAX_HOSTS] or _loop(domain)


def _loop(domain: str) -> Reply:
    return Reply(554, "5.4.6", f"mail for {domain} loops back to this host")


def select(domain: str, found: Sequence[Exchange], rules: Rules, *, secure: bool = False) -> Chosen | Reply:
    """Return the addresses to try, in the order of their hosts. `secure`: DNSSEC vouches for the hosts themselves."""
    ours = [ex.mx.preference for ex in found if any(is_own(address, rules) for address in ex.answer.addresses)]
    better = [exchange for exchange in found if not ours or exchange.mx.preference < min(ours)]
    if not better:
        return _loop(domain)
    every: list[Address] = []
    for mx, answer in better:
        allowed = [address for address in answer.addresses if rules.allow_private or is_public(address)]
        bases = answer.bases if secure else ()
        spare = mx.preference > better[0].mx.preference
        named = secure or mx.host == domain
        every += [Address(mx.host, address, bases, fallback, spare, named) for address, fallback in ordered(allowed)]
    if not every:
        return _nothing(domain, better, private=any(exchange.answer.addresses for exchange in better))
    failures = (failed(domain, answer.detail) for _, answer in better if answer.status is Status.FAILED)
    return Chosen(tuple(every[:MAX_ADDRESSES]), next(failures, None))


def ordered(addresses: Iterable[str]) -> list[tuple[str, str | None]]:
    """Return a host's addresses in the order to try, families in turn, IPv6 first (RFC 8305 section 4).

    With each IPv6 address comes the IPv4 one that follows it, to fall back to.
    """
    unique = dict.fromkeys(addresses)
    v6, v4 = [each for each in unique if ":" in each], [each for each in unique if ":" not in each]
    turns: list[tuple[str, str | None]] = []
    for six, four in zip_longest(v6, v4):
        turns += [(six, four)] if six else []
        turns += [(four, None)] if four else []
    return turns[:MAX_ADDRESSES_OF_HOST]


def _nothing(domain: str, found: Iterable[Exchange], *, private: bool) -> Reply:
    for exchange in found:
        if exchange.answer.status is Status.FAILED:
            return failed(domain, exchange.answer.detail)
    if private:
        return Reply(550, "5.4.4", f"mail hosts of {domain} have addresses of private networks only")
    return Reply(550, "5.4.4", f"no mail host of {domain} has an address")


def literal(domain: str, rules: Rules) -> Chosen | Reply:
    """Return the one address of a domain in the form "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3)."""
    text = domain.removeprefix("[").removesuffix("]")
    prefix, _, rest = text.partition(":")
    text = rest if prefix.lower() == "ipv6" else text
    if not is_address(text):
        return Reply(550, "5.1.2", f"{domain} is not an address we know")
    address = str(ipaddress.ip_address(text))
    exchange = Exchange(Mx(0, address), AddressAnswer(Status.FOUND, (address,)))
    return select(domain, (exchange,), rules, secure=True)  # no DNS is asked


def is_own(address: str, rules: Rules) -> bool:
    """Tell whether an address is one of ours."""
    return parse(address) in rules.own_addresses


@lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """Tell whether an address is one of the Internet at large, by way of IPv4 within IPv6 included."""
    parsed = parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return (
            parsed in GLOBAL_UNICAST and parsed.is_global and (not parsed.sixtofour or is_public(str(parsed.sixtofour)))
        )
    return parsed.is_global and not parsed.is_multicast


@lru_cache(maxsize=4096)
def is_address(host: str) -> bool:
    """Tell an IP address from a name. One with a zone (RFC 4007) is neither: it would be ours, and not look like it."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


@lru_cache(maxsize=4096)
def parse(address: str) -> IpAddress:
    """Return an address as a value; IPv4 within IPv6, mapped or for NAT64 (RFC 6052), as the IPv4 address it is."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return ipaddress.IPv4Address(parsed.packed[12:]) if parsed in NAT64 else parsed.ipv4_mapped or parsed
    return parsed
