"""How much a destination may get: the configuration's limits, by site or by recipient domain. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from shared.config.model import Delivery, Destination
from shared.config.units import Quota

T = TypeVar("T")


class Limits(NamedTuple):
    """What applies to one site."""

    connections: int
    """At a time, all workers together."""
    messages: int
    """On one connection."""
    interval: float = 0.0
    """Seconds between two messages over one slot; 0: no limit."""


class Table:
    """The limits of every site."""

    def __init__(self, delivery: Delivery) -> None:
        self._default = Limits(delivery.per_destination, delivery.messages_per_connection)
        self._named: Mapping[str, Destination] = delivery.destination

    def of(self, site: str, domain: str) -> Limits:
        """Return what is configured for the site, by any of its parts, else for the recipients' domain, else for all.

        Of several that apply by the site, each key's least counts.
        """
        found = [each for part in site.split(" ") if (each := _find(self._named, part.partition(":")[0]))]
        by_domain = _find(self._named, domain)
        return limits(found or ([by_domain] if by_domain else []), self._default)


def limits(found: Sequence[Destination], default: Limits) -> Limits:
    """Return the least of each key, and what the default says of keys that none has.

    A rate is shared out evenly over the slots, so that no worker has to know of another: each sends over a slot it
    holds at the slot's share. There are no more slots than the rate needs at a second for each message.
    """
    connections = min((each.connections for each in found if each.connections), default=default.connections)
    messages = min((e.messages_per_connection for e in found if e.messages_per_connection), default=default.messages)
    quotas = [Quota.parse(each.rate) for each in found if each.rate]
    rate = min((quota.amount / quota.period for quota in quotas), default=0.0)
    if not rate:
        return Limits(connections, messages)
    connections = min(connections, max(1, math.ceil(rate)))
    return Limits(connections, messages, connections / rate)


def _find(table: Mapping[str, T], domain: str) -> T | None:
    """Look up a domain itself, then its longest suffix in the form ".example.org", then "*"."""
    at = 0
    key = domain
    while key not in table:
        at = domain.find(".", at)
        if at < 0:
            return table.get("*")
        key = domain[at:]
        at += 1
    return table[key]
