"""The command line: usage, users, screening, queues, quarantine on the embedded broker."""

import asyncio
import getpass
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from shared.broker import sqlite
from shared.model import (
    Action,
    Attempt,
    Client,
    Envelope,
    Item,
    Message,
    Origin,
    PartReport,
    Place,
    Recipient,
    Send,
    Verdict,
)
from tests.support.cli import Done, configured, sluice
from tests.support.processes import ROOT

COMMANDS = [
    *(["up"], ["ingress"], ["screener"], ["delivery"], ["demo"], ["check"], ["screen"], ["tls-report"]),
    *(["user", "add"], ["user", "remove"], ["user", "list"], ["queue", "status"], ["queue", "rescreen"]),
    *(["queue", command] for command in ("list", "show", "flush", "hold", "resume", "bounce")),
    *(["quarantine", command] for command in ("list", "show", "release", "delete", "reindex")),
    *(["broker", "apply"], ["broker", "check"]),
]

CONTENT = b"From: a@elsewhere.example\r\nSubject: \x1b[31mred\r\n\r\nBody\r\n"


def test_every_command_has_help_with_an_example_and_takes_config() -> None:
    """One process renders the help of every command, since starting sixteen would take sixteen times as long."""
    program = (
        "import sys, services.cli.app as cli\n"
        f"for command in {COMMANDS!r}:\n"
        "    print('==', *command)\n"
        "    cli.app([*command, '--help'], standalone_mode=False, prog_name='sluice')\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=ROOT, check=True, text=True).stdout
    parts = shown.split("== ")[1:]
    assert len(parts) == len(COMMANDS)
    for command, text in zip(COMMANDS, parts, strict=True):
        assert f"sluice {' '.join(command)}" in text
        assert "Example" in text or command == ["user", "list"]
        assert "--config" in text or command == ["demo"]
        assert "\x1b" not in text


def test_version(tmp_path: Path) -> None:
    assert sluice("--version", cwd=tmp_path) == Done(0, "sluice 0.1.0\n", "")


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["relay"], "sluice: No such command 'relay'; see: sluice --help\n"),
        (["user", "ad"], "sluice: No such command 'ad'"),
        (["check", "--confg", "x"], "sluice: No such option: --confg"),
        (["screen"], "sluice: Missing argument 'FILE...|-'; see: sluice --help\n"),
        (["screen", "absent.eml"], "sluice: absent.eml: cannot read it: No such file or directory\n"),
        (["user", "list"], "sluice: auth.users_file: not set: name a file"),
        (["check", "--config", "absent.toml"], "sluice: absent.toml: cannot read it: No such file or directory;"),
        (["broker", "check"], "sluice: broker: the embedded broker needs no administration"),
        (["queue", "status"], "sluice: sluice.db: no such queue file"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(tmp_path: Path, args: list[str], line: str) -> None:
    done = sluice(*args, cwd=tmp_path)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(line)
    assert done.err.count("\n") == 1


def test_no_command_shows_the_help(tmp_path: Path) -> None:
    done = sluice(cwd=tmp_path)
    assert done.status == 2
    assert "Usage: sluice" in done.out + done.err


def test_users(tmp_path: Path) -> None:
    """Add, change, list, remove; the password comes from standard input and is never shown."""
    configured(tmp_path, '[auth]\nusers_file = "users"\n')
    added = sluice("user", "add", "Bob@example.org", "--password-stdin", cwd=tmp_path, given=b"hush hush\n")
    assert added == Done(0, "Bob@example.org: added\n", "")
    changed = sluice("user", "add", "bob@example.org", "--password-stdin", cwd=tmp_path, given=b"other\n")
    assert changed.out == "bob@example.org: password changed\n"
    assert "hush" not in (tmp_path / "users").read_text()
    with (tmp_path / "users").open("a") as file:
        file.write("old:$argon2id$from-before-there-was-scram\n")
    assert sluice("user", "list", cwd=tmp_path).out == "bob@example.org\nold  (no SCRAM keys)\n"
    assert sluice("user", "remove", "BOB@example.org", cwd=tmp_path).status == 0
    again = sluice("user", "remove", "bob@example.org", cwd=tmp_path)
    assert again.status == 1
    assert again.err.endswith("users; see: sluice user list\n")


@pytest.mark.parametrize(
    ("args", "given", "line"),
    [
        (["x@example.org"], b"", "sluice: no terminal to ask for the password: give it on standard input"),
        (["x@example.org", "--password-stdin"], b"", 'sluice: user "x@example.org": the password is empty; give one'),
        (["a b", "--password-stdin"], b"p\n", 'sluice: user "a b": a name has up to 255 characters'),
    ],
)
def test_users_that_cannot_be_added(tmp_path: Path, args: list[str], given: bytes, line: str) -> None:
    configured(tmp_path, '[auth]\nusers_file = "users"\n')
    done = sluice("user", "add", *args, cwd=tmp_path, given=given)
    assert done.status == 1
    assert done.err.startswith(line)
    assert not (tmp_path / "users").exists()


PROGRAM = (
    b"From: a@elsewhere.example\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
    b'Content-Disposition: attachment; filename="run.exe"\r\n\r\nMZ\r\n'
)
PLAIN = b"From: a@elsewhere.example\r\nSubject: x\r\n\r\nHello\r\n"


def test_screen(tmp_path: Path) -> None:
    """JSON lines in the order of the files, standard input as -, --out what goes on, status 0 whatever the verdict."""
    configured(tmp_path)
    (tmp_path / "program.eml").write_bytes(PROGRAM)
    done = sluice("screen", "--json", "program.eml", "-", cwd=tmp_path, given=PLAIN)
    first, second = [json.loads(line) for line in done.out.splitlines()]
    assert (done.status, done.err) == (0, "")
    assert (first["file"], first["verdict"], second["file"], second["verdict"]) == ("program.eml", "strip", "-", "pass")
    assert second["sha256_in"] == second["sha256_out"]
    outbound = sluice("screen", "--direction", "outbound", "--out", "out.eml", "program.eml", cwd=tmp_path)
    assert outbound.status == 0
    assert "block" in outbound.out
    assert outbound.err == "sluice: --out: out.eml not written: nothing of the message goes on (block)\n"
    assert not (tmp_path / "out.eml").exists()
    assert sluice("screen", "--out", "out.eml", "-", cwd=tmp_path, given=PLAIN).status == 0
    assert (tmp_path / "out.eml").read_bytes() == PLAIN
    (tmp_path / "rules.toml").write_text(
        '[[screener.rule]]\nname = "try"\naction = "block"\nsenders = ["a@elsewhere.example"]\nshadow = true\n'
    )
    tried = sluice(
        "screen", "--config", "rules.toml", "--envelope", "a@Elsewhere.example", "", "-", cwd=tmp_path, given=PLAIN
    )
    assert "rule:try block" in tried.out
    assert "rule:try" not in sluice("screen", "--config", "rules.toml", "-", cwd=tmp_path, given=PLAIN).out
    unclosed = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nHello\r\n"
    told = json.loads(sluice("screen", "--json", "--json", "-", cwd=tmp_path, given=unclosed).out)
    assert (told["verdict"], told["reasons"], told["remarks"]) == ("pass", [], ["mime:no-closing-delimiter"])
    assert "mime:no-closing-delimiter" in sluice("screen", "-", cwd=tmp_path, given=unclosed).out
    wrong = sluice("screen", "--envelope", "", "nobody", "-", cwd=tmp_path, given=PLAIN)
    assert (wrong.status, wrong.err.partition(" is not")[0]) == (2, 'sluice: --envelope: "nobody"')
    two = sluice("screen", "--out", "out.eml", "program.eml", "-", cwd=tmp_path, given=PLAIN)
    assert (two.status, two.err) == (2, "sluice: --out: takes what becomes of one message: name one file\n")


def item(number: int) -> Item:
    part = PartReport("1", ("run\x1b.exe",), "text/plain", "application/x-msdownload", 2, "quarantine", "extension:exe")
    return Item(
        id=f"01KATEST{number:018d}",
        envelope=Envelope("a@elsewhere.example", (Recipient("b@example.org"), Recipient("c@example.org"))),
        origin=Origin.INBOUND,
        client=Client("192.0.2.1"),
        accepted_at=1_795_000_000.0,
        verdict=Verdict(Action.QUARANTINE, 1_795_000_001.0, ("extension:exe",), parts=(part,)),
        reason="extension:exe",
    )


async def fill(folder: Path, days_ago: float = 0) -> None:
    then = time.time() - days_ago * 86400
    broker = await sqlite.open_broker(folder / "queue.db", sqlite.Options(clock=lambda: then))
    kept = [Send(Place.QUARANTINE, Message(item(number), CONTENT)) for number in range(3)]
    await broker.publish([*kept, Send(Place.SCREEN, Message(item(9), CONTENT))])
    await broker.close()


def test_quarantine_and_queue_status(tmp_path: Path) -> None:
    """List, show, release and delete by id; what a stranger wrote never reaches the terminal as a command."""
    configured(tmp_path)
    asyncio.run(fill(tmp_path))
    ids = [item(number).id for number in range(3)]
    listed = sluice("quarantine", "list", cwd=tmp_path)
    assert [line.split()[0] for line in listed.out.splitlines()] == ["id", *ids]
    assert "b@example.org +1" in listed.out
    assert "2026-11-18 11:06:40Z" in listed.out
    lines = [json.loads(line) for line in sluice("quarantine", "list", "--json", cwd=tmp_path).out.splitlines()]
    assert [line["id"] for line in lines] == ids
    assert lines[0]["expires_at"] == lines[0]["kept_at"] + 30 * 86400
    (facts,) = [
        json.loads(line) for line in sluice("quarantine", "show", ids[0], "--json", cwd=tmp_path).out.splitlines()
    ]
    assert facts == lines[0]
    assert facts["item"]["verdict"]["parts"][0]["rule"] == "extension:exe"
    assert facts["item"]["envelope"]["recipients"][1]["address"] == "c@example.org"
    assert sluice("quarantine", "reindex", cwd=tmp_path).out.startswith("3 kept, 0 added")
    shown = sluice("quarantine", "show", ids[0], cwd=tmp_path).out
    for text in ("192.0.2.1", "b@example.org, c@example.org", "extension:exe", "Subject: ", "run\ufffd.exe"):
        assert text in shown
    assert "\x1b" not in shown
    assert sluice("quarantine", "show", ids[0], "--raw", cwd=tmp_path).out.encode() == CONTENT
    released = sluice("quarantine", "release", ids[0], "--by", "ann", cwd=tmp_path)
    assert released == Done(0, f"{ids[0]}: released\n", "")
    deleted = sluice("quarantine", "delete", ids[1], ids[0], cwd=tmp_path)
    assert (deleted.status, deleted.out) == (1, f"{ids[1]}: deleted\n")
    assert deleted.err == f"sluice: {ids[0]}: not in quarantine; see: sluice quarantine list\n"
    audit = [line.split() for line in sluice("quarantine", "audit", cwd=tmp_path).out.splitlines()]
    assert audit[0][:6] == ["at", "by", "did", "id", "from", "to"]
    assert [line[2:5] for line in audit[1:]] == [["ann", "released", ids[0]], [getpass.getuser(), "deleted", ids[1]]]
    told = [json.loads(line) for line in sluice("quarantine", "audit", "--json", cwd=tmp_path).out.splitlines()]
    assert [each["decided"] for each in told] == ["released", "deleted"]
    assert told[1]["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    status = sluice("queue", "status", cwd=tmp_path).out
    rows = {line.split()[0]: line.split()[1:] for line in status.splitlines()[2:]}
    assert rows["mail.redeliver"][0] == rows["mail.screen"][0] == "1"
    assert rows["total"] == ["3", "0", "0"]
    assert "mail.dead" not in rows
    assert "mail.dead" in sluice("queue", "status", "--all", cwd=tmp_path).out
    assert sluice("queue", "rescreen", cwd=tmp_path).out.split() == ["queue", "sent", "back", "total", "0"]


def test_what_is_parked_is_shown_with_its_evidence(tmp_path: Path) -> None:
    """On the embedded broker there is no other way to see it; what does not decode is there as well."""
    configured(tmp_path)
    text = "IsolationError: child process was killed by signal 11\x1b"
    poison = msgspec.structs.replace(item(1).tried(Attempt(at=1.0, stage="screen", text=text)), reason=f"last: {text}")

    async def park() -> None:
        broker = await sqlite.open_broker(tmp_path / "queue.db")
        await broker.publish([Send(Place.DEAD, Message(poison, CONTENT))])
        await broker.park(b"not ours", "no line feed")
        await broker.close()

    asyncio.run(park())
    one, two = [json.loads(line) for line in sluice("queue", "parked", "--json", cwd=tmp_path).out.splitlines()]
    assert (one["id"], one["octets"], one["item"]["history"][0]["text"]) == (poison.id, len(CONTENT), text)
    assert two == {"id": None, "octets": 8, "reason": "no line feed", "item": None}
    shown = sluice("queue", "parked", cwd=tmp_path).out
    for part in (poison.id, "b@example.org +1", "last: IsolationError", "no line feed"):
        assert part in shown
    assert "\x1b" not in shown
    assert sluice("queue", "status", cwd=tmp_path).out.count("mail.dead") == 1


def test_no_command_forgets_mail_before_its_time(tmp_path: Path) -> None:
    """Whoever opens the queue file purges what has expired: by the configuration, not by the default of 30 days."""
    configured(tmp_path, '[quarantine]\nretention = "90d"\n')
    asyncio.run(fill(tmp_path, days_ago=45))
    assert sluice("queue", "status", cwd=tmp_path).status == 0
    assert len(sluice("quarantine", "list", "--json", cwd=tmp_path).out.splitlines()) == 3


@pytest.mark.parametrize(
    ("args", "library", "extra"),
    [
        (["ingress"], "argon2", "ingress"),
        (["screener"], "pybase64", "screener"),
        (["delivery"], "aiosmtplib", "delivery"),
        (["up"], "aiosmtplib", "all"),
        (["user", "list"], "argon2", "ingress"),
        (["screen", "-"], "pybase64", "screener"),
        (["queue", "status"], "aiormq", "rabbitmq"),
    ],
)
def test_a_missing_library_names_its_extra(tmp_path: Path, args: list[str], library: str, extra: str) -> None:
    """An image for one service has the whole command line, and says what it lacks."""
    configured(tmp_path, '[auth]\nusers_file = "users"\n')
    program = f"import sys; sys.modules[{library!r}] = None; from services.cli import main; sys.exit(main())"
    broker = {"SLUICE_BROKER": "amqp://127.0.0.1:1/"} if library == "aiormq" else {}
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **broker},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    wanted = f'sluice: this installation has no "{library}": install the extra with: pip install "mailsluice[{extra}]"'
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, wanted)


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    configured(tmp_path)
    asyncio.run(fill(tmp_path))
    command = f"{sys.executable} -m services.cli quarantine show {item(0).id} --raw | true"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=False
    )
    assert done.stderr == b""
