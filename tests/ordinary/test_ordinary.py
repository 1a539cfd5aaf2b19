"""Ordinary mail as the programs of the world write it: none of it is ambiguous, all of it passes as it came."""

import pytest

from services.screener.assess import House, assess
from services.screener.mime.tree import parse
from services.screener.rules import compile_rules
from shared.config.model import Rules
from shared.model import Action, Direction
from tests.ordinary import desktop, machines, phones

BUILDERS = (*desktop.BUILDERS, *phones.BUILDERS, *machines.BUILDERS)
MESSAGES = [(builder.__name__, number, raw) for builder in BUILDERS for number, raw in enumerate(builder(), start=1)]
RULES = compile_rules(Rules(encrypted_mail="allow"), Direction.INBOUND)
HOUSE = House("Example Org", "help@example.org", 86400)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
@pytest.mark.parametrize(
    ("producer", "number", "raw"), MESSAGES, ids=lambda value: None if isinstance(value, bytes) else str(value)
)
def test_ordinary_mail_passes_as_it_came(producer: str, number: int, raw: bytes, line_end: bytes) -> None:
    octets = raw.replace(b"\r\n", line_end)
    assessed = assess(octets, RULES, HOUSE, "reference", 0.0)
    assert (assessed.verdict.action, assessed.verdict.reasons) == (Action.PASS, ())
    assert assessed.content is octets


def test_the_set_is_large_and_varied() -> None:
    structures = {
        tuple((p.path, p.description.types[0], p.description.encodings) for p in parse(raw).parts)
        for _, _, raw in MESSAGES
    }
    assert len({raw for _, _, raw in MESSAGES}) == len(MESSAGES) >= 200
    assert len(structures) >= 40
    assert len(BUILDERS) >= 12
    assert max(sum(producer == b.__name__ for producer, _, _ in MESSAGES) for b in BUILDERS) <= 10
