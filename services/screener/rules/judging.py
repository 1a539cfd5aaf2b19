"""What the rules say of one part, of the members of an archive, and of a message as a whole."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.screener.identity.names import extension, forms, is_deceptive
from services.screener.notice import FILE_NAME
from services.screener.rules import defaults
from services.screener.rules.own import Identity, OwnRule, covers, first
from services.screener.rules.ruleset import Finding, RuleSet
from shared.model import Action

_BODIES = ("text/", "multipart/")
_TEXTS = ("text/plain", "text/html", "application/octet-stream")
"""What a text is recognised as; the last if a control character stands in it."""
_AS_PAGES = frozenset({"xml", "xsl", "xslt"})
"""Endings of texts that a browser opens, which runs what a page among them says."""
_NOTICE = 8192
"""Octets that none of our notices exceeds."""


class Judgement(NamedTuple):
    """What the rules say of a part before anybody looks inside it."""

    finding: Finding | None
    shadows: tuple[str, ...]
    """The shadow rules that would have decided, each with its action."""
    rest: RuleSet
    """The rules that what is inside, and what is merely suspicious, are left to."""


def judge(
    names: Sequence[str],
    declared: Iterable[str],
    detected: Iterable[tuple[str, str | None]],
    rules: RuleSet,
    size: int = 0,
) -> Finding | None:
    """Return why a part into which nobody can look is banned, or None.

    Any name, any declared type or any recognised type is enough. `declared` are types as written, `detected` pairs
    of a recognised type and its usual extension, `size` the octets of the content.
    """
    declared, detected = tuple(declared), tuple(detected)
    judgement = judge_part(names, declared, detected, rules, size)
    return judgement.finding or judge_suspicious(names, declared, detected, judgement.rest)


def judge_part(
    names: Sequence[str],
    declared: Sequence[str],
    detected: Sequence[tuple[str, str | None]],
    rules: RuleSet,
    size: int = 0,
    *,
    is_file: bool = False,
) -> Judgement:
    """Return what the operator's rules, and if none decides tier 1, say of a part; see `judge` and judge_suspicious."""
    never = next((kind for kind in declared if kind in defaults.NEVER), None)
    if never is not None:
        return Judgement(Finding(Action.BLOCK, f"type:{never}"), (), rules)
    shadows: tuple[str, ...] = ()
    if rules.own:
        rule, shadows = _own(names, declared, detected, rules, size, is_file=is_file)
        if rule is not None:
            return Judgement(_finding(rule), shadows, _lenient(rules))
    found = None
    if rules.action is not Action.PASS:
        found = _by_name(names, rules) or _by_type(declared, detected, rules)
    return Judgement(None if found is None else Finding(rules.action, found), shadows, rules)


def lets_text_pass(rules: RuleSet) -> bool:
    """Return whether a message that is one plain or HTML text passes, whatever it says: `judge` has nothing on it."""
    return not rules.own and rules.types.isdisjoint(_TEXTS) and "html" not in rules.extensions


def judge_suspicious(
    names: Sequence[str],
    declared: Sequence[str],
    detected: Sequence[tuple[str, str | None]],
    rules: RuleSet,
    *,
    is_file: bool = False,
) -> Finding | None:
    """Return why tier 2 bans a part, or None; `is_file` says that it is one though it has no name."""
    if rules.suspicious is Action.PASS:
        return None
    found = _suspicious(names, declared, detected, rules, is_file=is_file or bool(names))
    return None if found is None else Finding(rules.suspicious, found)


def judge_member(
    names: Sequence[str], declared: Sequence[str], detected: Sequence[tuple[str, str | None]], rules: RuleSet
) -> tuple[Finding | None, tuple[str, ...]]:
    """Return what the operator's rules say of a file inside an archive, None if none of them decides; and the shadows.

    A finding of Action.PASS allows the file, and says nothing of its neighbours. The shadow rules are those that would
    have decided, each with its action.
    """
    rule, shadows = _own(names, declared, detected, rules, 0, is_file=True) if rules.own else (None, ())
    if rule is None:
        return None, shadows
    return _finding(rule) or Finding(Action.PASS, rule.label), shadows


def judge_message(rules: RuleSet) -> tuple[Finding | None, tuple[str, ...]]:
    """Return why a message is not let through as a whole, or None; and the shadow rules that would have decided.

    `rules` are those that concern its people and its text (for_people, on_message).
    """
    rule, shadows = first(rules.own, lambda rule: not rule.about_parts)
    if rule is None or rule.action is Action.PASS:
        return None, shadows
    return Finding(rule.action, rule.label, rule.reason), shadows


