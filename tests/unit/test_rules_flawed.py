"""Rules of the operator's that cannot mean anything: one line with key, reason and remedy."""

from pathlib import Path

import pytest

from services.screener.rules import compile_rules
from shared.config.check import problems
from shared.config.findings import Facts
from shared.config.load import load
from shared.config.model import Rules
from shared.errors import ConfigError
from shared.model import Direction

FLAWS = [
    ('action = "delete"\nsenders = ["*"]', 'action: "delete" is not known: valid are allow, strip, block, quarantine'),
    ('action = "block"', "it has no condition and would decide all mail; give one of senders, recipients"),
    ('action = "strip"\nsenders = ["*"]', 'action: strip does not say which attachments; add names = ["*"]'),
    ('action = "block"\nsenders = ["group:partner"]', 'senders: there is no group "partner", did you mean "partners"?'),
    ('action = "block"\nsenders = ["group:zzz"]', 'senders: there is no group "zzz"; define it: screener.groups.zzz'),
    ('action = "block"\nnames = [".exe"]', 'names[0]: ".exe" is the whole name of a file: write "*.exe"'),
    ('action = "block"\nnames = ["a/b"]', 'names[0]: "a/b" holds a path'),
    ('action = "block"\nnames = [""]', "names[0]: empty"),
    ('action = "block"\ntypes = ["pdf"]', 'types[0]: "pdf" is not a type: write such as "application/pdf"'),
    ('action = "block"\nsubject = [" "]', "subject[0]: empty: write a word"),
    ('action = "block"\nbody = ["x"]\ndirection = "in"', 'direction: "in" is not known: valid are inbound, outbound'),
    ('action = "block"\nmessage_over = "big"', "message_over: "),
    ('action = "block"\nrecipient = ["x"]', 'recipient: unknown key; did you mean "recipients"?'),
    ('senders = ["*"]', '"action" is missing'),
]


@pytest.mark.parametrize(("lines", "expected"), FLAWS)
def test_a_bad_rule_is_one_line_with_key_reason_and_remedy(tmp_path: Path, lines: str, expected: str) -> None:
    path = tmp_path / "sluice.toml"
    path.write_text(f'[screener.groups]\npartners = ["example.org"]\n[[screener.rule]]\nname = "r"\n{lines}\n')
    with pytest.raises(ConfigError) as caught:
        compile_rules(Rules(), Direction.INBOUND, load(path, {}).screener)
    said = str(caught.value)
    assert "screener.rule[0]" in said
    assert expected in said
    assert "\n" not in said


def test_check_names_every_flaw(tmp_path: Path) -> None:
    path = tmp_path / "sluice.toml"
    path.write_text('[[screener.rule]]\nname = "r"\naction = "block"\n' * 2)
    found = [str(each) for each in problems(load(path, {}), Facts()) if each.key.startswith("screener")]
    assert [line.partition(":")[0] for line in found] == [
        "screener.rule[0]",
        "screener.rule[1].name",
        "screener.rule[1]",
    ]


@pytest.mark.parametrize("name", ["", "No", "a b", "x" * 41, "é"])
def test_names_of_rules_are_plain(tmp_path: Path, name: str) -> None:
    path = tmp_path / "sluice.toml"
    path.write_text(f'[[screener.rule]]\nname = "{name}"\naction = "block"\nsenders = ["*"]\n')
    with pytest.raises(ConfigError, match=r"screener\.rule\[0\]\.name: .* is not a name"):
        load(path, {})
