"""From a destination to the addresses to try: asks DNS, and lets route.py and mx.py decide."""

import asyncio
import random

from services.delivery.routing import mx
from services.delivery.routing.mx import Address, Exchange, Rules
from services.delivery.routing.route import ByMx, Hop, NextHop, Routes
from services.delivery.smtp.client import Target
from shared.dns.port import AddressAnswer, Resolver, Status
from shared.smtp.reply import Reply


class Hosts:
    """Finds the targets of a destination."""

    def __init__(self, routes: Routes, rules: Rules, resolver: Resolver, rng: random.Random) -> None:
        self._routes = routes
        self._rules = rules
        self._resolver = resolver
        self._rng = rng

    async def targets(self, domain: str) -> tuple[Target, ...] | Reply:
        """Return what to try, in order, or the reply that says why there is nothing to try."""
        found: list[Target] = []
        failures: list[Reply] = []
        for hop in self._routes.hops(domain):
            answer = await self._of_hop(domain, hop)
            if isinstance(answer, Reply):
                failures.append(answer)
            else:
                found += answer
        return tuple(found) or worst(failures)

    async def _of_hop(self, domain: str, hop: Hop) -> tuple[Target, ...] | Reply:
        if isinstance(hop, NextHop):
            return configured(hop, await self._addresses(hop.host))
        chosen = mx.literal(domain, self._rules) if domain.startswith("[") else await self._by_mx(domain)
        return chosen if isinstance(chosen, Reply) else tuple(_target(address, hop) for address in chosen)

    async def _by_mx(self, domain: str) -> tuple[Address, ...] | Reply:
        answer = await self._resolver.mx(domain)
        hosts = mx.exchanges(domain, answer, self._rules, self._rng)
        if isinstance(hosts, Reply):
            return hosts
        answers = await asyncio.gather(*(self._addresses(host.host) for host in hosts))
        found = [Exchange(*pair) for pair in zip(hosts, answers, strict=True)]
        # without MX the domain itself is the host, and its addresses alone have to be secure (RFC 7672 section 2.2.2)
        secure = answer.secure or answer.status is Status.NO_DATA
        return mx.select(domain, found, self._rules, secure=secure)

    async def _addresses(self, host: str) -> AddressAnswer:
        if mx.is_address(host):
            return AddressAnswer(Status.FOUND, (host,))
        return await self._resolver.addresses(host)


def configured(hop: NextHop, answer: AddressAnswer) -> tuple[Target, ...] | Reply:
    """Return the targets of a host named in the configuration; if it has no address, that is for us to mend: retry."""
    if answer.status is Status.FOUND:
        return tuple(Target(hop, address, answer.bases) for address in answer.addresses)
    return Reply(451, "4.4.4", f"next hop {hop.host} has no address: {answer.detail or answer.status}")


def worst(failures: list[Reply]) -> Reply:
    """Return the failure that decides when no hop has anything to try: a temporary one, else the last."""
    return next((reply for reply in failures if not reply.is_permanent), failures[-1])


def _target(address: Address, hop: ByMx) -> Target:
    return Target(NextHop(address.host, hop.port, source=hop.source), address.address, address.bases)
