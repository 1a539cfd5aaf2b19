"""Which parts a direction does not let through; pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.screener import defaults
from services.screener.identity.names import extension, forms, is_deceptive
from shared.config.model import Rules
from shared.errors import ConfigError
from shared.model import Action, Direction

_PART_ACTIONS = {"strip": Action.STRIP, "block": Action.BLOCK, "quarantine": Action.QUARANTINE, "allow": Action.PASS}
_AMBIGUOUS = {"pass": Action.PASS, "block": Action.BLOCK, "quarantine": Action.QUARANTINE}


class RuleSet(NamedTuple):
    """The rules of one direction, ready for use."""

    direction: Direction
    action: Action
    """For a banned part."""
    ambiguous: Action
    """For a message that programs read in different ways."""
    extensions: frozenset[str]
    types: frozenset[str]
    encrypted: Action = Action.PASS
    """For a container that needs a password."""
    unreadable: Action = Action.PASS
    """For a container that is over a limit, damaged, or in a form that cannot be looked into."""

    @property
    def instead(self) -> Action:
        """What happens where stripping is not safe: what arrives is kept, what leaves is refused."""
        return Action.BLOCK if self.direction is Direction.OUTBOUND else Action.QUARANTINE


class Finding(NamedTuple):
    """Why a part is not let through."""

    action: Action
    rule: str
    """`extension:exe`, `type:application/hta`, `content:application/x-msdownload`, `name:deceptive` ..."""


def compile_rules(rules: Rules, direction: Direction) -> RuleSet:
    """Return the rules of one direction. Raise ConfigError for an action that does not exist."""
    allowed = {_bare(name) for name in rules.allowed_extensions}
    listed = defaults.EXTENSIONS if rules.banned_extensions is None else map(_bare, rules.banned_extensions)
    extensions = (frozenset(listed) | {_bare(name) for name in rules.extra_extensions}) - allowed
    if rules.banned_types is None:
        types = frozenset(kind for kind, ending in defaults.TYPES.items() if ending not in allowed)
    else:
        types = frozenset(kind.strip().lower() for kind in rules.banned_types)
    place = f"screener.{direction}"
    return RuleSet(
        direction,
        _one_of(_PART_ACTIONS, rules.action, f"{place}.action"),
        _one_of(_AMBIGUOUS, rules.ambiguous, f"{place}.ambiguous"),
        extensions,
        types,
        _one_of(_PART_ACTIONS, rules.encrypted, f"{place}.encrypted"),
        _one_of(_PART_ACTIONS, rules.unreadable, f"{place}.unreadable"),
    )


def judge(
    names: Sequence[str], declared: Iterable[str], detected: Iterable[tuple[str, str | None]], rules: RuleSet
) -> Finding | None:
    """Return why a part is banned, or None: any name, any declared type or any recognised type is enough.

    `declared` are types as written, `detected` pairs of a recognised type and its usual extension.
    """
    never = next((kind for kind in declared if kind in defaults.NEVER), None)
    if never is not None:
        return Finding(Action.BLOCK, f"type:{never}")
    if rules.action is Action.PASS:
        return None
    rule = _by_name(names, rules) or _by_type(declared, detected, rules)
    return None if rule is None else Finding(rules.action, rule)


def banned_extension(names: Iterable[str], rules: RuleSet) -> str | None:
    """Return the first banned extension that any form of any name ends with, or None."""
    for name in names:
        for form in forms(name):
            ending = extension(form)
            if ending in rules.extensions:
                return ending
    return None


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


def _bare(name: str) -> str:
    return name.strip().lstrip(".").lower()


def _one_of(actions: dict[str, Action], text: str, key: str) -> Action:
    if text not in actions:
        raise ConfigError(f'{key}: "{text}" is not an action; use one of {", ".join(actions)}')
    return actions[text]
