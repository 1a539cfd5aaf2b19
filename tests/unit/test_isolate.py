"""A handler in a child process: its sends come back whole, and whatever kills it kills nothing else."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from shared.broker.isolate import IsolationError, in_child
from shared.broker.local_slots import LocalSlots
from shared.model import Message, Place, Send
from tests.contract.harness import PATIENCE, until
from tests.support.losing_slots import LosingSlots
from tests.support.messages import make_item, make_message


def child(*arguments: str) -> list[str]:
    """Return the command line of a child that handles as `arguments` say."""
    return [sys.executable, "-m", "tests.support.isolated_child", *arguments]


@pytest.mark.parametrize("content", [b"", b"Subject: x\r\n\r\nHello\r\n", bytes(range(256)) * 20_000])
async def test_sends_come_back_whole(content: bytes) -> None:
    """Byte for byte, also beyond what a pipe holds, and whatever the handler prints."""
    message = make_message(content=content)
    assert await in_child(child("pass_on"), message) == [
        Send(Place.DELIVER, message),
        Send(Place.DEAD, Message(message.item, content[::-1])),
    ]


@pytest.mark.parametrize("settings", [b"", b"\n{}\0", bytes(range(256)) * 4_000])
async def test_settings_reach_the_handler_whole(settings: bytes) -> None:
    """On standard input, where no process list shows them, and of any length."""
    message = make_message(content=b"Subject: x\r\n\r\n")
    sends = await in_child(child("tell"), message, settings)
    assert sends == [Send(Place.DELIVER, Message(message.item, settings))]


async def test_finished_is_no_sends() -> None:
    """`[]` is a result, not a failure."""
    assert await in_child(child("finish"), make_message()) == []


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("fail", "KeyError: 'no such part'"),
        ("leave", "exited with status 9"),
        ("leave_silently", "gave no answer"),
        ("crash", "killed by signal 11"),
    ],
)
async def test_anything_else_is_an_error_that_says_what_happened(how: str, said: str) -> None:
    """The worker counts it and it stands in the item's history."""
    with pytest.raises(IsolationError, match=said):
        await in_child(child(how), make_message(content=b"x" * 3_000_000))


async def test_a_child_that_dies_unread_does_not_hang_its_parent() -> None:
    """It never reads what the parent writes."""
    with pytest.raises(IsolationError, match="exited with status 3"):
        await in_child([sys.executable, "-c", "raise SystemExit(3)"], make_message(content=b"x" * 5_000_000))


async def test_cancelled_kills_the_child_and_what_it_started(tmp_path: Path) -> None:
    """A timeout leaves nothing behind that goes on working."""
    noted = tmp_path / "pids"
    handling = asyncio.create_task(in_child(child("hang", str(noted)), make_message(make_item())))
    await until(lambda: noted.exists() and len(noted.read_text().split()) == 2, "the child hangs")
    pids = [int(pid) for pid in noted.read_text().split()]
    assert all(is_running(pid) for pid in pids)
    handling.cancel()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(asyncio.CancelledError):
            await handling
    await until(lambda: not any(is_running(pid) for pid in pids), "both are gone")


async def test_slots_are_the_parents_until_the_child_has_ended() -> None:
    """Its site is asked for in the parent's name, and is free again whatever became of the child."""
    slots, message = LocalSlots(), make_message()
    for taken, got in ((None, b"0"), (slots, b"1"), (slots, b"1")):
        (send,) = await in_child(child("ask"), message, slots=taken)
        assert send.message.content == got
    other = await slots.take("example.net", 1, lambda: None)
    assert other is not None
    (send,) = await in_child(child("ask"), message, slots=slots)
    assert send.message.content == b"0"


async def test_a_child_whose_slot_is_lost_is_killed() -> None:
    """Others may connect in its place in a moment."""
    slots = LosingSlots()
    handling = asyncio.create_task(in_child(child("ask_and_hang"), make_message(), slots=slots))
    await until(lambda: slots.lose is not None, "the child has a slot")
    assert slots.lose is not None
    slots.lose()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(IsolationError, match="connection to the broker"):
            await handling
    assert await slots.take("example.net", 1, lambda: None) is not None


def is_running(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
