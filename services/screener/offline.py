"""Screening without a relay: what `sluice screen` does with files, maildirs and folders (DESIGN section 6)."""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from services.screener.assess import Means, assess, reports
from services.screener.mime.anomaly import Limits
from services.screener.mime.deadline import deadline
from services.screener.rules import Correspondents, for_people
from services.screener.screening import screen
from services.screener.settings import Settings
from shared.config.model import Config
from shared.ids import derive_id
from shared.model import Direction, PartReport, Verdict

_MAILDIR = ("cur", "new")


class Result(NamedTuple):
    """What screening one message gave."""

    verdict: Verdict
    parts: tuple[PartReport, ...]
    """Every part, not only those a rule acted on."""
    sha256_in: str
    sha256_out: str
    """Equal to `sha256_in` unless the message was stripped."""
    content: bytes
    """What goes on if the verdict is pass or strip: the very octets that came in on pass."""


class People(NamedTuple):
    """Envelope addresses for the rules that ask for them; without one, no such rule applies."""

    sender: str | None = None
    recipient: str = ""


def screen_bytes(
    config: Config,
    data: bytes,
    direction: Direction,
    now: float,
    people: People = People(),  # noqa: B008  (a value, never changed)
) -> Result:
    """Return what the screener makes of a message. Line ends may be CRLF or LF; they stay what they are.

    Outbound senders are our own, inbound ones count as not verified.
    """
    settings = Settings.of(config)
    who = Correspondents(people.sender, people.recipient, verified=direction is Direction.OUTBOUND)
    rules = for_people(settings.rules()[direction], who)
    digest = hashlib.sha256(data).hexdigest()
    reference = derive_id(digest, "screen", now)
    means = Means(limits=Limits(out_of_time=deadline(time.thread_time)))
    assessed = assess(data, rules, settings.house(), reference, now, means)
    out = digest if assessed.content is data else hashlib.sha256(assessed.content).hexdigest()
    screening = assessed.screening if assessed.screening.seen else screen(data, rules)
    return Result(assessed.verdict, reports(screening), digest, out, assessed.content)


def to_json(file: str, result: Result, *, explain: bool = False) -> str:
    """Return one line of `sluice screen --json`, without its line end; `explain` adds what decides nothing."""
    verdict = result.verdict
    more = {"remarks": list(verdict.remarks), "shadow": list(verdict.shadow)} if explain else {}
    return json.dumps(
        {
            "file": file,
            "verdict": result.verdict.action.value,
            "reasons": list(result.verdict.reasons),
            "ambiguous": result.verdict.ambiguous,
            "parts": [
                {
                    "path": part.path,
                    "names": list(part.names),
                    "declared_type": part.declared_type,
                    "detected_type": part.detected_type,
                    "size": part.size,
                    "action": part.action,
                    "rule": part.rule,
                }
                for part in result.parts
            ],
            "sha256_in": result.sha256_in,
            "sha256_out": result.sha256_out,
            **more,
        },
        ensure_ascii=False,
    )


def iter_messages(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the octets of every message: files, of a maildir what is in cur and new, of folders all files.

    In the order given, folders sorted by name; names that begin with a dot are left out. Raise OSError for a path that
    does not exist or cannot be read.
    """
    for path in paths:
        for file in _in_folder(path) if path.is_dir() else (path,):
            yield str(file), file.read_bytes()


def _in_folder(folder: Path) -> Iterator[Path]:
    maildir = all((folder / name).is_dir() for name in _MAILDIR)
    entries = [folder / name for name in _MAILDIR] if maildir else sorted(folder.iterdir())
    for entry in entries:
        if entry.is_dir() and not entry.name.startswith("."):
            yield from _in_folder(entry)
        elif entry.is_file() and not entry.name.startswith("."):
            yield entry
