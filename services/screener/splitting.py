"""Different outcomes for different recipients: a message is split before anything follows from it; pure.

Recipients of one split never learn of those of another: each has an envelope, a verdict and a content of its own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from services.screener.assess import Assessed
from services.screener.rules import Correspondents, RuleSet, for_people
from shared.model import Item, Origin, Recipient, Verdict


class Group(NamedTuple):
    """Recipients whom the same rules concern."""

    rules: RuleSet
    recipients: tuple[Recipient, ...]


class Split(NamedTuple):
    """What goes one way."""

    item: Item
    assessed: Assessed


def groups(rules: RuleSet, item: Item) -> list[Group]:
    """Return the recipients by the rules that concern them, in order of first appearance."""
    verified = item.origin is not Origin.INBOUND or item.spf == "pass"
    recipients = item.envelope.recipients
    if not any(rule.recipients for rule in rules.own):
        return [Group(for_people(rules, Correspondents(item.envelope.sender, "", verified)), recipients)]
    found: dict[tuple[str, ...], Group] = {}
    for recipient in recipients:
        mine = for_people(rules, Correspondents(item.envelope.sender, recipient.address, verified))
        key = tuple(rule.label for rule in mine.own)
        before = found.get(key, Group(mine, ()))
        found[key] = before._replace(recipients=(*before.recipients, recipient))
    return list(found.values())


def split(item: Item, outcomes: Sequence[tuple[tuple[Recipient, ...], Assessed]]) -> list[Split]:
    """Return one split for each outcome that differs; the item as it is if none does.

    Each split takes a number of its own and leaves as many free behind it as it has destinations, which delivery's
    items are numbered with: every key stays unique.
    """
    merged: list[tuple[tuple[Recipient, ...], Assessed]] = []
    for recipients, assessed in outcomes:
        same = next((n for n, (_, other) in enumerate(merged) if _alike(other, assessed)), None)
        if same is None:
            merged.append((recipients, assessed))
        else:
            before, kept = merged[same]
            both = msgspec.structs.replace(kept, verdict=_with_shadows(kept, assessed))
            merged[same] = ((*before, *recipients), both)
    if len(merged) == 1:
        return [Split(item, merged[0][1])]
    found = []
    number = item.split
    for recipients, assessed in merged:
        envelope = msgspec.structs.replace(item.envelope, recipients=recipients)
        found.append(Split(msgspec.structs.replace(item, split=number + 1, envelope=envelope), assessed))
        number += 1 + len({recipient.domain for recipient in recipients})
    return found


def _alike(one: Assessed, other: Assessed) -> bool:
    verdicts = [msgspec.structs.replace(each.verdict, shadow=()) for each in (one, other)]
    return verdicts[0] == verdicts[1] and one.content == other.content


def _with_shadows(one: Assessed, other: Assessed) -> Verdict:
    shadow = tuple(dict.fromkeys((*one.verdict.shadow, *other.verdict.shadow)))
    return msgspec.structs.replace(one.verdict, shadow=shadow)
