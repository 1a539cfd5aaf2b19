r"""What a broker message's body holds: one line of JSON (the item), LF, then the content byte for byte.

The line is `{"v":1,"item":{...}}`. Every version ever shipped still decodes (tests/golden); unknown newer
fields of a known version are ignored. The line is JSON so that "Get messages" shows people what is queued,
and in the body because an AMQP content header must fit one frame.
"""

import asyncio

import msgspec

from shared.errors import WireError
from shared.model import Item, Message

VERSION = 1
LARGE = 1024 * 1024
"""Octets worth a thread: from this size on, bytes.join lets other threads run meanwhile."""


class _Line(msgspec.Struct):
    v: int
    item: msgspec.Raw


_encode = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_item = msgspec.json.Decoder(Item).decode


def encode(message: Message) -> bytes:
    """Return the body for `message`; `decode` gives back an equal message."""
    return b"".join((b'{"v":1,"item":', _encode(message.item), b"}\n", message.content))


async def encoded(message: Message) -> bytes:
    """Do the same for an event loop with others to serve: a large body is put together in a thread."""
    if len(message.content) < LARGE:
        return encode(message)
    return await asyncio.get_running_loop().run_in_executor(None, encode, message)


def decode_item(body: bytes) -> Item:
    """Return the item of a body, without copying the content. Raise WireError if it is not one of ours."""
    end = body.find(b"\n")
    if end < 0:
        raise WireError("no line feed after the item")
    try:
        outer = _decode_line(body[:end])
        if outer.v != VERSION:
            raise WireError(f"item version {outer.v}, this release knows {VERSION}")
        return _decode_item(outer.item)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise WireError(f"item does not decode: {error}") from error


def decode(body: bytes) -> Message:
    """Return the message of a body. Raise WireError if it is not one of ours."""
    item = decode_item(body)
    return Message(item, body[body.index(b"\n") + 1 :])
