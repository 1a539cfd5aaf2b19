"""Which of the operator's rules concern a sender and a recipient."""

from collections.abc import Sequence
from typing import NamedTuple

from services.screener.rules.own import OwnRule
from services.screener.rules.ruleset import RuleSet


class Correspondents(NamedTuple):
    """Who writes to whom; addresses are canonical."""

    sender: str | None
    """None for the null sender."""
    recipient: str
    verified: bool
    """Whether the sender is who it says: one of our own people, or passed by SPF."""


def for_people(rules: RuleSet, who: Correspondents) -> RuleSet:
    """Return the rules with those of the operator's only that concern these two."""
    own = tuple(rule._replace(senders=(), recipients=(), verified=False) for rule in rules.own if _concerns(rule, who))
    return rules._replace(own=own)


def matches(pattern: str, address: str) -> bool:
    """Return whether an address is one that a pattern stands for: a domain, ".domain", "*.domain", "*", a mailbox."""
    local, _, domain = address.rpartition("@")
    if pattern == "*":
        return True
    wanted, at, name = pattern.rpartition("@")
    if at:
        return (wanted.lower(), name) == (local.lower(), domain)
    if name.startswith(("*.", ".")):
        return domain.endswith(name.removeprefix("*"))
    return domain == name


def _concerns(rule: OwnRule, who: Correspondents) -> bool:
    if rule.verified and not who.verified:
        return False
    if rule.senders and not (who.sender is not None and _any(rule.senders, who.sender)):
        return False
    return not rule.recipients or _any(rule.recipients, who.recipient)


def _any(patterns: Sequence[str], address: str) -> bool:
    return any(matches(pattern, address) for pattern in patterns)
