"""What the rules say of messages and parts: the operator's own first, then the built-in tiers; pure."""

from services.screener.rules.judging import (
    banned_extension,
    judge,
    judge_member,
    judge_message,
    judge_part,
    judge_suspicious,
    lets_text_pass,
)
from services.screener.rules.message import on_message
from services.screener.rules.people import Correspondents, for_people
from services.screener.rules.ruleset import Finding, RuleSet, compile_rules

__all__ = [
    "Correspondents",
    "Finding",
    "RuleSet",
    "banned_extension",
    "compile_rules",
    "for_people",
    "judge",
    "judge_member",
    "judge_message",
    "judge_part",
    "judge_suspicious",
    "lets_text_pass",
    "on_message",
]
