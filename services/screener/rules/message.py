"""Which of the operator's rules concern a message: by its size, and by keywords in its subject and text."""

from collections.abc import Iterable, Sequence

from services.screener.mime.part import Part
from services.screener.rules.ruleset import RuleSet
from services.screener.rules.words import Keyword, bodies, subjects


def on_message(rules: RuleSet, raw: bytes, parts: Sequence[Part]) -> RuleSet:
    """Return the rules with those of the operator's only that concern this message; texts are read if one asks."""
    found_subjects = subjects(parts) if any(rule.subject for rule in rules.own) else []
    found_bodies = list(bodies(parts)) if any(rule.body for rule in rules.own) else []
    own = tuple(
        rule._replace(message_over=None, subject=(), body=())
        for rule in rules.own
        if (rule.message_over is None or len(raw) > rule.message_over)
        and (not rule.subject or _any(rule.subject, found_subjects))
        and (not rule.body or _any(rule.body, found_bodies))
    )
    return rules._replace(own=own)


def _any(keywords: Iterable[Keyword], texts: Sequence[str]) -> bool:
    return any(keyword.search(text) for keyword in keywords for text in texts)
