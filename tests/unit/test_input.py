"""Reading by line and at once, however the network cuts it, and one command line as a value."""

import pytest

from services.ingress import replies
from services.ingress.protocol.commands import Command, parse_command
from services.ingress.protocol.input import Input, LineTooLong
from services.ingress.replies import Refuse


def lines(*packets: bytes, limit: int = 10) -> list[bytes | None]:
    """Return every line of the packets, None for one that was too long."""
    found: list[bytes | None] = []
    source = Input()
    for packet in packets:
        source.feed(packet)
        while True:
            try:
                line = source.line(limit)
            except LineTooLong:
                found.append(None)
            else:
                if line is None:
                    break
                found.append(line)
        assert len(source) <= limit
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
def test_lines(packets: tuple[bytes, ...], expected: list[bytes | None]) -> None:
    assert lines(*packets) == expected


@pytest.mark.parametrize(("packets", "expected"), LINES)
def test_lines_octet_by_octet(packets: tuple[bytes, ...], expected: list[bytes | None]) -> None:
    assert lines(*(bytes([octet]) for octet in b"".join(packets))) == expected


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_of_a_line_that_is_too_long_the_beginning_is_known(size: int) -> None:
    octets = b"BDAT 86 LAST         \r\nNOOP             \nBDAT\r\n"
    source = Input()
    begun = []
    for at in range(0, len(octets), size):
        source.feed(octets[at : at + size])
        line: bytes | None = b""
        while line is not None:
            try:
                line = source.line(10)
            except LineTooLong as error:
                begun.append(error.beginning)
    assert begun == [b"BDAT", b"NOOP"]


def test_lines_and_content_share_what_has_come() -> None:
    source = Input()
    source.feed(b"BDAT 7\r\ncontent")
    assert source.line(10) == b"BDAT 7"
    assert source.peek() == b"content"
    assert source.take(3) == b"con"
    source.feed(b" more")
    assert source.take() == b"tent more"
    assert (len(source), source.take()) == (0, b"")
    source.put_back(b"RSET\r\nno")
    assert source.line(10) == b"RSET"
    source.put_back(b"x")
    source.feed(b"!\r\n")
    assert source.line(10) == b"xno!"
    assert source.line(10) is None


def test_what_has_come_can_be_discarded() -> None:
    source = Input()
    source.feed(b"STARTTLS\r\nMAIL FROM:<evil@x.example>\r\n")
    assert source.line(10) == b"STARTTLS"
    source.discard()
    source.feed(b"EHLO x\r\n")
    assert source.line(10) == b"EHLO x"


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
