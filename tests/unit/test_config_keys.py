"""Rules, keys and documentation agree: what a log line names stands in sluice.example.toml, and has effect."""

import re
from collections.abc import Iterator

import pytest
from msgspec import inspect

from services.ingress import replies
from services.ingress.replies import Refuse
from shared.config.model import Config
from tests.support.architecture import sources
from tests.support.processes import ROOT

NO_KEYS = {
    *("syntax", "sequence", "address", "parameter", "local part", "content", "loop"),
    *("errors", "turned away", "broker full", "internal error", "shutdown"),
}
"""Rules that no key changes; none of them may look like one."""
RULES = sorted(
    {value.rule for value in vars(replies).values() if isinstance(value, Refuse)}
    | {
        replies.listed("192.0.2.1", "bl.example").rule,
        replies.bad_sender("").rule,
        replies.bad_recipient("").rule,
        replies.bad_parameter("").rule,
        replies.unknown_parameter("").rule,
        replies.bad_author("").rule,
    }
)


def keys(node: inspect.Type, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every key of the model with the tables it is in: "ingress.rate.messages", "relay.hosted.verify"."""
    if isinstance(node, inspect.StructType):
        for field in node.fields:
            yield ".".join((*path, field.name))
            yield from keys(field.type, (*path, field.name))
    inner = [getattr(node, name, None) for name in ("item_type", "value_type", "type")]
    for one in (*getattr(node, "types", ()), *inner):
        if isinstance(one, inspect.Type):
            yield from keys(one, path)


KEYS = sorted(set(keys(inspect.type_info(Config))))


def documented() -> set[str]:
    """Return the keys that the example shows, with their tables."""
    found: set[str] = set()
    table = ""
    for line in (ROOT / "sluice.example.toml").read_text(encoding="utf-8").splitlines():
        header = re.match(r"(?:# )?\[+([\w.]+)]+", line)
        if header:
            table = f"{header[1]}."
            found.add(header[1])
        found.update(table + name for name in re.findall(r"(\w+) = ", line))
    return found


def test_the_model_is_walked_whole() -> None:
    assert set(KEYS) >= {"hostname", "ingress.rate.bytes", "relay.hosted.verify", "ingress.listener.mode"}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in NO_KEYS])
def test_a_rule_is_a_key_that_is_documented(rule: str) -> None:
    assert rule in KEYS
    assert rule in documented()


def test_the_other_rules_are_no_keys_and_all_there() -> None:
    assert set(RULES) >= NO_KEYS
    assert not NO_KEYS & set(KEYS)


CODE = "\n".join(text for path, text in sources(ROOT, "services", "shared").items() if path != "shared/config/model.py")


@pytest.mark.parametrize("name", sorted({key.rpartition(".")[2] for key in KEYS}))
def test_a_key_is_read_somewhere(name: str) -> None:
    """One that nothing reads promises what does not happen."""
    assert re.search(rf"\.{name}\b", CODE)
