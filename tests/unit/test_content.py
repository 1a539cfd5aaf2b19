"""DATA and BDAT: the one true end, dot-stuffing, and every way to smuggle a second message.

RFC 5321 sections 2.3.8 and 4.5.2, RFC 3030 section 2.
"""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress import replies
from services.ingress.message.content import ChunkedContent, Content
from services.ingress.replies import Refuse
from tests.support.smuggling import SMUGGLED, TERMINATORS

LIMIT = 10_000


def read(*chunks: bytes, limit: int = LIMIT, repair: bool = False) -> tuple[bytes | None, Refuse | None, bytes | None]:
    """Return the content (None while unfinished or faulty), the fault and the octets after the end."""
    content = Content(limit, repair=repair)
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
    (b"\n.\n\0a\r\n.\r\n", None, replies.NUL_OCTET, b""),
    (b"\0\r\na\n.\r\n.\r\n", None, replies.NUL_OCTET, b""),
    (b"a\n\0" + b"a" * LIMIT + b"\r\n.\r\n", None, replies.TOO_LARGE, b""),
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


def repaired(octets: bytes) -> bytes:
    """Make a CRLF of each CR and LF outside of one, the slow and obvious way."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", octets)


REPAIRS = [
    (b"a\nb\r\n.\r\n", b"a\r\nb\r\n"),
    (b"\na\r\n.\r\n", b"\r\na\r\n"),
    (b"\r\r\n.\r\n", b"\r\n\r\n"),
    (b"a\n\r\n.\r\n", b"a\r\n\r\n"),
    (b"a\n.\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n"),
    (b"a\n..b\r\n.\r\n", b"a\r\n..b\r\n"),
    (b"a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n"),
    (b"a\r\n.\nb\r\n.\r\n", b"a\r\n\r\nb\r\n"),
    (b"a\r\n.\r\n", b"a\r\n"),
]


@pytest.mark.parametrize(("stream", "stored"), REPAIRS)
def test_bare_line_ends_are_repaired_wherever_the_stream_is_split(stream: bytes, stored: bytes) -> None:
    for split in range(len(stream) + 1):
        assert read(stream[:split], stream[split:], repair=True) == (stored, None, b"")
    assert read(*(bytes([octet]) for octet in stream), repair=True) == (stored, None, b"")


def test_repairing_counts_what_it_adds() -> None:
    assert read(b"\n" * 50 + b"\r\n.\r\n", limit=102, repair=True)[1] is None
    assert read(b"\n" * 50 + b"\r\n.\r\n", limit=101, repair=True)[1] == replies.TOO_LARGE


@pytest.mark.parametrize("terminator", TERMINATORS)
def test_a_false_end_that_is_repaired_stays_content_of_the_one_message(terminator: bytes) -> None:
    """What is stored has no bare CR or LF, so that no server behind us can see an end in it."""
    stream = b"Subject: x\r\n\r\nhello" + terminator + SMUGGLED + b".\r\n"
    meant = repaired(stream[: -len(b".\r\n")].replace(b"\r\n.", b"\r\n"))
    expected = (None, replies.NUL_OCTET) if b"\0" in terminator else (meant, None)
    for split in range(len(stream) + 1):
        assert read(stream[:split], stream[split:], repair=True) == (*expected, b"")


def chunked(*chunks: bytes, limit: int = LIMIT, repair: bool = False) -> bytes | Refuse:
    """Return what BDAT's chunks amount to."""
    content = ChunkedContent(limit, repair=repair)
    for chunk in chunks:
        content.feed(chunk)
    content.finish()
    return content.fault or b"".join(content.chunks)


CHUNKED = [
    (b"", b"", b""),
    (b"a\r\n", b"a\r\n", b"a\r\n"),
    (b"a", b"a\r\n", b"a\r\n"),
    (b"a\r\n.\r\nb\r\n", b"a\r\n.\r\nb\r\n", b"a\r\n.\r\nb\r\n"),
    (b"..a\r\n..b\r\n", b"..a\r\n..b\r\n", b"..a\r\n..b\r\n"),
    (b"a\r", replies.BARE_LINE_END, b"a\r\n"),
    (b"a\n", replies.BARE_LINE_END, b"a\r\n"),
    (b"\n", replies.BARE_LINE_END, b"\r\n"),
    (b"a\rb", replies.BARE_LINE_END, b"a\r\nb\r\n"),
    (b"a\r\r\nb\r\n", replies.BARE_LINE_END, b"a\r\n\r\nb\r\n"),
    (b"a\0b\r\n", replies.NUL_OCTET, replies.NUL_OCTET),
]


@pytest.mark.parametrize(("stream", "refusing", "repairing"), CHUNKED)
def test_chunks_split_anywhere(stream: bytes, refusing: bytes | Refuse, repairing: bytes | Refuse) -> None:
    for first, second in itertools.combinations_with_replacement(range(len(stream) + 1), 2):
        chunks = (stream[:first], stream[first:second], stream[second:])
        assert chunked(*chunks) == refusing
        assert chunked(*chunks, repair=True) == repairing


@pytest.mark.parametrize("terminator", [*TERMINATORS, b"\r\n.\r\n"])
def test_no_terminator_ends_a_chunked_message(terminator: bytes) -> None:
    stream = b"Subject: x\r\n\r\nhello" + terminator + SMUGGLED
    whole = repaired(stream) == stream and b"\0" not in stream
    for split in range(len(stream) + 1):
        refusing = chunked(stream[:split], stream[split:])
        repairing = chunked(stream[:split], stream[split:], repair=True)
        assert (refusing == stream) if whole else (refusing in (replies.BARE_LINE_END, replies.NUL_OCTET))
        assert repairing == (replies.NUL_OCTET if b"\0" in stream else repaired(stream))


def test_chunks_over_the_limit_are_no_message() -> None:
    assert chunked(b"a" * LIMIT, b"a") == replies.TOO_LARGE
    assert chunked(b"a" * (LIMIT - 1)) == replies.TOO_LARGE
    assert chunked(b"a" * (LIMIT - 2)) == b"a" * (LIMIT - 2) + b"\r\n"


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


@pytest.mark.parametrize("kind", [Content, ChunkedContent])
@pytest.mark.parametrize("size", [2, 3, 1000, 5000])
def test_a_message_in_small_pieces_is_kept_in_few(kind: type[Content | ChunkedContent], size: int) -> None:
    """Each object costs some fifty octets more than it holds: the budget must not be eaten by those."""
    stream = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 3000
    content = kind(100_000)
    for at in range(0, len(stream), size):
        content.feed(stream[at : at + size])
    content.feed(b".\r\n") if kind is Content else content.finish()
    assert b"".join(content.chunks) == stream
    assert content.size == len(stream)
    assert len(content.chunks) <= len(stream) // 2048 + 1
