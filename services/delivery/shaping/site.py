"""Which destination the targets of a domain are: what shares limits, whatever domains it takes mail for. Pure."""

from collections.abc import Sequence
from functools import cache

from publicsuffixlist import PublicSuffixList

from services.delivery.routing.mx import is_address
from services.delivery.smtp.client import Target


def site_of(targets: Sequence[Target]) -> str:
    """Return the site: the registrable domains of the best mail hosts, or host:port of a configured next hop, sorted.

    Thousands of domains have their mail at one provider, under as many host names: what a provider counts is us, not
    the domain. A configured host stands for itself, since two of one domain are two machines.
    """
    best = [target for target in targets if not target.spare] or targets
    return " ".join(sorted({_part(target) for target in best}))


def _part(target: Target) -> str:
    host, port = target.hop.host, target.hop.port
    if not target.by_mx:
        return f"{host}:{port}"
    return host if is_address(host) else _public_suffixes().privatesuffix(host) or host


@cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)
