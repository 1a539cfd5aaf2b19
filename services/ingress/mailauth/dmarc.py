"""DMARC: what the author's domain asks for, and whether SPF or DKIM speak for that domain (RFC 7489). No I/O."""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from publicsuffixlist import PublicSuffixList

from services.ingress.mailauth.dkim import DkimFinding
from services.ingress.mailauth.dkim_record import Dkim
from services.ingress.mailauth.spf_record import Spf
from shared.mailauth.author import NoAuthor
from shared.mailauth.tags import read_tags

_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)")
_NUMBER = re.compile(r"[0-9]{1,3}", re.ASCII)
POLICIES = frozenset(("none", "quarantine", "reject"))


class Dmarc(StrEnum):
    """What is said of a message (section 11.2)."""

    PASS = "pass"  # noqa: S105  (a result, not a password)
    FAIL = "fail"
    NONE = "none"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class Policy(NamedTuple):
    """What a domain publishes (section 6.3)."""

    domain: str = "none"
    """p="""
    subdomains: str = "none"
    """sp=, by default p="""
    strict_spf: bool = False
    strict_dkim: bool = False
    percent: int = 100


class Published(NamedTuple):
    """What DNS said about an author's domain."""

    policy: Policy | None = None
    inherited: bool = False
    """Whether it is the organisational domain's, and the author's is below it."""
    failed: bool = False
    """DNS gave no answer."""


class DmarcFinding(NamedTuple):
    """The result, and what the policy asks to be done: "none", "quarantine" or "reject" (sampled by pct=)."""

    result: Dmarc
    author: str | None = None
    policy: str | None = None
    """As published for this author."""
    wanted: str = "none"
    reason: str = ""


def select(records: Iterable[str]) -> str | None:
    """Return the one DMARC record of a name; several are none (section 6.6.3)."""
    found = [text for text in records if _VERSION.match(text)]
    return found[0] if len(found) == 1 else None


def read_policy(text: str) -> Policy | None:
    """Return what a record says; None if it says nothing that may be applied (section 6.6.3, step 6)."""
    tags = read_tags(text)
    if tags is None:
        return None
    wanted = tags.get("p", "").lower()
    below = tags.get("sp", wanted).lower()
    if wanted not in POLICIES or below not in POLICIES:
        if "mailto:" not in tags.get("rua", "").lower():
            return None
        wanted = below = "none"
    percent = tags.get("pct", "100")
    return Policy(
        wanted,
        below,
        strict_spf=tags.get("aspf", "r").lower() == "s",
        strict_dkim=tags.get("adkim", "r").lower() == "s",
        percent=min(100, int(percent)) if _NUMBER.fullmatch(percent) else 100,
    )


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def organisational(domain: str) -> str:
    """Return the domain one label below the public suffix (section 3.2), or the domain itself if it is one."""
    return _suffixes().privatesuffix(domain) or domain


def is_aligned(identity: str, author: str, *, strict: bool) -> bool:
    """Tell whether a name that was proved speaks for the author's domain (section 3.1)."""
    return identity == author or (not strict and organisational(identity) == organisational(author))


def judge(
    author: str | NoAuthor,
    published: Published,
    spf: tuple[Spf, str],
    dkim: Sequence[DkimFinding],
    roll: float,
) -> DmarcFinding:
    """Return the result. `roll`, from 0 to below 1, decides who belongs to the sample of pct=.

    A temporary failure that might have become a pass is no failure (section 6.6.2).
    """
    if isinstance(author, NoAuthor):
        return DmarcFinding(Dmarc.PERMERROR, reason=author.reason)
    policy = published.policy
    if policy is None:
        return DmarcFinding(Dmarc.TEMPERROR if published.failed else Dmarc.NONE, author)
    name = policy.subdomains if published.inherited else policy.domain
    results = {
        signature.result.value
        for signature in dkim
        if signature.domain is None or is_aligned(signature.domain, author, strict=policy.strict_dkim)
    }
    if is_aligned(spf[1], author, strict=policy.strict_spf):
        results.add(spf[0].value)
    if Dkim.PASS in results:
        return DmarcFinding(Dmarc.PASS, author, name)
    if Dkim.TEMPERROR in results:
        return DmarcFinding(Dmarc.TEMPERROR, author, name)
    return DmarcFinding(Dmarc.FAIL, author, name, _sampled(name, policy.percent, roll))


def _sampled(policy: str, percent: int, roll: float) -> str:
    """Outside the sample the next milder policy applies (section 6.6.4)."""
    if roll * 100 < percent:
        return policy
    return {"reject": "quarantine"}.get(policy, "none")
