"""DATA over real sockets: one durable message for one 250, whatever the client does, and the octets it meant."""

import asyncio
import socket
import struct
from collections.abc import Iterator

import pytest

from shared.errors import BrokerFull, BrokerUnavailable, MessageTooLarge
from shared.model import Direction, Origin, Place
from tests.support.front import TRUSTED, Front, front_config
from tests.support.recording import Recorder
from tests.support.smuggling import SMUGGLED, TERMINATORS
from tests.support.waiting import wait_for

MAIL = b"From: a@elsewhere.example\r\nSubject: x\r\n\r\nHello\r\n"


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def front(request: pytest.FixtureRequest) -> Iterator[Front]:
    with Front(front_config(confirm_timeout=1.0), loop=request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(front: Front) -> None:
    front.recorder.sends.clear()
    front.recorder.error = front.recorder.reason = None
    front.recorder.calls = 0
    front.recorder.gate.set()


def test_an_accepted_message_is_published_for_the_screener_under_the_id_of_the_reply(front: Front) -> None:
    with front.ready() as talk:
        reply = talk.ask((MAIL + b".").decode())
    assert reply.startswith("250 2.0.0 Ok: queued as ")
    (send,) = front.recorder.sends
    item = send.message.item
    assert send.place is Place.SCREEN
    assert item.id == reply.split()[-1]
    assert item.origin is Origin.INBOUND
    assert item.origin.direction is Direction.INBOUND
    assert item.envelope.sender == "alice@elsewhere.example"
    assert [recipient.address for recipient in item.envelope.recipients] == ["bob@example.org"]
    assert item.client is not None
    assert (item.client.address, item.client.helo, item.client.protocol) == ("127.0.0.1", "client.example", "ESMTP")


def test_below_the_trace_field_the_content_is_what_the_client_sent(front: Front) -> None:
    with front.ready() as talk:
        talk.send(b"Subject: dots\r\n\r\n..one\r\n...two\r\na..b\r\n\r\n" + b"\xff\x80\r\n.\r\n")
        assert talk.reply().startswith("250")
    content = front.recorder.messages[0].content
    trace, _, rest = content.partition(b"Subject:")
    assert rest == b" dots\r\n\r\n.one\r\n..two\r\na..b\r\n\r\n\xff\x80\r\n"
    assert trace.startswith(
        b"Received: from client.example ([127.0.0.1])\r\n\tby relay.example.net (Sluice) with ESMTP id "
    )
    assert b"bob" not in trace


def test_content_without_a_header_becomes_a_body(front: Front) -> None:
    with front.ready() as talk:
        assert talk.ask(" just text\r\n.").startswith("250")
    assert front.recorder.messages[0].content.endswith(b"+0000\r\n\r\n just text\r\n")


def test_twenty_megabytes_with_endless_lines_arrive_unchanged(front: Front) -> None:
    body = b"Subject: big\r\n\r\n" + (b"x" * 9_999_998 + b"\r\n") * 2
    with front.ready() as talk:
        talk.send(body + b".\r\n")
        assert talk.reply().startswith("250")
    assert front.recorder.messages[0].content.endswith(b"\r\n" + body)


@pytest.mark.parametrize("how", ["half-close", "close", "reset"])
def test_hanging_up_after_the_dot_publishes_exactly_once(front: Front, how: str) -> None:
    """BROKER.md 23: a client that is gone must neither lose nor double what it was about to be told."""
    talk = front.ready()
    front.recorder.gate.clear()
    talk.send(MAIL + b".\r\n")
    wait_for(lambda: front.recorder.calls == 1)
    if how == "half-close":
        talk.socket.shutdown(socket.SHUT_WR)
    else:
        if how == "reset":
            talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        talk.close()
    front.call(_turns())
    front.recorder.gate.set()
    wait_for(lambda: len(front.recorder.sends) == 1)
    if how == "half-close":
        assert talk.reply().startswith("250")
        assert talk.reply() == ""
        talk.close()
    assert front.recorder.calls == 1


async def _turns() -> None:
    """Let the server's loop notice what the network has brought it."""
    for _ in range(20):
        await asyncio.sleep(0.005)


def test_hanging_up_before_the_dot_publishes_nothing(front: Front) -> None:
    talk = front.ready()
    talk.send(MAIL + b".\r")
    talk.socket.shutdown(socket.SHUT_WR)
    assert talk.reply() == ""
    talk.close()
    assert front.recorder.calls == 0


FAILURES = [
    (BrokerUnavailable("down"), "451 4.3.2 "),
    (BrokerFull("full"), "452 4.3.1 "),
    (MessageTooLarge("large"), "552 5.3.4 "),
    (RuntimeError("secret detail"), "451 4.3.0 "),
    (ConnectionResetError("secret detail"), "451 4.3.0 "),
]


@pytest.mark.parametrize(("error", "reply"), FAILURES, ids=lambda value: type(value).__name__)
def test_a_publish_that_fails_is_never_a_250(front: Front, error: Exception, reply: str) -> None:
    front.recorder.error = error
    with front.ready() as talk:
        answer = talk.ask((MAIL + b".").decode())
        assert answer.startswith(reply)
        assert "secret" not in answer
        front.recorder.error = None
        assert talk.ask("MAIL FROM:<a@elsewhere.example>").startswith("250")
        assert talk.ask("RCPT TO:<bob@example.org>").startswith("250")
        assert talk.ask("DATA").startswith("354")
        assert talk.ask((MAIL + b".").decode()).startswith("250")
    assert len(front.recorder.sends) == 1


def test_a_confirm_that_does_not_come_is_a_451(front: Front) -> None:
    front.recorder.gate.clear()
    with front.ready() as talk:
        assert talk.ask((MAIL + b".").decode()).startswith("451 4.3.2 ")


class Broken(Recorder):
    """A publisher with a bug."""

    def trouble(self) -> str | None:
        raise RuntimeError("secret detail")


def test_a_bug_is_a_451_that_says_nothing_and_the_session_goes_on() -> None:
    """BROKER.md 26."""
    with Front(front_config(), Broken()) as front, front.connect() as talk:
        talk.ask("EHLO client.example")
        assert talk.ask("MAIL FROM:<a@elsewhere.example>") == "451 4.3.0 Internal error, try again later"
        assert talk.ask("NOOP").startswith("250")
        assert "secret detail" in front.log.getvalue()


def test_broker_trouble_refuses_new_mail_and_unreadies_the_app(front: Front) -> None:
    assert front.app.trouble() is None
    front.recorder.reason = "oldest confirm is late"
    assert front.app.trouble() == "oldest confirm is late"
    with front.connect() as talk:
        talk.ask("EHLO client.example")
        assert talk.ask("MAIL FROM:<a@elsewhere.example>").startswith("451 4.3.2 ")
        front.recorder.reason = None
        assert talk.ask("MAIL FROM:<a@elsewhere.example>").startswith("250")


def test_two_clients_share_no_state(front: Front) -> None:
    """BROKER.md 22: another client's EHLO once made a legal long MAIL fail."""
    long_sender = "a" * 60 + "@" + ".".join(["b" * 60] * 3) + ".example"
    with front.connect() as first, front.connect(TRUSTED) as second:
        first.ask("EHLO one.example")
        assert first.ask(f"MAIL FROM:<{long_sender}> SIZE=1000 BODY=8BITMIME").startswith("250")
        second.ask("EHLO two.example")
        assert second.ask("RCPT TO:<bob@example.org>").startswith("503")
        assert second.ask("MAIL FROM:<c@elsewhere.example>").startswith("250")
        assert second.ask("RCPT TO:<x@anywhere.example>").startswith("250")
        assert first.ask("RCPT TO:<x@anywhere.example>").startswith("550")
        assert first.ask("RCPT TO:<bob@example.org>").startswith("250")
        for talk in (first, second):
            assert talk.ask("DATA").startswith("354")
            assert talk.ask((MAIL + b".").decode()).startswith("250")
    senders = {message.item.envelope.sender: message.item.origin for message in front.recorder.messages}
    assert senders == {long_sender: Origin.INBOUND, "c@elsewhere.example": Origin.TRUSTED}


def test_a_pipelined_session_in_one_write_is_answered_in_order(front: Front) -> None:
    one = b"MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<x@foreign.example>\r\nDATA\r\n"
    with front.connect() as talk:
        talk.send(b"EHLO client.example\r\n" + (one + MAIL + b".\r\n") * 3 + b"QUIT\r\n")
        assert "PIPELINING" in talk.reply()
        codes = []
        while reply := talk.reply():
            codes.append(reply[:3])
    assert codes == ["250", "250", "550", "354", "250"] * 3 + ["221"]
    assert len(front.recorder.sends) == 3


@pytest.mark.parametrize("terminator", TERMINATORS)
@pytest.mark.parametrize("pipelined", [True, False], ids=["at once", "octet by octet"])
def test_a_false_end_smuggles_nothing(front: Front, terminator: bytes, pipelined: bool) -> None:
    """Whatever the terminator and the packets: one reply to one message, and nothing of it is published."""
    attack = b"Subject: x\r\n\r\nhello" + terminator + SMUGGLED + b".\r\nNOOP\r\n"
    with front.ready() as talk:
        talk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if pipelined:
            talk.send(attack)
        else:
            for octet in attack:
                talk.send(bytes([octet]))
        assert talk.reply().startswith("550 5.6.0 ")
        assert talk.reply() == "250 2.0.0 Ok"
    assert front.recorder.calls == 0
