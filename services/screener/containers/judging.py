"""What the rules say of what is inside an attachment: a banned member bans the whole of it; pure."""

from typing import NamedTuple

from services.screener.containers.contents import Contents, Inside
from services.screener.containers.member import Sign
from services.screener.identity.names import is_deceptive
from services.screener.rules import Finding, RuleSet, banned_extension, judge_member
from shared.model import Action


class Within(NamedTuple):
    """What the rules say of what is inside an attachment."""

    finding: Finding | None
    shadows: tuple[str, ...] = ()
    """The shadow rules that would have decided, each with its action."""
    largest: int = 0
    """Octets of the largest file in it."""


def judge_contents(contents: Contents, rules: RuleSet) -> Within:
    """Return why an attachment is banned by its contents, if it is: first what is inside, then what cannot be seen."""
    finding = None
    shadows: dict[str, None] = {}
    reporting = any(rule.shadow for rule in rules.own)
    for inside in contents.inside:
        if finding is None or reporting:
            found, noted = _judge(inside, rules)
            finding = finding or found
            shadows |= dict.fromkeys(noted)
    largest = max((inside.size for inside in contents.inside), default=0)
    return Within(finding or _by_sign(contents, rules), tuple(shadows), largest)


def _judge(inside: Inside, rules: RuleSet) -> tuple[Finding | None, tuple[str, ...]]:
    own, shadows = judge_member(inside.names, (inside.declared,) if inside.declared else (), inside.detected, rules)
    if own is not None:
        return (None if own.action is Action.PASS else own), shadows
    what = None if rules.action is Action.PASS else _banned(inside, rules)
    return (None if what is None else Finding(rules.action, f"member:{what}")), shadows


def _by_sign(contents: Contents, rules: RuleSet) -> Finding | None:
    for sign in sorted(contents.signs):
        action = _action_on(sign, rules)
        if action is not Action.PASS:
            return Finding(action, sign.value)
    return None


def _action_on(sign: Sign, rules: RuleSet) -> Action:
    """Return what becomes of a container for a sign; scripts of forms are noted, and let through."""
    if sign is Sign.ENCRYPTED:
        return rules.encrypted
    if sign.startswith("encrypted:"):
        return rules.encrypted_mail
    if sign is Sign.LISTED:  # inside an archive too, where tier 2 does not reach by name
        return rules.suspicious if "rar" in rules.suspicious_extensions else Action.PASS
    if sign is Sign.SCRIPT:
        return Action.PASS
    return rules.suspicious if sign.startswith("active:") else rules.unreadable


def _banned(inside: Inside, rules: RuleSet) -> str | None:
    ending = banned_extension(inside.names, rules)
    if ending is not None:
        return ending
    if any(map(is_deceptive, inside.names)):
        return "deceptive-name"
    if inside.declared in rules.types:
        return inside.declared
    return next(
        (one.type for one in inside.detected if one.type in rules.types or one.extension in rules.extensions), None
    )
