"""`sluice queue list|show|flush|hold|resume|bounce` on the embedded broker."""

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.cli import waiting
from shared.broker.sqlite import open_broker, open_operator
from shared.broker.waiting import LATER, made_due
from shared.config.load import load
from shared.errors import SluiceError
from shared.ids import new_id
from shared.model import Attempt, Item, Message, Origin, Place, Send
from tests.support.cli import configured, sluice
from tests.support.delivery_world import message
from tests.support.messages import to

LATER_ANSWER = Attempt(at=1.0, stage="deliver", text="450 4.2.0 \x1b[31mlater", host="mx.example.net")


def waits(recipient: str = "bob@example.net", **changes: object) -> Message:
    """Return a message that was tried twice, and has two hours to wait."""
    made = message(recipient, id=new_id(time.time()), accepted_at=time.time() - 60, attempt=2, history=(LATER_ANSWER,))
    item = msgspec.structs.replace(made.item, **({"not_before": time.time() + 7200} | changes))
    return Message(item, made.content)


def store(folder: Path, *messages: Message, place: Place = Place.REDELIVER) -> None:
    """Put messages into the folder's queue file."""

    async def run() -> None:
        broker = await open_broker(folder / "queue.db")
        await broker.publish([to(place, each) for each in messages])
        await broker.close()

    asyncio.run(run())


def kept(folder: Path, *queues: str) -> list[Item]:
    """Return what is in queues."""

    async def run() -> list[Item]:
        operator = await open_operator(folder / "queue.db")
        found = [each.message.item async for each in operator.kept(queues or LATER) if each.message]
        await operator.close()
        return found

    return asyncio.run(run())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return configured(tmp_path)


def test_list_and_show(folder: Path) -> None:
    one, two = waits(), waits("eve@example.org", not_before=None, attempt=0, history=())
    store(folder, one, two)
    listed = sluice("queue", "list", cwd=folder).out
    assert one.item.id in listed
    assert two.item.id in listed
    assert "mx.example.net: 450 4.2.0" in listed
    assert "\x1b" not in listed
    only = sluice("queue", "list", "example.org", "--json", cwd=folder).out.splitlines()
    assert [json.loads(line)["id"] for line in only] == [two.item.id]
    shown = sluice("queue", "show", one.item.id, cwd=folder).out
    for said in ("bob@example.net", "tries", "450 4.2.0", "Subject: test"):
        assert said in shown
    assert sluice("queue", "show", one.item.id, "--raw", cwd=folder).out.encode() == one.content
    missing = sluice("queue", "show", new_id(1.0), cwd=folder)
    assert (missing.status, "nor parked" in missing.err) == (1, True)


def test_flush_by_domain_and_as_a_whole(folder: Path) -> None:
    store(folder, waits(), waits(), waits("eve@example.org"), waits("joe@sub.example.org"))
    done = sluice("queue", "flush", "Example.NET", ".example.org", cwd=folder)
    assert done.out.split() == ["domain", "made", "due", "example.net", "2", "sub.example.org", "1", "total", "3"]
    assert done.err == ""
    assert sluice("queue", "flush", cwd=folder).out.split()[-5:] == ["due", "example.org", "1", "total", "1"]
    assert sluice("queue", "flush", cwd=folder).out.split()[-2:] == ["total", "0"]
    assert {item.not_before for item in kept(folder)} == {None}


def test_a_job_shows_how_far_it_is(folder: Path) -> None:
    """On the terminal of standard error; what has been done stands on standard output at its end."""
    store(folder, *(waits() for _ in range(40)))
    master, terminal = os.openpty()
    try:
        done = sluice("queue", "flush", cwd=folder, terminal=terminal, TERM="xterm")
    finally:
        os.close(terminal)
    shown = b""
    with os.fdopen(master, "rb", buffering=0) as screen, suppress(OSError):  # which is how a terminal ends
        while True:
            shown += screen.read(4096)
    assert "━" in shown.decode()
    assert b"40/40" in shown
    assert done.out.split()[-2:] == ["total", "40"]
    assert "━" not in done.out


def test_hold_and_resume(folder: Path) -> None:
    one, two = waits(), waits()
    store(folder, one, two)
    assert sluice("queue", "hold", one.item.id, cwd=folder).out.split()[-2:] == ["total", "1"]
    assert sluice("queue", "flush", cwd=folder).out.split()[-2:] == ["total", "1"]
    assert "held" in sluice("queue", "list", one.item.id, cwd=folder).out
    assert sluice("queue", "resume", cwd=folder).out.split()[-2:] == ["total", "1"]
    assert {item.not_before for item in kept(folder)} == {None}


