"""Replies out of octets, however they are cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.smtp.replies import MAX_LINE, MAX_REPLY, Garbage, Reader
from shared.smtp.reply import Reply

OK = Reply(250, None, "ok")


def read(*segments: bytes) -> list[Reply | Garbage]:
    """Return every reply up to the first garbage."""
    reader = Reader()
    found: list[Reply | Garbage] = []
    for segment in segments:
        reader.receive(segment)
        while (reply := reader.next()) is not None:
            found.append(reply)
            if isinstance(reply, Garbage):
                return found
    return found


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"250 ok\r\n", [OK]),
        (b"250 ok\n", [OK]),
        (b"250\r\n", [Reply(250, None, "")]),
        (b"250\n", [Reply(250, None, "")]),
        (b"250 \r\n", [Reply(250, None, "")]),
        (b"250 2.1.0 Fine  \r\n", [Reply(250, "2.1.0", "Fine")]),
        (b"250 2.1.0\r\n", [Reply(250, "2.1.0", "")]),
        (b"250 2.1.0 ok\r\n550 5.1.1 no\r\n", [Reply(250, "2.1.0", "ok"), Reply(550, "5.1.1", "no")]),
        (b"550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user\r\n", [Reply(550, "5.1.1", "no such user")]),
        (b"550-no\r\n550\r\n", [Reply(550, None, "no")]),
        (b"550 caf\xe9 \x00\x1b[1m\r\n", [Reply(550, None, "caf� [1m")]),
        (b"250 ok\r\n25", [OK]),
        (b"250-ok\r\n", []),
        (b"250 ok", []),
        (b"", []),
        (b"250 " + b"x" * (MAX_LINE - 6) + b"\r\n", [Reply(250, None, "x" * 400)]),
    ],
)
def test_replies_are_read(octets: bytes, expected: list[Reply]) -> None:
    assert read(octets) == expected
    assert read(*(bytes([octet]) for octet in octets)) == expected


@pytest.mark.parametrize(
    "octets",
    [
        b"\r\n",
        b"nonsense\r\n",
        b"25 ok\r\n",
        b"2500 ok\r\n",
        b"150 ok\r\n",
        b"650 ok\r\n",
        b"250ok\r\n",
        b"250\tok\r\n",
        b" 250 ok\r\n",
        b"250-ok\r\n251 ok\r\n",
        b"250-ok\r\nmore\r\n",
        b"250 " + b"x" * MAX_LINE,
        b"250 " + b"x" * (MAX_LINE - 5) + b"\r\n",
        b"250-ok\r\n" * (MAX_REPLY // 8 + 1),
        "٢٥٠ ok\r\n".encode(),
    ],
)
def test_what_is_no_reply(octets: bytes) -> None:
    (found,) = read(octets)
    assert isinstance(found, Garbage)
    assert found.reply.code == 451
    (found,) = read(*(octets[at : at + 3] for at in range(0, len(octets), 3)))
    assert isinstance(found, Garbage)


def test_what_comes_before_garbage_is_read() -> None:
    first, second = read(b"250 ok\r\nwhat\r\n")
    assert first == OK
    assert isinstance(second, Garbage)


@pytest.mark.parametrize(
    ("octets", "empty"), [(b"250 ok\r\n", True), (b"250 ok\r\n2", False), (b"250 ok\r\n250-\r\n", False)]
)
def test_a_reader_knows_whether_something_is_left(octets: bytes, empty: bool) -> None:
    reader = Reader()
    assert reader.empty
    reader.receive(octets)
    assert reader.next() == OK
    assert reader.next() is None
    assert reader.empty is empty


LINE = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=20)
REPLIES = st.lists(st.tuples(st.integers(200, 599), st.lists(LINE, min_size=1, max_size=4)), max_size=5)


@given(REPLIES, st.lists(st.integers(0, 400), max_size=8))
def test_segments_change_nothing(replies: list[tuple[int, list[str]]], cuts: list[int]) -> None:
    octets = b"".join(
        f"{code}{' ' if at == len(lines) - 1 else '-'}{line}\r\n".encode()
        for code, lines in replies
        for at, line in enumerate(lines)
    )
    edges = [0, *sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
    whole = read(octets)
    assert len(whole) == len(replies)
    assert [reply.code for reply in whole if isinstance(reply, Reply)] == [code for code, _ in replies]
    assert read(*(octets[a:b] for a, b in itertools.pairwise(edges))) == whole