def banned_extension(names: Iterable[str], rules: RuleSet) -> str | None:
    """Return the first banned extension that any form of any name ends with, or None."""
    return _ending(names, rules.extensions)


def _own(
    names: Sequence[str],
    declared: Sequence[str],
    detected: Sequence[tuple[str, str | None]],
    rules: RuleSet,
    size: int,
    *,
    is_file: bool,
) -> tuple[OwnRule | None, tuple[str, ...]]:
    if _is_notice(names, declared, detected, size):
        return None, ()
    found = tuple(dict.fromkeys(form for name in names for form in forms(name)))
    attachment = is_file or bool(names) or not all(kind.startswith(_BODIES) for kind in declared)
    kinds = tuple(dict.fromkeys((*declared, *(kind for kind, _ in detected))))
    plain = Identity(found or (("",) if attachment else ()), kinds, size, attachment)
    strict = plain._replace(names=(*plain.names, *_taken_for(plain.names, declared, detected, rules)))
    deceptive = any(map(is_deceptive, names))

    def applies(rule: OwnRule) -> bool:
        if not rule.about_parts:
            return True
        if rule.action is not Action.PASS:
            return covers(rule, plain)
        hidden = not rule.names and _ending(names, rules.extensions | rules.suspicious_extensions) is not None
        return not deceptive and not hidden and covers(rule, strict)

    return first(rules.own, applies)


def _taken_for(
    names: Sequence[str], declared: Sequence[str], detected: Sequence[tuple[str, str | None]], rules: RuleSet
) -> list[str]:
    """Return what a part would be called if each banned type it is taken for had named it."""
    banned = rules.extensions | rules.suspicious_extensions
    endings = [defaults.TYPES[kind] for kind in declared if kind in rules.types and kind in defaults.TYPES]
    endings += [ending for _, ending in detected if ending in banned]
    return [f"{name.rpartition('.')[0] or name}.{ending}" for name in names for ending in dict.fromkeys(endings)]


def _is_notice(
    names: Sequence[str], declared: Sequence[str], detected: Sequence[tuple[str, str | None]], size: int
) -> bool:
    """Return whether a part is a notice of ours, or a short text in its place: a rule on everything spares it."""
    text = all(kind == "text/plain" for kind in (*declared, *(kind for kind, _ in detected)))
    return tuple(names) == (FILE_NAME,) and text and size <= _NOTICE


def _lenient(rules: RuleSet) -> RuleSet:
    """Return what is left of the rules inside a part that the operator allows: tier 1."""
    allow = Action.PASS
    return rules._replace(suspicious=allow, encrypted=allow, encrypted_mail=allow, unreadable=allow)


def _finding(rule: OwnRule) -> Finding | None:
    """Return what a rule that decides about a part says of it; one on the whole message leaves the part alone."""
    if rule.action is Action.PASS or not rule.about_parts:
        return None
    return Finding(rule.action, rule.label, rule.reason)


def _by_name(names: Sequence[str], rules: RuleSet) -> str | None:
    ending = banned_extension(names, rules)
    if ending is not None:
        return f"extension:{ending}"
    return "name:deceptive" if any(map(is_deceptive, names)) else None


def _by_type(declared: Iterable[str], detected: Iterable[tuple[str, str | None]], rules: RuleSet) -> str | None:
    for kind in declared:
        if kind in rules.types:
            return f"type:{kind}"
    for kind, ending in detected:
        if kind in rules.types or ending in rules.extensions:
            return f"content:{kind}"
    return None


def _suspicious(
    names: Sequence[str],
    declared: Sequence[str],
    detected: Sequence[tuple[str, str | None]],
    rules: RuleSet,
    *,
    is_file: bool,
) -> str | None:
    ending = _ending(names, rules.suspicious_extensions)
    if ending is not None:
        return f"extension:{ending}"
    for kind in declared if is_file else ():  # what programs name a file by that has no ending
        if defaults.PAGES.get(kind) in rules.suspicious_extensions:
            return f"type:{kind}"
    text = all(kind.startswith("text/") and kind != "text/xml" for kind in declared)
    text = text and _ending(names, _AS_PAGES) is None
    for kind, found in detected:
        # HTML in a file; as the text of a message it is what most mail is
        if found in rules.suspicious_extensions and not (text and found == "html"):
            return f"content:{kind}"
    return None


def _ending(names: Iterable[str], endings: frozenset[str]) -> str | None:
    for name in names:
        for form in forms(name):
            found = extension(form)
            if found in endings:
                return found
    return None
