"""Screening files: the fields of `sluice screen --json`, and which files are messages."""

import hashlib
import json
from pathlib import Path

import pytest

from services.screener.offline import iter_messages, screen_bytes, to_json
from shared.config.model import Config
from shared.model import Direction
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
