"""What is wrong with the operator's screening rules beyond each single value: pure, for start-up and `sluice check`."""

import difflib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shared.config.model import Screener
from shared.config.screen_rule import ScreenRule

_CONDITIONS = (
    "senders",
    "recipients",
    "sender_verified",
    "message_over",
    "subject",
    "body",
    "names",
    "types",
    "attachment_over",
)


class Flaw(NamedTuple):
    """One finding: where, what and what to do."""

    key: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}; {self.remedy}"


def flaws(screener: Screener) -> Iterator[Flaw]:
    """Yield every flaw of the rules, in their order."""
    seen: dict[str, int] = {}
    for index, rule in enumerate(screener.rule):
        key = f"screener.rule[{index}]"
        if rule.name in seen:
            yield Flaw(f"{key}.name", f'"{rule.name}" is also the name of [{seen[rule.name]}]', "give each its own")
        seen.setdefault(rule.name, index)
        yield from _conditions(key, rule)
        for field, entries in (("senders", rule.senders), ("recipients", rule.recipients)):
            for entry in entries:
                name = entry.removeprefix("group:")
                if name != entry and name not in screener.groups:
                    reason = f'there is no group "{name}"{_nearest(name, screener.groups)}'
                    yield Flaw(f"{key}.{field}", reason, f"define it: screener.groups.{name}")


def _conditions(key: str, rule: ScreenRule) -> Iterator[Flaw]:
    if not any(getattr(rule, name) not in {(), None, False} for name in _CONDITIONS):
        yield Flaw(key, "it has no condition and would decide all mail", f"give one of {', '.join(_CONDITIONS)}")
    elif rule.action == "strip" and not (rule.names or rule.types or rule.attachment_over is not None):
        reason = "strip does not say which attachments"
        yield Flaw(f"{key}.action", reason, 'add names = ["*"] for all of them, or use block or quarantine')


def _nearest(name: str, valid: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f', did you mean "{near[0]}"?' if near else ""