def test_bounce_tells_the_sender_what_the_operator_says(folder: Path) -> None:
    store(folder, waits(), waits("eve@example.net", not_before=None), place=Place.DELIVER)
    store(folder, waits("joe@example.com"), waits(origin=Origin.INBOUND))
    done = sluice("queue", "bounce", "example.net", "--reason", "the domain is gone", "--yes", cwd=folder)
    assert done.out.split()[-4:] == ["example.net", "3", "total", "3"]
    assert sluice("queue", "bounce", "example.net", "--yes", cwd=folder).out.split()[-1] == "0"
    left = kept(folder)
    reports = [item for item in left if item.origin is Origin.GENERATED]
    assert [item.envelope.recipients[0].address for item in reports] == ["a@example.org"] * 2
    assert [item.destination for item in left if item not in reports] == ["example.com"]
    text = sluice("queue", "show", reports[0].id, "--raw", cwd=folder).out
    assert "554 5.3.0 given up by the operator: the domain is gone" in text
    assert "have ended the attempts" in text
    (stranger,) = sluice("quarantine", "list", "--json", cwd=folder).out.splitlines()
    assert "the domain is gone" in json.loads(stranger)["item"]["reason"]


PARKED: dict[str, Any] = {
    "not_before": None,
    "reason": "failed 10 times",
    "failures": 10,
    "lost": 3,
    "delay_reported": True,
}


def test_what_is_parked_goes_on_if_it_is_named(folder: Path) -> None:
    """To its stage, as if nothing had happened; neither a domain nor everything means it."""
    one, two, three = waits(**PARKED), waits(**PARKED, verdict=None), waits(**PARKED)
    store(folder, one, two, three, place=Place.DEAD)
    for command in (["resume"], ["resume", "example.net"], ["bounce", "--yes", "example.net"], ["hold", one.item.id]):
        assert sluice("queue", *command, cwd=folder).out.split()[-1] == "0"
    assert "failed 10 times" in sluice("queue", "show", one.item.id, cwd=folder).out
    began = time.time()
    assert sluice("queue", "resume", one.item.id, two.item.id, cwd=folder).out.split()[-1] == "2"
    places = ((one, Place.REDELIVER), (two, Place.SCREEN))
    for before, place in places:
        (item,) = kept(folder, place)
        assert item.id == before.item.id
        assert (item.failures, item.lost, item.reason, item.delay_reported) == (0, 0, None, False)
        assert (item.released_at > began, item.history) == (True, before.item.history)
    assert [item.id for item in kept(folder, Place.DEAD)] == [three.item.id]


def test_what_is_parked_is_given_up_if_it_is_named(folder: Path) -> None:
    one = waits(**PARKED)
    store(folder, one, place=Place.DEAD)
    assert sluice("queue", "bounce", one.item.id, "--yes", cwd=folder).out.split()[-1] == "1"
    (report,) = kept(folder)
    assert (report.origin, report.envelope.recipients[0].address) == (Origin.GENERATED, "a@example.org")
    assert kept(folder, Place.DEAD) == []


def test_nothing_is_held_or_given_up_unless_it_is_named(folder: Path) -> None:
    store(folder, waits())
    for command in ("hold", "bounce"):
        assert sluice("queue", command, cwd=folder).status == 2
    assert sluice("queue", "flush", "not a domain", cwd=folder).status == 2
    assert len(kept(folder)) == 1


def test_an_interrupted_job_says_so_and_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The signal of Ctrl-C in the middle: what was begun is finished and counted, the rest waits as before."""
    monkeypatch.chdir(folder)
    store(folder, *(waits() for _ in range(40)))
    began = time.time()
    seen = Counter[str]()

    def follows(each: Message) -> Sequence[Send] | None:
        seen["messages"] += 1
        if seen["messages"] == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return made_due(each, began)

    with pytest.raises(SluiceError, match="run it again to go on"):
        waiting._change(load(folder / "sluice.toml", {}), waiting.Targets((), ()), "made due", waiting.Job(follows))
    done = int(capsys.readouterr().out.split()[-1])
    assert 20 <= done < 40
    assert sum(item.not_before is None for item in kept(folder)) == done
    assert sluice("queue", "flush", cwd=folder).out.split()[-1] == str(40 - done)
    assert len({item.id for item in kept(folder)}) == len(kept(folder)) == 40
