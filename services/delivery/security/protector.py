"""Finds out how the hosts of a destination are to be protected: asks DNS and MTA-STS, and lets protection.py decide."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from services.delivery.routing.hosts import Found
from services.delivery.routing.route import find
from services.delivery.routing.tlsa import TlsaRecords, records_of
from services.delivery.security import dane, observing
from services.delivery.security.protection import Facts, Refusal, protect
from services.delivery.security.sts import StsPolicy, vouches
from services.delivery.smtp.client import Target
from shared.config.tls_policy import Policy, Tls
from shared.dns.port import Resolver, Status
from shared.model import Message
from shared.smtp.headers import waives_tls
from shared.smtp.reply import Reply

UNKNOWN = "the MTA-STS policy that may vouch for its being the domain's could not be had"
NO_TLSA = TlsaRecords(Status.NO_DATA)


class Policies(Protocol):
    """Knows the MTA-STS policies of domains."""

    async def of(self, domain: str) -> StsPolicy | None:
        """Return the policy to obey now, if the domain has one."""
        ...

    def lacks(self, domain: str) -> bool:
        """Tell whether the domain publishes one that could not be had."""
        ...


_Wanted = Sequence[tuple[Target, Policy | None]]
"""Targets, each with what the configuration says of it."""
_Records = Mapping[tuple[str, int], TlsaRecords]
"""By host and port."""


class Protector:
    """Protects targets."""

    def __init__(
        self, configured: Mapping[str, Policy], resolver: Resolver, policies: Policies | None, *, dane: bool
    ) -> None:
        """Take `delivery.tls_policy` as `configured`; without `policies`, MTA-STS is off."""
        self._configured = configured
        self._resolver = resolver
        self._policies = policies
        self._dane = dane

    async def protect(self, domain: str, hosts: Found, message: Message) -> Found:
        """Return the targets that may be tried, each with its protection, and why others may not: for now."""
        envelope = message.item.envelope
        required = envelope.require_tls
        general = find(self._configured, domain) or self._configured.get("*")
        wanted = [(target, target.hop.tls or general) for target in hosts.targets]
        tlsa = await self._tlsa(wanted)
        sts = await self._sts(domain, wanted, tlsa, required=required)
        binding = required and envelope.sender is not None  # no report is held up (RFC 8689 section 5)
        unknown = binding and self._policies is not None and self._policies.lacks(domain)
        if sts is None and not tlsa and not unknown and not any(policy for _, policy in wanted):
            return hosts  # most are so
        waived = not required and waives_tls(message.content)
        found: list[Target] = []
        failure = hosts.failure
        for target, policy in wanted:
            records = tlsa.get((target.hop.host, target.hop.port), NO_TLSA)
            facts = Facts(domain, target.hop.host, records, sts if target.by_mx else None)
            if waived:  # what the recipient's domain publishes does not count then (RFC 8689 section 4.2.2)
                facts = Facts(domain, target.hop.host)
            decided = protect(policy, facts)
            if isinstance(decided, Refusal):
                failure = decided.reply
                observing.refused(domain, facts.host, decided.source, decided.result, decided.reply.text)
            else:
                named = target.named or vouches(facts.sts, facts.host)
                protected = msgspec.structs.replace(target, protection=decided, named=named)
                if unknown and not protected.provable:
                    failure = Reply(451, "4.7.5", f"{facts.host}: {UNKNOWN}")
                else:
                    found.append(protected)
        return Found(tuple(found), failure)

    async def _tlsa(self, wanted: _Wanted) -> _Records:
        """Ask for the TLSA records of each host that may have some that count."""
        asked = {
            (target.hop.host, target.hop.port): target.bases
            for target, policy in wanted
            if target.bases and (policy.tls is Tls.DANE if policy is not None else self._dane and target.by_mx)
        }
        if not asked:
            return {}
        answers = (records_of(self._resolver, bases, port) for (_, port), bases in asked.items())
        return dict(zip(asked, await asyncio.gather(*answers), strict=True))

    async def _sts(self, domain: str, wanted: _Wanted, tlsa: _Records, *, required: bool) -> StsPolicy | None:
        """Ask for the domain's policy if that could decide about a host, or vouch for one to REQUIRETLS."""
        if self._policies is None:
            return None
        hops = (target.hop for target, policy in wanted if policy is None and target.by_mx)
        unnamed = required and not all(target.named for target, _ in wanted)
        if not unnamed and all(dane.usable(tlsa.get((hop.host, hop.port), NO_TLSA).records) for hop in hops):
            return None
        return await self._policies.of(domain)
