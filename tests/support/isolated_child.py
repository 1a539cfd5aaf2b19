"""The child of tests/unit/test_isolate.py: a handler that does what its first argument names."""

import asyncio
import ctypes
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from shared.broker.isolate import serve_one
from shared.broker.port import Slots
from shared.model import Handler, Message, Place, Send

POISON = b"Subject: poison\r\n\r\n"


async def pass_on(message: Message) -> Sequence[Send]:
    print("a line that must not end in the answer")
    os.write(1, b"nor this one, past Python's buffer\n")
    return [Send(Place.DELIVER, message), Send(Place.DEAD, Message(message.item, message.content[::-1]))]


async def finish(_: Message) -> Sequence[Send]:
    return []


async def fail(_: Message) -> Sequence[Send]:
    raise KeyError("no such part")


async def leave(_: Message) -> Sequence[Send]:
    os._exit(9)


async def leave_silently(_: Message) -> Sequence[Send]:
    os._exit(0)


async def crash(_: Message) -> Sequence[Send]:
    ctypes.string_at(0)
    return []


async def crash_on_poison(message: Message) -> Sequence[Send]:
    if message.content == POISON:
        ctypes.string_at(0)
    return [Send(Place.DELIVER, message)]


async def hang(_: Message) -> Sequence[Send]:
    grandchild = await asyncio.create_subprocess_exec("sleep", "600")
    await asyncio.to_thread(Path(sys.argv[2]).write_text, f"{os.getpid()} {grandchild.pid}")
    await asyncio.Event().wait()
    return []


def ask(slots: Slots, *, hang: bool) -> Handler:
    """Return a handler that asks for two slots, one after the other, and says what it got."""

    async def handle(message: Message) -> Sequence[Send]:
        found = [await slots.take("example.net", 1, lambda: None) for _ in range(2)]
        if hang:
            await asyncio.Event().wait()
        return [Send(Place.DELIVER, Message(message.item, b"%d" % sum(slot is not None for slot in found)))]

    return handle


def tell(settings: bytes) -> Handler:
    """Return a handler that sends the settings it was made from."""

    async def handle(message: Message) -> Sequence[Send]:
        return [Send(Place.DELIVER, Message(message.item, settings))]

    return handle


def made(settings: bytes, slots: Slots) -> Handler:
    """Return the handler that is named."""
    how = sys.argv[1]
    if how.startswith("ask"):
        return ask(slots, hang=how == "ask_and_hang")
    return tell(settings) if how == "tell" else HANDLERS[how]


HANDLERS: dict[str, Callable[[Message], Awaitable[Sequence[Send]]]] = {
    handler.__name__: handler
    for handler in (pass_on, finish, fail, leave, leave_silently, crash, crash_on_poison, hang)
}

if __name__ == "__main__":
    serve_one(made)
