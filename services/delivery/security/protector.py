"""Finds out how the hosts of a destination are to be protected: asks DNS and MTA-STS, and lets protection.py decide."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import msgspec

from services.delivery.routing.hosts import Found
from services.delivery.routing.route import find
from services.delivery.routing.tlsa import TlsaRecords, records_of
from services.delivery.security import dane, observing
from services.delivery.security.protection import Facts, Refusal, protect
from services.delivery.security.sts import StsPolicy
from services.delivery.smtp.client import Target
from shared.config.tls_policy import Policy, Tls
from shared.dns.port import Resolver, Status

NO_TLSA = TlsaRecords(Status.NO_DATA)


class Policies(Protocol):
    """Knows the MTA-STS policies of domains."""

    async def of(self, domain: str) -> StsPolicy | None:
        """Return the policy to obey now, if the domain has one."""
        ...


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

    async def protect(self, domain: str, hosts: Found) -> Found:
        """Return the targets that may be tried, each with its protection, and why others may not: for now."""
        general = find(self._configured, domain) or self._configured.get("*")
        wanted = {target: target.hop.tls or general for target in hosts.targets}
        tlsa = await self._tlsa(wanted)
        found: list[Target] = []
        refused: dict[str, Refusal] = {}
        sts = await self._sts(domain, wanted, tlsa)
        for target, configured in wanted.items():
            host = target.hop.host
            facts = Facts(domain, host, tlsa.get(host, NO_TLSA), sts if target.by_mx else None)
            decided = protect(configured, facts)
            if isinstance(decided, Refusal):
                refused[host] = decided
            else:
                found.append(msgspec.structs.replace(target, protection=decided))
        for host, refusal in refused.items():
            observing.refused(domain, host, refusal.source, refusal.result, refusal.reply.text)
        failure = next((refusal.reply for refusal in refused.values()), hosts.failure)
        return Found(tuple(found), failure)

    async def _tlsa(self, wanted: Mapping[Target, Policy | None]) -> dict[str, TlsaRecords]:
        """Ask for the TLSA records of each host that may have some that count."""
        asked = {
            target.hop.host: (target.bases, target.hop.port)
            for target, policy in wanted.items()
            if (policy.tls is Tls.DANE if policy is not None else self._dane and target.by_mx)
        }
        answers = await asyncio.gather(*(records_of(self._resolver, bases, port) for bases, port in asked.values()))
        return dict(zip(asked, answers, strict=True))

    async def _sts(
        self, domain: str, wanted: Mapping[Target, Policy | None], tlsa: Mapping[str, TlsaRecords]
    ) -> StsPolicy | None:
        """Ask for the domain's policy if that could decide about a host."""
        if self._policies is None or domain.startswith("["):
            return None
        open_ones = (target for target, policy in wanted.items() if policy is None and target.by_mx)
        if all(dane.usable(tlsa.get(target.hop.host, NO_TLSA).records) for target in open_ones):
            return None
        return await self._policies.of(domain)
