"""From what the rules say of each part to what becomes of the message; pure."""

from collections.abc import Sequence
from typing import NamedTuple

from services.screener.mime.anomaly import BEYOND, Anomaly
from services.screener.mime.part import Part
from services.screener.rules import Finding, RuleSet, judge_message
from shared.model import Action

MILDEST_FIRST = (Action.PASS, Action.STRIP, Action.BLOCK, Action.QUARANTINE)


class Ruling(NamedTuple):
    """What becomes of a message, and why."""

    action: Action
    reasons: tuple[str, ...]
    """Rule names and anomalies, each once."""
    ambiguous: bool
    cut: tuple[int, ...]
    """Indexes of the parts to strip, none inside another; empty unless the action is STRIP."""
    shadow: tuple[str, ...] = ()
    """Rules that only report, and what each would have decided."""


def decide(judged: Sequence[tuple[Part, Finding | None]], anomalies: frozenset[Anomaly], rules: RuleSet) -> Ruling:
    """Return the ruling on a message whose parts stand in the order of the tree.

    Stripping needs a message that every program reads alike, and never reaches inside a signed, encrypted or
    encoded part: there the direction's stricter action applies to the whole message. What was left unread, because it
    is over a limit, is not let through for being allowed to be ambiguous. `rules` are those that concern this message.
    """
    ambiguous = bool(anomalies)
    actions = [rules.ambiguous] if ambiguous else []
    if anomalies & BEYOND:
        actions.append(rules.instead if rules.unreadable is Action.STRIP else rules.unreadable)
    reasons: list[str] = sorted(anomalies)
    whole, shadow = judge_message(rules)
    if whole is not None:
        actions.append(whole.action)
        reasons.append(whole.rule)
    banned: list[int] = []
    for index, (part, finding) in enumerate(judged):
        if finding is None:
            continue
        reasons.append(finding.rule)
        action = finding.action
        if action is Action.STRIP and (ambiguous or part.sealed is not None):
            action = rules.instead
            if part.sealed is not None:
                reasons.append(f"sealed:{part.sealed}")
        actions.append(action)
        banned.append(index)
    action = max(actions, key=MILDEST_FIRST.index, default=Action.PASS)
    cut = _outermost(banned, [part for part, _ in judged]) if action is Action.STRIP else ()
    return Ruling(action, tuple(dict.fromkeys(reasons)), ambiguous, cut, shadow)


def _outermost(banned: Sequence[int], parts: Sequence[Part]) -> tuple[int, ...]:
    """Leave out the parts that go with an enclosing one."""
    going: set[int] = set()
    chosen = []
    for index in range(len(parts)):
        parent = parts[index].parent
        inside = parent in going
        if index in banned and not inside:
            chosen.append(index)
        if inside or index in banned:
            going.add(index)
    return tuple(chosen)
