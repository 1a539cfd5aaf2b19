"""Reading by line and by chunk, however the network cuts it, and one command line as a value."""

import asyncio

import pytest

from services.ingress import replies
from services.ingress.protocol.commands import Command, parse_command
from services.ingress.protocol.input import Input, LineTooLong
from services.ingress.replies import Refuse


class Wire:
    """An input whose network is a list of packets: the next arrives when the session waits for it."""

    def __init__(self, *packets: bytes) -> None:
        self.packets = list(packets)
        self.waits = 0
        self.reader = asyncio.StreamReader()
        self.input = Input(self.reader, 30, self._arrive)

    async def _arrive(self) -> None:
        self.waits += 1
        if self.packets:
            self.reader.feed_data(self.packets.pop(0))
        else:
            self.reader.feed_eof()

    async def lines(self, limit: int = 10) -> list[bytes | None]:
        """Return every line up to the end of input, None for one that was too long."""
        found: list[bytes | None] = []
        while True:
            try:
                found.append(await self.input.line(limit))
            except LineTooLong:
                found.append(None)
            except EOFError:
                return found


LINES = [
    ((b"NOOP\r\nQUIT\r\n",), [b"NOOP", b"QUIT"]),
    ((b"NOOP\nQUIT\n",), [b"NOOP", b"QUIT"]),
    ((b"NO", b"OP", b"\r", b"\nQ", b"UIT\r\n"), [b"NOOP", b"QUIT"]),
    ((b"\r\n",), [b""]),
    ((b"a\rb\r\r\n",), [b"a\rb\r"]),
    ((b"unfinished",), []),
    ((b"123456789\r\n",), [b"123456789"]),
    ((b"1234567890\r\n1\r\n",), [None, b"1"]),
    ((b"x" * 100 + b"\r\n1\r\n",), [None, b"1"]),
    ((b"x" * 100, b"y" * 100, b"z\r\n1\r\n"), [None, b"1"]),
    ((b"x" * 100, b"\r\n1\r\n"), [None, b"1"]),
    ((b"x" * 100, b"y" * 5, b"\n", b"1\r\n"), [None, b"1"]),
]


@pytest.mark.parametrize(("packets", "expected"), LINES)
async def test_lines(packets: tuple[bytes, ...], expected: list[bytes | None]) -> None:
    assert await Wire(*packets).lines() == expected


@pytest.mark.parametrize(("packets", "expected"), LINES)
async def test_lines_octet_by_octet(packets: tuple[bytes, ...], expected: list[bytes | None]) -> None:
    octets = (bytes([octet]) for octet in b"".join(packets))
    assert await Wire(*octets).lines() == expected


async def test_replies_go_out_only_when_there_is_nothing_left_to_read() -> None:
    wire = Wire(b"A\r\nB\r\nC\r\n", b"D\r\n")
    for _ in range(3):
        await wire.input.line(10)
    assert wire.waits == 1
    await wire.input.line(10)
    assert wire.waits == 2


async def test_chunks_and_lines_share_what_was_read_ahead() -> None:
    wire = Wire(b"DATA\r\ncontent", b" more", b"!\r\n")
    assert await wire.input.line(10) == b"DATA"
    assert await wire.input.chunk() == b"content"
    assert await wire.input.chunk() == b" more"
    wire.input.put_back(b"RSET\r\nno")
    assert await wire.input.line(10) == b"RSET"
    wire.input.put_back(b"x")
    assert await wire.input.line(10) == b"xno!"
    with pytest.raises(EOFError):
        await wire.input.chunk()


async def test_what_was_read_ahead_can_be_discarded() -> None:
    wire = Wire(b"STARTTLS\r\nMAIL FROM:<evil@x.example>\r\n", b"EHLO x\r\n")
    assert await wire.input.line(10) == b"STARTTLS"
    wire.input.discard()
    assert await wire.input.line(10) == b"EHLO x"


COMMANDS = [
    (b"NOOP", Command("NOOP", "")),
    (b"mail from:<A@b>  ", Command("MAIL", "from:<A@b>")),
    (b"EHLO   x", Command("EHLO", "x")),
    (b"", Command("", "")),
    (b" NOOP", Command("", "NOOP")),
    ("RCPT TO:<ü@x>".encode(), Command("RCPT", "TO:<ü@x>")),
    (b"NOOP\tx", replies.BAD_OCTETS),
    (b"NOOP\0", replies.BAD_OCTETS),
    (b"NOOP\r", replies.BAD_OCTETS),
    (b"NOOP \x7f", replies.BAD_OCTETS),
    (b"NOOP \xff", replies.BAD_OCTETS),
    (b"get / HTTP/1.1", replies.NOT_SMTP),
    (b"CONNECT x:25 HTTP/1.1", replies.NOT_SMTP),
    (b"NOOP " + b"x" * 4091, Command("NOOP", "x" * 4091)),
    (b"NOOP " + b"x" * 4092, replies.LINE_TOO_LONG),
    (b"auth PLAIN " + b"x" * 12277, Command("AUTH", "PLAIN " + "x" * 12277)),
    (b"AUTH PLAIN " + b"x" * 12278, replies.LINE_TOO_LONG),
]


@pytest.mark.parametrize(("line", "expected"), COMMANDS)
def test_commands(line: bytes, expected: Command | Refuse) -> None:
    assert parse_command(line) == expected
