"""Handling one message alone in a child process, because it may be what kills workers (DESIGN section 5).

The parent writes settings and the message's wire body to the child's standard input and closes it (settings may hold
secrets, and everybody can read a command line); the child writes one msgpack answer to its standard output and exits
0. Whatever else happens to the child is an IsolationError: a failure of the handler like any other, which the worker
loop counts.
"""

import asyncio
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence

import msgspec

from shared import wire
from shared.errors import SluiceError
from shared.model import Handler, Message, Place, Send

_LENGTH = 4
"""Octets of the number, in network order, that says how long the settings are."""


class IsolationError(SluiceError):
    """The child process gave no sends: it crashed, was killed, or its handler failed."""


class _Answer(msgspec.Struct, frozen=True):
    sends: tuple[tuple[Place, bytes], ...] = ()
    """The place and the wire body of each."""
    error: str | None = None
    """The handler's exception, in one line."""


async def in_child(argv: Sequence[str], message: Message, settings: bytes = b"") -> Sequence[Send]:
    """Run `argv`, whose main calls `serve_one`, for one message; return its sends. Raise IsolationError.

    `settings` are octets that parent and child agree on, handed to the child's handler factory.
    The child is a session of its own, and all of it is killed if the caller is cancelled.
    """
    child = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        output, _ = await child.communicate(b"".join((len(settings).to_bytes(_LENGTH), settings, wire.encode(message))))
    finally:
        if child.returncode != 0:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # and whatever a crashed child has left behind
            await child.wait()
    if child.returncode != 0:
        raise IsolationError(f"child process {_ended(child.returncode or 0)} while handling the message")
    try:
        answer = msgspec.msgpack.decode(output, type=_Answer)
    except msgspec.MsgspecError as error:
        raise IsolationError(f"child process gave no answer: {error}") from error
    if answer.error is not None:
        raise IsolationError(answer.error)
    return [Send(place, wire.decode(body)) for place, body in answer.sends]


def serve_one(handler_factory: Callable[[bytes], Handler]) -> None:
    """Be the child: handle the message on standard input, answer on standard output.

    `handler_factory` is called with the settings, inside the event loop. Anything that prints goes to standard error.
    """
    answer_to = os.dup(1)
    os.dup2(2, 1)
    settings = sys.stdin.buffer.read(int.from_bytes(sys.stdin.buffer.read(_LENGTH)))
    message = wire.decode(sys.stdin.buffer.read())

    async def run() -> _Answer:
        try:
            sends = await handler_factory(settings)(message)
        except Exception as error:  # noqa: BLE001  (it travels to the parent, which counts it)
            traceback.print_exc()
            return _Answer(error=f"{type(error).__name__}: {error}".removesuffix(": "))
        return _Answer(tuple((send.place, wire.encode(send.message)) for send in sends))

    with os.fdopen(answer_to, "wb") as stream:
        stream.write(msgspec.msgpack.encode(asyncio.run(run())))


def _ended(returncode: int) -> str:
    """Return how a process ended, in words: `returncode` as subprocess gives it, negative for a signal."""
    if returncode < 0:
        return f"was killed by signal {-returncode} ({signal.strsignal(-returncode)})"
    return f"exited with status {returncode}"
