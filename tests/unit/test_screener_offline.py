"""Screening files: the fields of `sluice screen --json`, and which files are messages."""

import hashlib
import json
from pathlib import Path

import pytest

from services.screener.offline import People, iter_messages, screen_bytes, to_json
from shared.config.model import Config, Screener
from shared.config.screen_rule import ScreenRule
from shared.model import Action, Direction
from tests.support import mail_samples as samples

NOW = 1_790_000_000.0


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
@pytest.mark.parametrize(
    ("raw", "direction", "verdict"),
    [
        (samples.OUTLOOK, Direction.INBOUND, "pass"),
        (samples.with_exe(), Direction.INBOUND, "strip"),
        (samples.with_exe(), Direction.OUTBOUND, "block"),
        (samples.SIGNED_EXE, Direction.INBOUND, "quarantine"),
        (samples.SIGNED_EXE, Direction.OUTBOUND, "block"),
    ],
)
def test_one_line_of_json_for_a_message(raw: bytes, direction: Direction, verdict: str, line_end: bytes) -> None:
    raw = raw.replace(b"\r\n", line_end)
    result = screen_bytes(Config(), raw, direction, NOW)
    line = to_json("a.eml", result)
    fields = json.loads(line)
    assert "\n" not in line
    assert (fields["file"], fields["verdict"], fields["ambiguous"]) == ("a.eml", verdict, False)
    assert fields["sha256_in"] == hashlib.sha256(raw).hexdigest()
    assert fields["sha256_out"] == hashlib.sha256(result.content).hexdigest()
    assert (fields["sha256_in"] == fields["sha256_out"]) is (verdict != "strip")
    assert bool(fields["reasons"]) is (verdict != "pass")


def test_every_part_is_listed_with_its_facts() -> None:
    fields = json.loads(to_json("a", screen_bytes(Config(), samples.with_exe("grüße.exe"), Direction.INBOUND, NOW)))
    assert fields["reasons"] == ["extension:exe"]
    assert fields["parts"] == [
        {
            "path": "1",
            "names": [],
            "declared_type": "text/plain",
            "detected_type": "text/plain",
            "size": 41,
            "action": "allow",
            "rule": None,
        },
        {
            "path": "2",
            "names": ["grüße.exe"],
            "declared_type": "application/x-msdownload",
            "detected_type": "application/x-msdownload",
            "size": len(samples.EXE),
            "action": "strip",
            "rule": "extension:exe",
        },
    ]


@pytest.mark.parametrize(
    ("people", "direction", "verdict"),
    [
        (People(), Direction.INBOUND, "strip"),
        (People("a@partner.example"), Direction.INBOUND, "pass"),
        (People("a@other.example"), Direction.INBOUND, "strip"),
        (People("a@partner.example", "bob@example.org"), Direction.INBOUND, "quarantine"),
        (People(recipient="bob@example.org"), Direction.INBOUND, "quarantine"),
        (People("a@partner.example"), Direction.OUTBOUND, "pass"),
        (People(), Direction.OUTBOUND, "block"),
    ],
)
def test_rules_that_ask_for_people(people: People, direction: Direction, verdict: str) -> None:
    rules = (
        ScreenRule(name="bob", action="quarantine", recipients=("bob@example.org",)),
        ScreenRule(name="partner", action="allow", senders=("partner.example",)),
        ScreenRule(name="ours", action="allow", senders=("ours.example",), sender_verified=True),
    )
    config = Config(screener=Screener(rule=rules))
    result = screen_bytes(config, samples.with_exe(), direction, NOW, people)
    assert json.loads(to_json("a", result))["verdict"] == verdict
    ours = screen_bytes(config, samples.with_exe(), direction, NOW, People("a@ours.example"))
    assert ours.verdict.action is (Action.PASS if direction is Direction.OUTBOUND else Action.STRIP)


def test_the_fields_of_json_are_fixed() -> None:
    rules = (ScreenRule(name="try", action="block", shadow=True, subject=("unterlagen",)),)
    result = screen_bytes(Config(screener=Screener(rule=rules)), samples.with_exe(), Direction.INBOUND, NOW)
    assert result.verdict.shadow == ("rule:try block",)
    fields = json.loads(to_json("a", result))
    assert list(fields) == ["file", "verdict", "reasons", "ambiguous", "parts", "sha256_in", "sha256_out"]
    explained = json.loads(to_json("a", result, explain=True))
    assert explained == {**fields, "remarks": [], "shadow": ["rule:try block"]}
    assert list(fields["parts"][0]) == [
        "path",
        "names",
        "declared_type",
        "detected_type",
        "size",
        "action",
        "rule",
    ]


def test_files_maildirs_and_folders_are_found_in_order(tmp_path: Path) -> None:
    for name in ("b.eml", "a/2.eml", "a/10.eml", "a/.hidden", ".git/x", "box/cur/1:2,S", "box/new/2", "box/tmp/3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    found = list(iter_messages([tmp_path / "b.eml", tmp_path]))
    names = ["b.eml", "a/10.eml", "a/2.eml", "b.eml", "box/cur/1:2,S", "box/new/2"]
    assert found == [(str(tmp_path / name), name.encode()) for name in names]


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(iter_messages([tmp_path / "nothing"]))
