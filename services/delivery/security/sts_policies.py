"""The MTA-STS policies of domains, remembered for as long as they say (RFC 8461 sections 3.3 and 5.1).

A process remembers them in memory: after a start, and for a domain that is new to it, it has to trust the DNS once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import NamedTuple

from services.delivery.security.sts import StsPolicy, policy_id
from services.delivery.security.sts_fetch import Trouble
from shared import log
from shared.clock import Clock
from shared.dns.port import Resolver, Status

RETRY_SECONDS = 300.0
"""After a failed fetch; more often would only bother the server (section 3.3)."""
REFRESH_SECONDS = 86_400.0
"""So old policies are fetched again, used or not changed, so that they do not end while the domain still has one."""
ENTRIES = 10_000
OCTETS = 8 * 1024**2
"""Of patterns in all; what a domain publishes is up to 64 KiB."""


class Known(NamedTuple):
    """What is remembered about a domain."""

    policy: StsPolicy | None = None
    id: str = ""
    """As the domain's TXT record had it when the policy was fetched."""
    fetched: float = 0.0
    failed: float | None = None
    """When the last fetch failed, if none has succeeded since."""

    def current(self, now: float) -> StsPolicy | None:
        """Return the policy if it is still to be believed."""
        return self.policy if self.policy is not None and now < self.fetched + self.policy.max_age else None


class Step(Enum):
    """What to do about a domain's policy."""

    USE = auto()
    """What is remembered, which may be nothing."""
    FETCH = auto()
    """It first; what is remembered counts only if that fails."""
    REFRESH = auto()
    """It beside using what is remembered."""


def next_step(known: Known, published: str | None, now: float) -> Step:
    """Return what to do; `published` is the id that DNS gives now, None if it gives none.

    A record that is gone, or kept from us, ends nothing: a policy lives until its age (section 5.1).
    """
    policy = known.current(now)
    if published is None or (known.failed is not None and now < known.failed + RETRY_SECONDS):
        return Step.USE
    if policy is None or published != known.id:
        return Step.FETCH
    old = min(REFRESH_SECONDS, policy.max_age / 2)
    return Step.REFRESH if now >= known.fetched + old else Step.USE


class StsMemory:
    """What a process remembers, the least recently used first; it outlives reloads of the configuration."""

    def __init__(self, entries: int = ENTRIES, octets: int = OCTETS) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._limits = entries, octets
        self._octets = 0
        self.fetching: dict[str, asyncio.Task[StsPolicy | None]] = {}

    def get(self, domain: str) -> Known:
        """Return what is known; nothing is known of most."""
        known = self._known.get(domain)
        if known is None:
            return Known()
        self._known.move_to_end(domain)
        return known

    def put(self, domain: str, known: Known) -> None:
        """Remember it, and forget what is over the limits."""
        self._forget(domain)
        self._known[domain] = known
        self._octets += _size(known)
        entries, octets = self._limits
        while len(self._known) > entries or self._octets > octets:
            self._forget(next(iter(self._known)))

    def _forget(self, domain: str) -> None:
        known = self._known.pop(domain, None)
        if known is not None:
            self._octets -= _size(known)


def _size(known: Known) -> int:
    return sum(map(len, known.policy.patterns)) if known.policy is not None else 0


Fetch = Callable[[str], Awaitable[StsPolicy | Trouble]]
Failed = Callable[[str, Trouble], None]


class StsPolicies:
    """Finds the policy of a domain."""

    def __init__(self, memory: StsMemory, resolver: Resolver, fetch: Fetch, clock: Clock, failed: Failed) -> None:
        """`failed` is told of each fetch that gives no policy."""
        self._memory = memory
        self._resolver = resolver
        self._fetch = fetch
        self._clock = clock
        self._failed = failed

    async def of(self, domain: str) -> StsPolicy | None:
        """Return the policy to obey now, if the domain has one."""
        answer = await self._resolver.txt(f"_mta-sts.{domain}")
        published = policy_id(answer.records) if answer.status is Status.FOUND else None
        known = self._memory.get(domain)
        step = next_step(known, published, self._clock())
        if step is Step.USE or published is None:
            return known.current(self._clock())
        task = self._memory.fetching.get(domain)
        if task is None:
            task = self._memory.fetching[domain] = asyncio.create_task(self._renew(domain, published))
            task.add_done_callback(lambda _: self._memory.fetching.pop(domain, None))
        if step is Step.REFRESH:
            return known.current(self._clock())
        return await asyncio.shield(task)  # one message's time-out is not the others'

    def lacks(self, domain: str) -> bool:
        """Tell whether the domain publishes a policy that could not be had: nobody knows for now what it says."""
        known = self._memory.get(domain)
        return known.failed is not None and known.current(self._clock()) is None

    async def _renew(self, domain: str, published: str) -> StsPolicy | None:
        fetched = await self._fetch(domain)
        now, known = self._clock(), self._memory.get(domain)
        if isinstance(fetched, Trouble):
            self._memory.put(domain, known._replace(failed=now))
            self._failed(domain, fetched)
            return known.current(now)
        self._memory.put(domain, Known(fetched, published, now))
        log.get().info(
            "mta-sts policy",
            domain=domain,
            id=published,
            mode=fetched.mode,
            max_age=fetched.max_age,
            mx=fetched.patterns[:100],
        )
        return fetched
