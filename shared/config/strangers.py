"""What [ingress] has for strangers: lists they may be on, questions about recipients, limits, proofs of origin."""

import msgspec

from shared.config.kinds import (
    Count,
    CountQuota,
    DmarcAction,
    DnsList,
    OctetQuota,
    PrefixLength,
    RateKey,
    SpfFailAction,
    Uncertain,
)
from shared.config.units import Duration


class Dnsbl(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """DNS lists of client addresses (RFC 5782), asked about strangers only."""

    zones: tuple[DnsList, ...] = ()
    """Block lists: "zone", or "zone=127.0.0.[2..11]" if only some answers count."""
    allow_zones: tuple[DnsList, ...] = ()
    """Who is on one of these is let in although a block list has it."""
    timeout: Duration = Duration(5)
    """For all zones together; one that has not answered by then lists nobody."""


class CallOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How next hops are asked whether a recipient exists (`verify = "call-out"` of a hosted domain)."""

    uncertain: Uncertain = "accept"
    """accept or defer (451) when the next hop cannot say: it is down, too busy, or answers 4xx."""
    timeout: Duration = Duration(15)
    """For one question, connecting and waiting for its turn included."""
    max_connections: Count = 4
    """At a time, to one hosted domain's next hops."""
    cache_entries: Count = 50_000
    positive_ttl: Duration = Duration(6 * 3600)
    negative_ttl: Duration = Duration(1800)
    uncertain_ttl: Duration = Duration(60)


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One set of limits: each client, network or user has token buckets of its own, one for each key given."""

    per: RateKey
    """client: an IPv4 address or an IPv6 /64; network: by the prefixes below; user: who authenticated."""
    connections: CountQuota | None = None
    messages: CountQuota | None = None
    recipients: CountQuota | None = None
    bytes: OctetQuota | None = None
    exempt_trusted: bool = True
    """Clients in trusted networks are not counted by client or network."""
    ipv4_prefix: PrefixLength = 24
    ipv6_prefix: PrefixLength = 48


class Authentication(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What strangers' mail is verified by: SPF, DKIM and DMARC (RFC 7208, 6376, 7489)."""

    verify: bool = False
    timeout: Duration = Duration(5)
    """For all of it; what DNS does not answer in time is a temporary error, and the message goes on."""
    spf_fail: SpfFailAction = "accept"
    dmarc: DmarcAction = "report"
