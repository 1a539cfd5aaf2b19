"""One rule of the operator's, compiled: its conditions, and whether they hold of a part."""

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from services.screener.rules.words import Keyword, keyword
from shared.config.screen_rule import ScreenRule
from shared.model import Action

Globs = tuple[re.Pattern[str], ...]
_GROUP = "group:"


class OwnRule(NamedTuple):
    """Every condition that is given must hold; of a list, one entry. What has been found to hold is emptied."""

    label: str
    """`rule:NAME`"""
    action: Action
    shadow: bool
    """Only reported: the search goes on."""
    reason: str
    senders: tuple[str, ...] = ()
    """Patterns, groups resolved."""
    recipients: tuple[str, ...] = ()
    verified: bool = False
    message_over: int | None = None
    subject: tuple[Keyword, ...] = ()
    body: tuple[Keyword, ...] = ()
    names: Globs = ()
    types: Globs = ()
    attachment_over: int | None = None

    @property
    def about_parts(self) -> bool:
        """Whether it speaks of attachments, and not of the message as a whole."""
        return bool(self.names or self.types) or self.attachment_over is not None


class Identity(NamedTuple):
    """What a part is called and taken for."""

    names: Sequence[str]
    """Canonical forms; one that is empty for an attachment without a name."""
    types: Sequence[str]
    """Declared and recognised."""
    size: int
    """Octets after decoding."""
    attachment: bool
    """Not a text of the message itself, not a container of parts."""


def compile_own(rule: ScreenRule, action: Action, groups: Mapping[str, tuple[str, ...]]) -> OwnRule:
    """Return a rule ready for use; its groups exist."""
    return OwnRule(
        label=f"rule:{rule.name}",
        action=action,
        shadow=rule.shadow,
        reason=rule.reason,
        senders=_people(rule.senders, groups),
        recipients=_people(rule.recipients, groups),
        verified=rule.sender_verified,
        message_over=rule.message_over,
        subject=tuple(map(keyword, rule.subject)),
        body=tuple(map(keyword, rule.body)),
        names=_globs(rule.names),
        types=_globs(rule.types),
        attachment_over=rule.attachment_over,
    )


def covers(rule: OwnRule, part: Identity) -> bool:
    """Return whether a rule about attachments holds of a part.

    To ban a part one of its names or types is enough; to allow it, every one must be covered: a part that is a
    harmless file by one reading only is not one.
    """
    enough: Callable[[list[bool]], bool] = all if rule.action is Action.PASS else any
    if not part.attachment and not rule.types:
        return False
    if rule.attachment_over is not None and part.size <= rule.attachment_over:
        return False
    if rule.names and not (part.names and enough([_fits(rule.names, name) for name in part.names])):
        return False
    return not rule.types or enough([_fits(rule.types, kind) for kind in part.types])


def first(rules: Sequence[OwnRule], applies: Callable[[OwnRule], bool]) -> tuple[OwnRule | None, tuple[str, ...]]:
    """Return the first rule that applies and decides, and the shadow rules that would have decided before it."""
    shadows: list[str] = []
    for rule in rules:
        if applies(rule):
            if not rule.shadow:
                return rule, tuple(shadows)
            shadows.append(f"{rule.label} {rule.action}")
    return None, tuple(shadows)


def _people(listed: Sequence[str], groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    found: list[str] = []
    for entry in listed:
        found += groups[entry.removeprefix(_GROUP)] if entry.startswith(_GROUP) else (entry,)
    return tuple(found)


def _globs(patterns: Sequence[str]) -> Globs:
    return tuple(re.compile(fnmatch.translate(pattern.casefold())) for pattern in patterns)


def _fits(globs: Globs, text: str) -> bool:
    return any(glob.match(text) for glob in globs)
