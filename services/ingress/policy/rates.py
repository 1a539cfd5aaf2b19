"""How much each client, network and user may do in a time: token buckets, pure, with `now` as a parameter.

A quota of 100 a minute is a bucket of 100 tokens that fills at 100 a minute: so many at once, and that many a minute
for ever. A bucket is kept as the time at which it will be full again (the virtual scheduling of ITU-T I.371 Annex A):
one number for each key, none for whoever has a full one. They belong to one process: behind a balancer with N
replicas a client may have up to N times as much.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from services.ingress import replies
from services.ingress.policy.lists import plain_address
from services.ingress.replies import Refuse
from shared.config.strangers import Rate
from shared.config.units import Quota

MAX_KEYS = 50_000
"""Of one quota. Only full buckets are given up for new ones; a client that finds no room is not limited."""
LOOKED_AT = 2
"""Old buckets looked at for each new one, so that full ones leave as fast as new ones come."""
CLIENT_PREFIX_V6 = 64
"""What one IPv6 host has to itself."""


class Event(StrEnum):
    """What is counted; the names are the keys of [[ingress.rate]]."""

    CONNECTIONS = "connections"
    MESSAGES = "messages"
    RECIPIENTS = "recipients"
    BYTES = "bytes"


EXCEEDED = {
    Event.CONNECTIONS: replies.RATE_CONNECTIONS,
    Event.MESSAGES: replies.RATE_MESSAGES,
    Event.RECIPIENTS: replies.RATE_RECIPIENTS,
    Event.BYTES: replies.RATE_BYTES,
}


class Buckets:
    """The buckets of one quota, by key."""

    def __init__(self, quota: Quota, max_keys: int = MAX_KEYS) -> None:
        self.quota = quota
        self._each = quota.period / quota.amount
        """Seconds until one token is back."""
        self._max_keys = max_keys
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def has(self, key: str, tokens: int, now: float) -> bool:
        """Return whether the bucket holds so many tokens, or is full and as good as it gets."""
        missing = self._full_at.get(key, now) - now
        return missing <= 0 or missing + tokens * self._each <= self.quota.period

    def take(self, key: str, tokens: int, now: float) -> None:
        """Take tokens, into debt if there are too few."""
        full_at = self._full_at.get(key)
        if full_at is None:
            self._give_up_full_ones(now)
            if len(self._full_at) >= self._max_keys:
                return
        self._full_at[key] = max(full_at or now, now) + tokens * self._each

    def _give_up_full_ones(self, now: float) -> None:
        for _ in range(min(LOOKED_AT, len(self._full_at))):
            key, full_at = self._full_at.popitem(last=False)
            if full_at > now:
                self._full_at[key] = full_at  # to the end: the others are looked at before it comes again


class Subject(NamedTuple):
    """Who is counted."""

    address: str
    trusted: bool
    """In a trusted network, whether or not that counts on the listener."""
    user: str | None = None


class _Limit(NamedTuple):
    rate: Rate
    buckets: dict[Event, Buckets]


class _Identity(NamedTuple):
    """What a quota is about; if this is the same after a reload, so are the buckets."""

    event: Event
    quota: Quota
    per: str
    prefixes: tuple[int, int]


class Rates:
    """Every [[ingress.rate]]: an event passes if each of them has room for it, and is then counted in each."""

    def __init__(self, rates: Iterable[Rate], previous: "Rates | None" = None) -> None:
        """Take the configuration, whose quotas are known to parse, and what was counted under the previous one."""
        kept = {} if previous is None else dict(previous._buckets())  # noqa: SLF001  (of the same class)
        self._limits = tuple(
            _Limit(rate, {of.event: kept.pop(of, Buckets(of.quota)) for of in _quotas(rate)}) for rate in rates
        )
        self.counted = frozenset(event for limit in self._limits for event in limit.buckets)
        """The events that any limit is about; others need not be asked."""

    def _buckets(self) -> Iterator[tuple[_Identity, Buckets]]:
        for rate, buckets in self._limits:
            yield from ((of, buckets[of.event]) for of in _quotas(rate))

    def admit(self, event: Event, subject: Subject, now: float) -> Refuse | None:
        """Count one connection, message or recipient, or return why it is one too many."""
        if event not in self.counted:
            return None
        found = list(self._of(event, subject))
        if not all(buckets.has(key, 1, now) for key, buckets in found):
            return EXCEEDED[event]
        for key, buckets in found:
            buckets.take(key, 1, now)
        return None

    def room_for(self, octets: int, subject: Subject, now: float) -> Refuse | None:
        """Return why a message of this declared size, 0 if unknown, is not taken now; nothing is counted.

        One larger than the whole bucket is taken when that is full.
        """
        if Event.BYTES not in self.counted:
            return None
        fits = all(buckets.has(key, max(octets, 1), now) for key, buckets in self._of(Event.BYTES, subject))
        return None if fits else EXCEEDED[Event.BYTES]

    def received(self, octets: int, subject: Subject, now: float) -> None:
        """Count the octets of a message that has come, whatever becomes of it; a debt is paid off by waiting."""
        if Event.BYTES in self.counted:
            for key, buckets in self._of(Event.BYTES, subject):
                buckets.take(key, octets, now)

    def _of(self, event: Event, subject: Subject) -> Iterator[tuple[str, Buckets]]:
        for rate, buckets in self._limits:
            key = key_of(rate, subject) if event in buckets else None
            if key is not None:
                yield key, buckets[event]


def key_of(rate: Rate, subject: Subject) -> str | None:
    """Return under which key a subject is counted, or None if this rate is not about it.

    Who has authenticated answers for itself, and not for those who share its address.
    """
    if rate.per == "user" or subject.user is not None:
        return subject.user if rate.per == "user" else None
    if subject.trusted and rate.exempt_trusted:
        return None
    is_client = rate.per == "client"
    return network_of(
        subject.address, 32 if is_client else rate.ipv4_prefix, CLIENT_PREFIX_V6 if is_client else rate.ipv6_prefix
    )


def network_of(address: str, v4: int, v6: int) -> str:
    """Return the network of an address, by the prefix of its family; what is no address stands for itself."""
    ip = plain_address(address)
    if ip is None:
        return address
    network = ipaddress.ip_network(f"{ip}/{v4 if ip.version == 4 else v6}", strict=False)
    return str(network)


def _quotas(rate: Rate) -> Iterator[_Identity]:
    texts = {
        Event.CONNECTIONS: rate.connections,
        Event.MESSAGES: rate.messages,
        Event.RECIPIENTS: rate.recipients,
        Event.BYTES: rate.bytes,
    }
    for event, text in texts.items():
        if text is not None:
            quota = Quota.parse(text, octets=event is Event.BYTES)
            yield _Identity(event, quota, rate.per, (rate.ipv4_prefix, rate.ipv6_prefix))
