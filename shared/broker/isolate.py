"""Handling one message alone in a child process, because it may be what kills workers (DESIGN section 5).

The parent writes settings and the message's wire body to the child's standard input (settings may hold secrets, and
everybody can read a command line); the child writes one answer to its standard output and exits 0. Before that it may
ask for slots, which the parent takes and keeps until the child, and with it all of its connections, has ended.
Whatever else happens to the child is an IsolationError: a failure of the handler like any other, which the worker loop
counts.
"""

import asyncio
import contextlib
import os
import signal
import sys
import threading
import traceback
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from typing import BinaryIO

import msgspec

from shared import wire
from shared.broker.port import Slot, Slots
from shared.errors import SluiceError
from shared.model import Handler, Message, Place, Send

_LENGTH = 4
"""Octets of the number, in network order, before whatever is written: how long that is."""
_YES, _NO = b"\1", b"\0"


class IsolationError(SluiceError):
    """The child process gave no sends: it crashed, was killed, or its handler failed."""


class _Ask(msgspec.Struct, frozen=True, tag=True):
    """What the child asks: whether it may connect."""

    site: str
    limit: int


class _Answer(msgspec.Struct, frozen=True, tag=True):
    sends: tuple[tuple[Place, bytes], ...] = ()
    """The place and the wire body of each."""
    error: str | None = None
    """The handler's exception, in one line."""


_said = msgspec.msgpack.Decoder(_Ask | _Answer)


async def in_child(
    argv: Sequence[str], message: Message, settings: bytes = b"", slots: Slots | None = None
) -> Sequence[Send]:
    """Run `argv`, whose main calls `serve_one`, for one message; return its sends. Raise IsolationError.

    `settings` are octets that parent and child agree on, handed to the child's handler factory; `slots` are those that
    the child gets of, none without it.
    The child is a session of its own, and all of it is killed if the caller is cancelled, or a slot of its is lost.
    """
    child = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    held = _Held(child, slots)
    try:
        answer = await _converse(child, _framed(settings) + _framed(wire.encode(message)), held)
        await child.wait()
    finally:
        if child.returncode != 0:
            _kill(child)  # and whatever a crashed child has left behind
            await child.wait()
        await held.release()
    if held.lost:
        raise IsolationError("interrupted: the connection to the broker, which keeps its place, was lost")
    if child.returncode != 0:
        raise IsolationError(f"child process {_ended(child.returncode or 0)} while handling the message")
    if answer is None:
        raise IsolationError("child process gave no answer")
    if answer.error is not None:
        raise IsolationError(answer.error)
    return [Send(place, wire.decode(body)) for place, body in answer.sends]


class _Held:
    """The slots that are taken for a child."""

    def __init__(self, child: Process, slots: Slots | None) -> None:
        self.lost = False
        self._child = child
        self._slots = slots
        self._held: list[Slot] = []

    async def take(self, ask: _Ask) -> bool:
        slot = None if self._slots is None else await self._slots.take(ask.site, ask.limit, self._lose)
        if slot is not None:
            self._held.append(slot)
        return slot is not None

    async def release(self) -> None:
        for slot in self._held:
            await slot.release()

    def _lose(self) -> None:
        self.lost = True
        _kill(self._child)


async def _converse(child: Process, octets: bytes, held: _Held) -> _Answer | None:
    """Hand the child its work and answer what it asks; return its answer, or None if it ends without one."""
    to_child, from_child = child.stdin, child.stdout
    if to_child is None or from_child is None:
        raise TypeError("a child without pipes")
    try:
        while True:
            with contextlib.suppress(ConnectionError):  # it has ended, which reading tells
                to_child.write(octets)
                await to_child.drain()
            length = int.from_bytes(await from_child.readexactly(_LENGTH))
            said = _said.decode(await from_child.readexactly(length))
            if isinstance(said, _Answer):
                return said
            octets = _YES if await held.take(said) else _NO
    except (asyncio.IncompleteReadError, msgspec.MsgspecError):
        return None


def _kill(child: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _framed(octets: bytes) -> bytes:
    return len(octets).to_bytes(_LENGTH) + octets


def serve_one(handler_factory: Callable[[bytes, Slots], Handler]) -> None:
    """Be the child: handle the message on standard input, answer on standard output.

    `handler_factory` is called with the settings and the parent's slots, inside the event loop. Anything that prints
    goes to standard error.
    """
    answer_to = os.dup(1)
    os.dup2(2, 1)
    source = sys.stdin.buffer
    settings = source.read(int.from_bytes(source.read(_LENGTH)))
    message = wire.decode(source.read(int.from_bytes(source.read(_LENGTH))))

    async def run(slots: Slots) -> _Answer:
        try:
            sends = await handler_factory(settings, slots)(message)
        except Exception as error:  # noqa: BLE001  (it travels to the parent, which counts it)
            traceback.print_exc()
            return _Answer(error=f"{type(error).__name__}: {error}".removesuffix(": "))
        return _Answer(tuple((send.place, wire.encode(send.message)) for send in sends))

    with os.fdopen(answer_to, "wb") as stream:
        stream.write(_framed(msgspec.msgpack.encode(asyncio.run(run(_AskedSlots(source, stream))))))


class _AskedSlots:
    """The parent's slots, asked for by its child."""

    def __init__(self, replies: BinaryIO, questions: BinaryIO) -> None:
        self._replies = replies
        self._questions = questions
        self._one = threading.Lock()

    async def take(self, site: str, limit: int, on_loss: Callable[[], None]) -> "_AskedSlot | None":  # noqa: ARG002  (the parent kills us)
        """Return a slot, or None if the parent gets none."""
        return _AskedSlot() if await asyncio.to_thread(self._ask, _Ask(site, limit)) else None

    def _ask(self, ask: _Ask) -> bool:
        with self._one:
            self._questions.write(_framed(msgspec.msgpack.encode(ask)))
            self._questions.flush()
            return self._replies.read(len(_YES)) == _YES


class _AskedSlot:
    """One that the parent holds for this process."""

    async def release(self) -> None:
        """Do nothing: it is free when this process has ended."""


def _ended(returncode: int) -> str:
    """Return how a process ended, in words: `returncode` as subprocess gives it, negative for a signal."""
    if returncode < 0:
        return f"was killed by signal {-returncode} ({signal.strsignal(-returncode)})"
    return f"exited with status {returncode}"
