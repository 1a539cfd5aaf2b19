"""What the rules say of what is inside an attachment: a banned member bans the whole of it; pure."""

from services.screener.containers.contents import Contents, Inside
from services.screener.containers.member import Sign
from services.screener.identity.names import is_deceptive
from services.screener.rules import Finding, RuleSet, banned_extension, judge_member
from shared.model import Action


def judge_contents(contents: Contents, rules: RuleSet) -> Finding | None:
    """Return why an attachment is banned by its contents, or None: first what is inside, then what cannot be seen."""
    for inside in contents.inside:
        own = judge_member(inside.names, (inside.declared,) if inside.declared else (), inside.detected, rules)
        if own is not None and own.action is not Action.PASS:
            return own
        what = None if own is not None or rules.action is Action.PASS else _banned(inside, rules)
        if what is not None:
            return Finding(rules.action, f"member:{what}")
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
