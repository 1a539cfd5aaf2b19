"""The rules of one direction, compiled from the configuration."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from services.screener.rules import defaults
from services.screener.rules.own import OwnRule, compile_own
from shared.config.model import Rules, Screener
from shared.config.screener_rules import flaws
from shared.errors import ConfigError
from shared.model import Action, Direction

_PART_ACTIONS = {"strip": Action.STRIP, "block": Action.BLOCK, "quarantine": Action.QUARANTINE, "allow": Action.PASS}
_AMBIGUOUS = {"pass": Action.PASS, "block": Action.BLOCK, "quarantine": Action.QUARANTINE}


class RuleSet(NamedTuple):
    """The rules of one direction, ready for use: those of the operator in order, then the built-in tiers."""

    direction: Direction
    action: Action
    """For a part that tier 1 bans."""
    ambiguous: Action
    """For a message that programs read in different ways."""
    extensions: frozenset[str]
    """Tier 1, also inside archives."""
    types: frozenset[str]
    encrypted: Action = Action.PASS
    """For a container that needs a password."""
    encrypted_mail: Action = Action.PASS
    """For a message, or a part of one, that only its recipient can read: S/MIME and PGP."""
    unreadable: Action = Action.PASS
    """For a container that is over a limit, damaged, or in a form that cannot be looked into."""
    suspicious: Action = Action.PASS
    """For a part that tier 2 bans."""
    suspicious_extensions: frozenset[str] = frozenset()
    """Tier 2."""
    own: tuple[OwnRule, ...] = ()
    """The operator's rules that may still apply; the first that does decides."""

    @property
    def instead(self) -> Action:
        """What happens where stripping is not safe: what arrives is kept, what leaves is refused."""
        return Action.BLOCK if self.direction is Direction.OUTBOUND else Action.QUARANTINE

    @property
    def measures(self) -> bool:
        """Whether a rule asks for the size of decoded parts."""
        return any(rule.attachment_over is not None for rule in self.own)


class Finding(NamedTuple):
    """Why a part, or a message, is not let through."""

    action: Action
    rule: str
    """`rule:no-macros`, `extension:exe`, `type:application/hta`, `content:application/x-msdownload` ..."""
    reason: str = ""
    """In plain words for notices, if the operator gave some."""


def compile_rules(rules: Rules, direction: Direction, screener: Screener | None = None) -> RuleSet:
    """Return the rules of one direction, with the operator's own out of `screener`.

    Raise ConfigError for an action that does not exist, or for a rule that cannot mean anything.
    """
    allowed = {_bare(name) for name in rules.allowed_extensions}
    listed = _listed(rules.banned_extensions, _bare, defaults.EXTENSIONS)
    extensions = (listed | {_bare(name) for name in rules.extra_extensions}) - allowed
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
        _one_of(_PART_ACTIONS, rules.encrypted_mail, f"{place}.encrypted_mail"),
        _one_of(_PART_ACTIONS, rules.unreadable, f"{place}.unreadable"),
        _one_of(_PART_ACTIONS, rules.suspicious, f"{place}.suspicious"),
        _listed(rules.suspicious_extensions, _bare, defaults.SUSPICIOUS) - allowed,
        () if screener is None else _own(screener, direction),
    )


def _own(screener: Screener, direction: Direction) -> tuple[OwnRule, ...]:
    for flaw in flaws(screener):
        raise ConfigError(str(flaw))
    mine = (rule for rule in screener.rule if rule.direction in {None, direction.value})
    return tuple(compile_own(rule, _PART_ACTIONS[rule.action], screener.groups) for rule in mine)


def _listed(given: Iterable[str] | None, form: Callable[[str], str], built_in: frozenset[str]) -> frozenset[str]:
    return built_in if given is None else frozenset(map(form, given))


def _bare(name: str) -> str:
    return name.strip().lstrip(".").lower()


def _one_of(actions: dict[str, Action], text: str, key: str) -> Action:
    if text not in actions:
        raise ConfigError(f'{key}: "{text}" is not an action; use one of {", ".join(actions)}')
    return actions[text]
