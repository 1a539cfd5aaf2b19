"""BDAT over real sockets: one durable message for one LAST, whatever the chunks; limits hold for chunks too."""

import contextlib
import json
import socket
import struct
from collections.abc import Iterator

import pytest

from services.ingress.protocol.voice import MAX_ERRORS
from shared.config.units import Duration, Size
from tests.support.front import Front, Talk, front_config
from tests.support.waiting import wait_for

MAIL = b"From: a@elsewhere.example\r\nSubject: x\r\n\r\nHello\r\n.\r\n..two\r\n"
ENVELOPE = b"MAIL FROM:<alice@elsewhere.example>\r\nRCPT TO:<bob@example.org>\r\n"


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def front(request: pytest.FixtureRequest) -> Iterator[Front]:
    with Front(front_config(), loop=request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(front: Front) -> None:
    front.recorder.sends.clear()
    front.recorder.calls = 0
    front.recorder.gate.set()


def ready(front: Front, size: int | None = None) -> Talk:
    """Return a session that has a sender and a recipient."""
    talk = front.connect()
    for line in (
        "EHLO client.example",
        "MAIL FROM:<alice@elsewhere.example>" + (f" SIZE={size}" if size is not None else ""),
        "RCPT TO:<bob@example.org>",
    ):
        assert talk.ask(line).startswith("250"), line
    return talk


def chunk(octets: bytes, *, last: bool = False) -> bytes:
    """Return a BDAT command with its octets."""
    return b"BDAT %d%s\r\n" % (len(octets), b" LAST" if last else b"") + octets


def stored(front: Front) -> bytes:
    """Return the only message published, without the trace field in front."""
    (message,) = front.recorder.messages
    return message.content.partition(b"+0000\r\n")[2]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_chunks_of_any_size_make_the_message_that_was_sent(front: Front, size: int) -> None:
    pieces = [MAIL[at : at + size] for at in range(0, len(MAIL), size)]
    with ready(front) as talk:
        for piece in pieces:
            talk.send(chunk(piece))
            assert talk.reply() == f"250 2.0.0 {len(piece)} octets received"
        reply = talk.ask("BDAT 0 LAST")
        assert talk.ask("NOOP") == "250 2.0.0 Ok"
    assert reply.startswith("250 2.0.0 Ok: queued as ")
    assert stored(front) == MAIL
    assert front.recorder.messages[0].item.id == reply.split()[-1]


def test_a_pipelined_session_split_at_every_place_is_the_same_session(front: Front) -> None:
    stream = ENVELOPE + chunk(MAIL[:40]) + chunk(b"") + chunk(MAIL[40:], last=True) + b"NOOP\r\n"
    with front.connect() as talk:
        assert talk.ask("EHLO client.example").startswith("250")
        talk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for split in range(1, len(stream)):
            talk.send(stream[:split])
            talk.send(stream[split:])
            replies = [talk.reply()[:9] for _ in range(6)]
            assert replies == ["250 2.1.0", "250 2.1.5", *["250 2.0.0"] * 4]
            assert stored(front) == MAIL
            front.recorder.sends.clear()


def test_twenty_megabytes_in_large_chunks_arrive_unchanged(front: Front) -> None:
    body = b"Subject: big\r\n\r\n" + (b"x" * 9_999_998 + b"\r\n") * 2
    with ready(front, len(body)) as talk:
        half = len(body) // 2
        talk.send(chunk(body[:half]) + chunk(body[half:], last=True))
        assert talk.reply() == f"250 2.0.0 {half} octets received"
        assert talk.reply().startswith("250 2.0.0 Ok: queued as ")
    assert stored(front) == body


def test_thousands_of_tiny_chunks_in_one_write_are_one_message_each_answered(front: Front) -> None:
    with ready(front) as talk:
        talk.send(b"".join(chunk(b"ab") for _ in range(5000)) + chunk(b"\r\n", last=True))
        assert {talk.reply() for _ in range(5000)} == {"250 2.0.0 2 octets received"}
        assert talk.reply().startswith("250 2.0.0 Ok: queued as ")
    assert stored(front) == b"\r\n" + b"ab" * 5000 + b"\r\n"


def test_the_last_line_gets_its_end(front: Front) -> None:
    with ready(front) as talk:
        talk.send(chunk(b"Subject: x\r\n\r\nno end", last=True))
        assert talk.reply().startswith("250")
    assert stored(front) == b"Subject: x\r\n\r\nno end\r\n"


@pytest.mark.parametrize("how", ["half-close", "close", "reset"])
def test_hanging_up_after_the_last_chunk_publishes_exactly_once(front: Front, how: str) -> None:
    talk = ready(front)
    front.recorder.gate.clear()
    talk.send(chunk(MAIL, last=True))
    wait_for(lambda: front.recorder.calls == 1)
    if how == "half-close":
        talk.socket.shutdown(socket.SHUT_WR)
    else:
        if how == "reset":
            talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        talk.close()
    front.recorder.gate.set()
    wait_for(lambda: len(front.recorder.sends) == 1)
    if how == "half-close":
        assert talk.reply().startswith("250")
        assert talk.reply() == ""
        talk.close()
    assert front.recorder.calls == 1


@pytest.mark.parametrize("sent", [b"", chunk(MAIL), chunk(MAIL) + b"BDAT 100 LAST\r\nabc"], ids=["none", "one", "half"])
def test_hanging_up_before_the_last_chunk_publishes_nothing_and_holds_nothing(front: Front, sent: bytes) -> None:
    talk = ready(front, 10_000)
    talk.send(sent)
    if sent:
        assert talk.reply().startswith("250")
        assert front.app._site.budget.used == 10_000
    talk.close()
    wait_for(lambda: not front.app._site.open)
    assert front.app._site.budget.used == 0
    assert front.recorder.calls == 0


@pytest.mark.parametrize("end", ["RSET", "EHLO client.example"])
def test_what_ends_the_transaction_gives_back_what_its_chunks_held(front: Front, end: str) -> None:
    with ready(front, 10_000) as talk:
        talk.send(chunk(MAIL))
        assert talk.reply().startswith("250")
        assert front.app._site.budget.used == 10_000
        assert talk.ask(end).startswith("250")
        assert front.app._site.budget.used == 0
        talk.send(chunk(MAIL, last=True))
        assert talk.reply().startswith("503 5.5.1 ")
    assert front.recorder.calls == 0


def test_the_size_limit_holds_for_all_chunks_together() -> None:
    with Front(front_config(max_message_size=10_000)) as front:
        with ready(front) as talk:
            talk.send(chunk(b"x" * 6000) + chunk(b"QUIT\r\n" * 1000) + chunk(b"x", last=True))
            replies = [talk.reply()[:9] for _ in range(3)]
            assert replies == ["250 2.0.0", "552 5.3.4", "503 5.5.1"]
        with ready(front) as talk:
            talk.send(chunk(b"x" * 9_998, last=True))
            assert talk.reply().startswith("250 ")
        with ready(front) as talk:
            talk.send(chunk(b"x" * 9_999, last=True))
            assert talk.reply().startswith("552 5.3.4 ")
        assert len(front.recorder.sends) == 1


def test_a_chunk_over_the_limit_is_not_even_held() -> None:
    with Front(front_config(max_message_size=10_000)) as front, ready(front) as talk:
        talk.send(b"BDAT 10001 LAST\r\n" + b"x" * 9000)
        wait_for(lambda: any(session.envelope.incoming for session in front.app._site.open))
        (session,) = front.app._site.open
        wait_for(lambda: session.envelope.incoming is not None and session.envelope.incoming.octets == 9000)
        assert front.app._site.budget.used == 1
        talk.send(b"x" * 1001)
        assert talk.reply().startswith("552 5.3.4 ")


def test_the_budget_holds_for_chunks() -> None:
    with Front(front_config(buffer=160_000)) as front:
        with ready(front) as one, ready(front) as two:
            one.send(chunk(b"x" * 80_000))
            assert one.reply().startswith("250 ")
            assert front.app._site.budget.used == 80_000
            two.send(chunk(b"y" * 80_000) + chunk(b"y", last=True) + b"NOOP\r\n")
            replies = [two.reply()[:9] for _ in range(3)]
            assert replies == ["452 4.3.1", "503 5.5.1", "250 2.0.0"]
            assert one.ask("BDAT 0 LAST").startswith("250 ")
        assert front.app._site.budget.used == 0
        with ready(front, 60_000) as one, ready(front, 60_000) as two:
            one.send(chunk(b"x"))
            assert one.reply().startswith("250 ")
            two.send(chunk(b"QUIT\r\n"))
            assert two.reply().startswith("452 4.3.1 ")
        assert len(front.recorder.sends) == 1


def test_a_chunk_that_stops_coming_is_cut_off() -> None:
    with Front(front_config(data_timeout=Duration(0.2))) as front:
        with ready(front) as talk:
            talk.send(b"BDAT 100 LAST\r\nhalf")
            assert talk.reply().startswith("421 4.4.2 Timed out waiting for the message")
        wait_for(lambda: front.app._site.budget.used == 0)
    assert front.recorder.sends == []


def test_a_next_chunk_that_does_not_come_is_waited_for_like_content() -> None:
    with Front(front_config(data_timeout=Duration(0.2))) as front:
        with ready(front) as talk:
            talk.send(chunk(b"half"))
            assert talk.reply().startswith("250 ")
            assert talk.reply().startswith("421 4.4.2 Timed out waiting for the message")
        wait_for(lambda: front.app._site.budget.used == 0)


@pytest.mark.parametrize("trickle", [chunk(b"x"), b"NOOP\r\n"], ids=["chunks", "commands between chunks"])
def test_a_message_that_trickles_in_by_chunks_is_cut_off(trickle: bytes) -> None:
    """Neither tiny chunks nor commands between them keep a message, and what it has reserved, for ever."""
    config = front_config(minimum_rate=Size(10_000), minimum_rate_after=Duration(0.2))
    with Front(config) as front:
        with ready(front, 1_000_000) as talk:
            talk.send(chunk(b"Subject: x\r\n"))
            talk.socket.settimeout(0.02)
            heard = b""
            while b"421" not in heard:
                with contextlib.suppress(TimeoutError):
                    heard += talk.socket.recv(1000)
                with contextlib.suppress(ConnectionError):
                    talk.send(trickle)
            assert b"421 4.4.2 The message comes too slowly" in heard
        wait_for(lambda: not front.app._site.open)
        assert front.app._site.budget.used == 0
    assert front.recorder.sends == []


def test_refused_chunks_count_as_errors_and_are_swallowed(front: Front) -> None:
    with front.connect() as talk:
        talk.send(chunk(b"QUIT\r\n") * MAX_ERRORS)
        assert [talk.reply()[:9] for _ in range(MAX_ERRORS)] == ["503 5.5.1"] * MAX_ERRORS
        assert talk.reply().startswith("421 4.7.0 Too many errors")


def test_a_refused_message_is_logged_under_its_rule_and_command() -> None:
    with Front(front_config()) as front:
        with ready(front) as talk:
            talk.send(chunk(b"a\nb", last=True))
            assert talk.reply().startswith("550 5.6.0 ")
        lines = [json.loads(line) for line in front.log.getvalue().splitlines()]
    (refused,) = [line for line in lines if line["event"] == "refused"]
    assert (refused["rule"], refused["verb"]) == ("ingress.bare_line_ends", "BDAT")
