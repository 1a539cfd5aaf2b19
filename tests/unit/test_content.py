"""DATA: the one true end, dot-stuffing, and every way to smuggle a second message (RFC 5321 sections 2.3.8, 4.5.2)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress import replies
from services.ingress.message.content import Content
from services.ingress.replies import Refuse
from tests.support.smuggling import SMUGGLED, TERMINATORS

LIMIT = 10_000


def read(*chunks: bytes, limit: int = LIMIT) -> tuple[bytes | None, Refuse | None, bytes | None]:
    """Return the content (None while unfinished or faulty), the fault and the octets after the end."""
    content = Content(limit)
    rest: bytes | None = None
    for index, chunk in enumerate(chunks):
        rest = content.feed(chunk)
        if rest is not None:
            rest += b"".join(chunks[index + 1 :])
            break
    stored = b"".join(content.chunks) if rest is not None and content.fault is None else None
    return stored, content.fault, rest


STREAMS = [
    (b".\r\n", b"", None, b""),
    (b"a\r\n.\r\n", b"a\r\n", None, b""),
    (b"a\r\n.\r\nQUIT\r\n", b"a\r\n", None, b"QUIT\r\n"),
    (b"..\r\n.\r\n", b".\r\n", None, b""),
    (b"..a\r\n...b\r\n.\r\n", b".a\r\n..b\r\n", None, b""),
    (b".a\r\n.\r\n", b"a\r\n", None, b""),
    (b"a..b\r\n.\r\n", b"a..b\r\n", None, b""),
    (b"\r\n\r\n.\r\n", b"\r\n\r\n", None, b""),
    (b"\r\n.\r\n", b"\r\n", None, b""),
    (b"x" * 5000 + b"\r\n.\r\n", b"x" * 5000 + b"\r\n", None, b""),
    (b"a\r\n.\r\n.\r\n", b"a\r\n", None, b".\r\n"),
    (b"\xff\xfe\r\n.\r\n", b"\xff\xfe\r\n", None, b""),
    (b"a\n\r\n.\r\n", None, replies.BARE_LINE_END, b""),
    (b"a\r\r\n.\r\n", None, replies.BARE_LINE_END, b""),
    (b"a\rb\r\n.\r\n", None, replies.BARE_LINE_END, b""),
    (b"\na\r\n.\r\n", None, replies.BARE_LINE_END, b""),
    (b"a\0b\r\n.\r\n", None, replies.NUL_OCTET, b""),
    (b"a" * LIMIT + b"\r\n.\r\nNOOP\r\n", None, replies.TOO_LARGE, b"NOOP\r\n"),
    (b"a" * (LIMIT - 2) + b"\r\n.\r\n", b"a" * (LIMIT - 2) + b"\r\n", None, b""),
    (b"a\r\n" + b".." * 2000 + b"\r\n.\r\n", b"a\r\n" + b"." * 3999 + b"\r\n", None, b""),
]


@pytest.mark.parametrize(("stream", "stored", "fault", "rest"), STREAMS)
def test_content_in_one_chunk(stream: bytes, stored: bytes | None, fault: Refuse | None, rest: bytes) -> None:
    assert read(stream) == (stored, fault, rest)


@pytest.mark.parametrize(("stream", "stored", "fault", "rest"), [s for s in STREAMS if len(s[0]) < 100])
def test_content_split_at_every_place(stream: bytes, stored: bytes | None, fault: Refuse | None, rest: bytes) -> None:
    for first, second in itertools.combinations_with_replacement(range(len(stream) + 1), 2):
        assert read(stream[:first], stream[first:second], stream[second:]) == (stored, fault, rest)
    assert read(*(bytes([octet]) for octet in stream)) == (stored, fault, rest)


@pytest.mark.parametrize("terminator", TERMINATORS)
def test_a_false_end_is_content_and_refuses_the_message(terminator: bytes) -> None:
    """What looks like an end to others never ends the message here, and never passes to others either."""
    stream = b"Subject: x\r\n\r\nhello" + terminator + SMUGGLED + b".\r\n"
    for split in range(len(stream) + 1):
        stored, fault, rest = read(stream[:split], stream[split:])
        assert stored is None
        assert fault in (replies.BARE_LINE_END, replies.NUL_OCTET)
        assert rest == b""


def test_without_an_end_there_is_no_message() -> None:
    assert read(b"a\r\n.\r") == (None, None, None)
    assert read(b".") == (None, None, None)


def test_a_spoiled_message_is_forgotten_but_read_to_its_end() -> None:
    content = Content(LIMIT)
    content.feed(b"a" * 100 + b"\r\n")
    assert content.size == 100
    content.spoil(replies.NO_ROOM)
    assert content.feed(b"a\rb\r\n") is None
    assert content.feed(b".\r\nNOOP\r\n") == b"NOOP\r\n"
    assert (content.chunks, content.size, content.fault) == ([], 0, replies.NO_ROOM)


def stuff(content: bytes) -> bytes:
    """Dot-stuff line by line, the slow and obvious way."""
    lines = content.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)


LINES = st.lists(st.text(alphabet=".ab", max_size=6).map(str.encode), max_size=8)


@given(LINES, st.lists(st.integers(min_value=0, max_value=60), max_size=6))
def test_stuffing_is_undone_whatever_the_chunks(lines: list[bytes], cuts: list[int]) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    stream = stuff(content) + b".\r\nREST"
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[a:b] for a, b in itertools.pairwise(places)]
    assert read(*chunks) == (content, None, b"REST")
