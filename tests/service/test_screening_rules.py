"""The three classic kinds of rules, as an operator writes them: by attachment, by people, by keyword.

Each case goes from the text of sluice.toml through `sluice screen` and through the handler, with the same result.
"""

import asyncio
import json
from pathlib import Path
from typing import NamedTuple

import pytest

from services.screener.handler import Screener
from services.screener.settings import Settings
from shared.config.load import load_from
from shared.model import Envelope, Item, Message, Origin, Place, Recipient
from tests.support.archive_samples import zip_of
from tests.support.cli import configured, sluice
from tests.support.mail_samples import EXE, HEAD, HTML, PDF, TEXT, attachment, crlf, multipart

WITH_PDF = multipart([TEXT, attachment("Plan.PDF", PDF, "application/pdf")])
WITH_EXE = multipart([TEXT, attachment("run.exe", EXE)])
ZIPPED = multipart([TEXT, attachment("a.zip", zip_of({"x/Plan.pdf": PDF}))])
PLAIN = crlf(f"{HEAD}\nHallo\n")
BASE64 = crlf(f"{HEAD}Content-Transfer-Encoding: base64\n\nVGhlIFNFQ1JFVCAgcGxhbgo=\n")
BOTH = multipart([TEXT, HTML], "alternative")

STRIP_PDF = 'action = "strip"\nnames = ["*.pdf"]'
ALLOW_EXE = 'action = "allow"\nnames = ["*.exe"]\nsenders = ["partner.example"]'


class Case(NamedTuple):
    """Rules in their order, a message, and what becomes of it and why."""

    rules: list[str]
    raw: bytes
    verdict: str
    reasons: list[str]
    shadow: tuple[str, ...] = ()
    sender: str = "alice@partner.example"


CASES = {
    "attachment by name, in any case": Case([STRIP_PDF], WITH_PDF, "strip", ["rule:r0"]),
    "attachment by name inside an archive": Case([STRIP_PDF], ZIPPED, "strip", ["rule:r0"]),
    "attachment by what it is": Case(
        ['action = "quarantine"\ntypes = ["application/pdf"]'], WITH_PDF, "quarantine", ["rule:r0"]
    ),
    "no such attachment": Case([STRIP_PDF], PLAIN, "pass", []),
    "attachment allowed before the built-in list": Case([ALLOW_EXE], WITH_EXE, "pass", []),
    "allowed to others only": Case([ALLOW_EXE], WITH_EXE, "strip", ["extension:exe"], sender="a@other.example"),
    "sender by domain": Case(['action = "block"\nsenders = ["partner.example"]'], PLAIN, "block", ["rule:r0"]),
    "sender by address": Case(['action = "block"\nsenders = ["alice@partner.example"]'], PLAIN, "block", ["rule:r0"]),
    "another address": Case(['action = "block"\nsenders = ["bob@partner.example"]'], PLAIN, "pass", []),
    "sender by group": Case(['action = "block"\nsenders = ["group:partners"]'], PLAIN, "block", ["rule:r0"]),
    "recipient by domain": Case(
        ['action = "quarantine"\nrecipients = ["example.org"]'], PLAIN, "quarantine", ["rule:r0"]
    ),
    "keyword in the subject, encoded": Case(
        ['action = "quarantine"\nsubject = ["unterlagen für"]'], PLAIN, "quarantine", ["rule:r0"]
    ),
    "keyword in the text, encoded": Case(
        ['action = "quarantine"\nbody = ["secret plan"]'], BASE64, "quarantine", ["rule:r0"]
    ),
    "keyword in HTML, between tags": Case(
        ['action = "quarantine"\nbody = ["hallo bob"]'], BOTH, "quarantine", ["rule:r0"]
    ),
    "only whole words": Case(['action = "quarantine"\nbody = ["ecre"]\n'], BASE64, "pass", []),
    "the first decides": Case(
        ['action = "allow"\nsenders = ["partner.example"]', 'action = "block"\nsubject = ["unterlagen"]'],
        PLAIN,
        "pass",
        [],
    ),
    "the first decides, the other way round": Case(
        ['action = "block"\nsubject = ["unterlagen"]', 'action = "allow"\nsenders = ["partner.example"]'],
        PLAIN,
        "block",
        ["rule:r0"],
    ),
    "every condition must hold": Case(
        ['action = "block"\nsubject = ["unterlagen"]\nsenders = ["other.example"]'], PLAIN, "pass", []
    ),
    "a shadow only reports": Case(
        ['action = "block"\nshadow = true\nsubject = ["unterlagen"]', STRIP_PDF],
        WITH_PDF,
        "strip",
        ["rule:r1"],
        ("rule:r0 block",),
    ),
}


def config(folder: Path, case: Case) -> Path:
    tables = [f'[[screener.rule]]\nname = "r{n}"\n{rule}\n' for n, rule in enumerate(case.rules)]
    return configured(folder, "".join(tables) + '[screener.groups]\npartners = ["partner.example"]\n')


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_rule_does_the_same_to_a_file_and_to_mail(tmp_path: Path, case: Case) -> None:
    folder = config(tmp_path, case)
    args = ("--json", "--json", "--envelope", case.sender, "bob@example.org", "-")
    told = json.loads(sluice("screen", *args, cwd=folder, given=case.raw).out)
    assert (told["verdict"], told["reasons"], told["shadow"]) == (case.verdict, case.reasons, list(case.shadow))

    envelope = Envelope(sender=case.sender, recipients=(Recipient("bob@example.org"),))
    item = Item(id="01K5Q0000000000000000000AA", envelope=envelope, origin=Origin.INBOUND, accepted_at=1.0)
    screener = Screener(Settings.of(load_from(folder / "sluice.toml", {}).config))
    sends = asyncio.run(screener(Message(item, case.raw)))
    verdicts = [send.message.item.verdict for send in sends]
    assert {(v.action.value, v.reasons, v.shadow) for v in verdicts if v} == {
        (case.verdict, tuple(case.reasons), case.shadow)
    }
    places = {"pass": [Place.DELIVER], "strip": [Place.QUARANTINE, Place.DELIVER]}
    assert [send.place for send in sends] == places.get(case.verdict, [Place.QUARANTINE])
