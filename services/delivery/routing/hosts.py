"""From a destination to the addresses to try: asks DNS, and lets route.py and mx.py decide."""

import random
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from services.delivery.routing import mx
from services.delivery.routing.mx import Chosen, Exchange, Rules
from services.delivery.routing.route import ByMx, Hop, NextHop, Routes
from services.delivery.smtp.client import Target
from shared.dns.port import AddressAnswer, Resolver, Status
from shared.smtp.reply import Reply


class Found(NamedTuple):
    """What to try, in order. `failure` says why there is nothing, or why something else may be there later."""

    targets: tuple[Target, ...]
    failure: Reply | None = None


class Hosts:
    """Finds the targets of a destination."""

    def __init__(self, routes: Routes, rules: Rules, resolver: Resolver, rng: random.Random) -> None:
        self._routes = routes
        self._rules = rules
        self._resolver = resolver
        self._rng = rng

    async def targets(self, domain: str) -> Found:
        """Return what to try, in order.

        Without any target there is a failure; while DNS does not answer for one of the hosts, it is temporary.
        """
        return merged([await self._of_hop(domain, hop) for hop in self._routes.hops(domain)])

    async def _of_hop(self, domain: str, hop: Hop) -> Found:
        if isinstance(hop, NextHop) and hop.host.startswith("/"):
            return Found((Target(hop, hop.host),))
        if isinstance(hop, NextHop):
            (answer,) = await self._addresses([hop.host])
            return configured(hop, answer)
        chosen = mx.literal(domain, self._rules) if domain.startswith("[") else await self._by_mx(domain)
        return Found((), chosen) if isinstance(chosen, Reply) else _named(chosen, hop)

    async def _by_mx(self, domain: str) -> Chosen | Reply:
        answer = await self._resolver.mx(domain)
        hosts = mx.exchanges(domain, answer, self._rules, self._rng)
        if isinstance(hosts, Reply):
            return hosts
        answers = await self._addresses([host.host for host in hosts])
        found = [Exchange(*pair) for pair in zip(hosts, answers, strict=True)]
        # without MX the domain itself is the host, and its addresses alone have to be secure (RFC 7672 section 2.2.2)
        secure = answer.secure or answer.status is Status.NO_DATA
        return mx.select(domain, found, self._rules, secure=secure)

    async def _addresses(self, hosts: Sequence[str]) -> list[AddressAnswer]:
        literals = {host: AddressAnswer(Status.FOUND, (host,)) for host in hosts if mx.is_address(host)}
        if not literals:
            return await self._resolver.all_addresses(hosts)
        names = [host for host in hosts if host not in literals]
        answers = literals | dict(zip(names, await self._resolver.all_addresses(names), strict=True))
        return [answers[host] for host in hosts]


def merged(found: Sequence[Found]) -> Found:
    """Return what all hops of a destination give. A temporary failure says more than a permanent one."""
    failures = [each.failure for each in found if each.failure is not None]
    first = next((each for each in found if each.targets), None)
    spare = (_spare(target) for each in found if each is not first for target in each.targets)
    targets = (*(first.targets if first else ()), *spare)
    temporary = next((reply for reply in failures if not reply.is_permanent), None)
    return Found(targets, temporary if targets else temporary or failures[-1])


def configured(hop: NextHop, answer: AddressAnswer) -> Found:
    """Return the targets of a host named in the configuration; if it has no address, that is for us to mend: retry."""
    turns = mx.ordered(answer.addresses)
    if turns:
        return Found(tuple(Target(hop, address, answer.bases, fallback) for address, fallback in turns))
    return Found((), Reply(451, "4.4.4", f"next hop {hop.host} has no address: {answer.detail or answer.status}"))


def _spare(target: Target) -> Target:
    return msgspec.structs.replace(target, spare=True)


def _named(chosen: Chosen, hop: ByMx) -> Found:
    """Return the targets of the hosts that DNS named."""
    hops = {address.host: NextHop(address.host, hop.port, source=hop.source) for address in chosen.addresses}
    return Found(
        tuple(
            Target(hops[host], address, bases, fallback, by_mx=True, spare=spare, named=named)
            for host, address, bases, fallback, spare, named in chosen.addresses
        ),
        chosen.missing,
    )
