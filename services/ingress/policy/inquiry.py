"""What DNS says of a stranger's address: asked once in a session, while it goes on, and decided on at RCPT."""

import asyncio
from typing import NamedTuple

from services.ingress import replies
from services.ingress.policy import dnsbl, reverse
from services.ingress.policy.dnsbl import DnsList
from services.ingress.policy.lists import plain_address
from services.ingress.policy.reverse import Reverse
from services.ingress.replies import Refuse
from shared import log
from shared.config.model import Ingress
from shared.dns.port import Resolver, Status


class Findings(NamedTuple):
    """What was found."""

    zone: str = ""
    """Of the block list that has the address, and no allow list."""
    reverse: Reverse | None = None
    """None if nobody asked."""


Inquiry = asyncio.Task[Findings]
"""Cancel it when the session ends."""


class Inquiries:
    """Begins them, as the configuration says."""

    def __init__(self, settings: Ingress, resolver: Resolver) -> None:
        self._resolver = resolver
        self._blocks = tuple(map(DnsList.parse, settings.dnsbl.zones))
        self._allows = tuple(map(DnsList.parse, settings.dnsbl.allow_zones)) if self._blocks else ()
        self._timeout = settings.dnsbl.timeout
        self._names = settings.reverse_dns or settings.require_reverse_dns
        self.wanted = bool(self._blocks) or self._names
        """Whether there is anything to ask."""

    def begin(self, address: str) -> Inquiry:
        """Ask everything at once about a client's address. It takes no longer than the longest time-out."""
        return asyncio.create_task(self._find(address))

    async def _find(self, address: str) -> Findings:
        """Return what is found; an unknown failure is logged, lists nobody and is temporary."""
        try:
            return await self._ask(address)
        except Exception:  # noqa: BLE001  (whatever it is, a session and its mail go on)
            log.get().error("inquiry failed", client=address, exc_info=True)
            return Findings(reverse=Reverse(Status.FAILED) if self._names else None)

    async def _ask(self, address: str) -> Findings:
        ip = plain_address(address)
        if ip is None:
            return Findings()
        named = asyncio.create_task(reverse.look_up(self._resolver, ip)) if self._names else None
        try:
            answers = await dnsbl.ask(self._resolver, ip, (*self._blocks, *self._allows), self._timeout)
            for one, answer in answers.items():
                trouble = one.trouble(answer)
                if trouble is not None:
                    log.get().warning("dns list failed", zone=one.zone, client=address, error=trouble)
            zone = dnsbl.listed_by(self._blocks, self._allows, answers)
            return Findings(zone, await named if named is not None else None)
        finally:
            if named is not None:
                named.cancel()


def decide(findings: Findings, address: str, *, name_required: bool) -> Refuse | None:
    """Return why a stranger may send to nobody but the postmaster."""
    if findings.zone:
        return replies.listed(address, findings.zone)
    return reverse.decide(findings.reverse) if name_required and findings.reverse is not None else None
