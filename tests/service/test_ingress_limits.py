"""Limits, time-outs, start and drain of ingress over real sockets."""

import asyncio
import contextlib
import json
import socket

import msgspec
import pytest

from services.ingress.app import build
from services.ingress.protocol.voice import MAX_ERRORS
from services.ingress.server import split_address
from shared.config.model import Listener
from shared.config.units import Duration, Size
from shared.errors import ConfigError, SluiceError
from tests.support.front import NO_DNS, TRUSTED, Front, Talk, front_config
from tests.support.recording import Recorder
from tests.support.waiting import wait_for

MAIL = b"Subject: x\r\n\r\nHello\r\n"


def begin(talk: Talk, size: int | None = None) -> str:
    """Say EHLO and MAIL; return the reply to MAIL."""
    talk.ask("EHLO c.example")
    return talk.ask("MAIL FROM:<a@elsewhere.example>" + (f" SIZE={size}" if size is not None else ""))


def test_a_message_over_the_size_limit_is_refused_when_declared_and_when_sent() -> None:
    with Front(front_config(max_message_size=10_000)) as front:
        with front.connect() as talk:
            assert "\nSIZE 10000\n" in talk.ask("EHLO c.example").replace("250-", "")
            assert begin(talk, 10_001).startswith("552 5.3.4 ")
            assert begin(talk, 10_000).startswith("250 ")
        with front.ready() as talk:
            talk.send(b"x" * 20_000 + b"\r\n.\r\n")
            assert talk.reply().startswith("552 5.3.4 ")
            assert talk.ask("NOOP").startswith("250 ")
        assert front.recorder.calls == 0


def test_too_many_recipients_are_refused_and_the_others_get_the_mail() -> None:
    with Front(front_config(max_recipients=3)) as front, front.connect() as talk:
        begin(talk)
        answers = [talk.ask(f"RCPT TO:<u{number}@example.org>")[:9] for number in range(5)]
        assert answers == ["250 2.1.5"] * 3 + ["452 4.5.3"] * 2
        assert talk.ask("DATA").startswith("354")
        assert talk.ask((MAIL + b".").decode()).startswith("250")
        recipients = front.recorder.messages[0].item.envelope.recipients
        assert [recipient.address for recipient in recipients] == [f"u{number}@example.org" for number in range(3)]


def test_a_recipient_named_twice_gets_one_copy() -> None:
    with Front(front_config(max_recipients=1)) as front, front.connect() as talk:
        begin(talk)
        assert talk.ask("RCPT TO:<bob@example.org>").startswith("250")
        assert talk.ask("RCPT TO:<bob@EXAMPLE.org.>").startswith("250")
        assert talk.ask("RCPT TO:<alice@example.org>").startswith("452")
        talk.ask("DATA")
        talk.ask((MAIL + b".").decode())
        assert len(front.recorder.messages[0].item.envelope.recipients) == 1


def test_connections_are_limited_by_client_and_in_all() -> None:
    with Front(front_config(max_connections=3, max_connections_per_client=2)) as front:
        with front.connect(), front.connect():
            third = Talk(socket.create_connection(("127.0.0.1", front.port), 30))
            assert third.reply().startswith("421 4.7.0 Too many connections from your address")
            assert third.reply() == ""
            third.close()
            with front.connect(TRUSTED):
                fourth = Talk(socket.create_connection(("127.0.0.1", front.port), 30, (TRUSTED, 0)))
                assert fourth.reply().startswith("421 4.7.0 Too many connections,")
                fourth.close()
        wait_for(lambda: front.app._site.connections.open == 0)
        with front.connect() as talk:
            assert talk.ask("NOOP").startswith("250")


def test_content_in_flight_is_bounded_across_sessions() -> None:
    with Front(front_config(buffer=160_000)) as front:
        with front.connect() as talk:
            assert begin(talk, 100_001).startswith("452 4.3.1 ")
        with front.ready() as one, front.ready() as two:
            one.send(b"x" * 80_000)
            wait_for(lambda: front.app._site.budget.used > 60_000)
            two.send(b"y" * 80_000 + b"\r\n.\r\n")
            assert two.reply().startswith("452 4.3.1 ")
            one.send(b"\r\n.\r\n")
            assert one.reply().startswith("250 ")
            assert begin(two, 90_000).startswith("250 ")
        assert front.app._site.budget.used == 0
        assert len(front.recorder.sends) == 1


def test_a_declared_size_is_reserved_at_data() -> None:
    with Front(front_config(buffer=160_000)) as front, front.connect() as one, front.connect() as two:
        for talk in (one, two):
            assert begin(talk, 60_000).startswith("250 ")
            assert talk.ask("RCPT TO:<bob@example.org>").startswith("250")
        assert one.ask("DATA").startswith("354")
        assert two.ask("DATA").startswith("452 4.3.1 ")
        assert one.ask((MAIL + b".").decode()).startswith("250")
        assert begin(two, 60_000).startswith("250 ")


@pytest.mark.parametrize("stage", ["greeting", "command", "data"])
def test_a_silent_client_is_timed_out(stage: str) -> None:
    with Front(front_config(command_timeout=0.3, data_timeout=0.3)) as front:
        talk = front.ready() if stage == "data" else front.connect()
        if stage == "command":
            talk.send(b"NOO")
        assert talk.reply().startswith("421 4.4.2 ")
        assert talk.reply() == ""
        talk.close()


def test_a_client_that_drips_a_command_is_timed_out() -> None:
    with Front(front_config(command_timeout=0.5)) as front, front.connect() as talk:
        talk.socket.settimeout(0.05)
        with contextlib.suppress(ConnectionError):
            for _ in range(400):
                talk.send(b"N")
                with contextlib.suppress(TimeoutError):
                    assert talk.socket.recv(1000).startswith(b"421 4.4.2 ")
                    return
        raise AssertionError("the drip went on")


def test_too_many_errors_end_a_strangers_session() -> None:
    with Front(front_config()) as front:
        with front.connect() as talk:
            answers = [talk.ask("BOGUS")[:9] for _ in range(MAX_ERRORS)]
            assert answers == ["500 5.5.1"] * MAX_ERRORS
            assert talk.reply().startswith("421 4.7.0 Too many errors")
        with front.connect(TRUSTED) as talk:
            for _ in range(MAX_ERRORS + 5):
                assert talk.ask("BOGUS").startswith("500 ")
            assert talk.ask("NOOP").startswith("250")


HOPS = b"Received: by h with SMTP; date\r\n"


@pytest.mark.parametrize(
    ("header", "reply"),
    [
        (HOPS * 49, "250 "),
        (HOPS * 50, "554 5.4.6 Too many hops"),
        (b"Received: from x by relay.example.net (Sluice) with ESMTP id 1; date\r\n" * 3, "554 5.4.6 The message has"),
        (b"Received: from x\r\n\tby relay.example.net (Sluice) with ESMTP id 1; date\r\n" * 2, "250 "),
    ],
)
def test_a_message_that_goes_round_is_refused(header: bytes, reply: str) -> None:
    with Front(front_config()) as front, front.ready() as talk:
        assert talk.ask((header + MAIL + b".").decode()).startswith(reply)


def test_a_port_in_use_names_address_and_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        listeners = (Listener(address="127.0.0.1:0"), Listener(address=address))
        app = build(front_config(listener=listeners), Recorder(), NO_DNS)
        with pytest.raises(SluiceError) as caught:
            asyncio.run(app.start())
    assert str(caught.value).startswith(f"ingress.listener {address}: cannot listen: ")
    assert "free the port" in str(caught.value)
    assert app.trouble() == "not started"


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "::1:25", ""])
def test_a_malformed_listener_address(address: str) -> None:
    with pytest.raises(ConfigError, match=r"ingress\.listener"):
        split_address(address)


def test_listener_addresses() -> None:
    assert split_address("[::1]:25") == ("::1", 25)
    assert split_address(":25") == split_address("*:25") == ("", 25)
    assert split_address("localhost:0") == ("localhost", 0)


def test_ipv6_clients_are_served() -> None:
    with Front(front_config(listener=(Listener(address="[::1]:0"),))) as front:
        talk = Talk(socket.create_connection(("::1", front.port), 30))
        talk.reply()
        begin(talk)
        assert talk.ask("RCPT TO:<x@foreign.example>").startswith("550 5.7.1")
        assert talk.ask("RCPT TO:<bob@example.org>").startswith("250")
        talk.ask("DATA")
        assert talk.ask((MAIL + b".").decode()).startswith("250")
        talk.close()
        assert b"Received: from c.example ([IPv6:::1])" in front.recorder.messages[0].content


def test_a_message_that_trickles_in_is_cut_off() -> None:
    """A steady trickle keeps every block in time, but not the average."""
    with Front(front_config(minimum_rate=Size(10_000), minimum_rate_after=Duration(0.2))) as front:
        with front.ready() as talk:
            refused = ""
            while not refused:
                with contextlib.suppress(ConnectionError):
                    talk.send(b"x\r\n")
                talk.socket.settimeout(0.02)
                with contextlib.suppress(TimeoutError):
                    refused = talk.socket.recv(1000).decode()
            assert refused.startswith("421 4.4.2 The message comes too slowly")
        wait_for(lambda: not front.app._site.open)
        assert front.app._site.budget.used == 0
    assert front.recorder.sends == []


def test_a_message_that_stops_coming_is_cut_off() -> None:
    with Front(front_config(data_timeout=Duration(0.2))) as front:
        with front.ready() as talk:
            talk.send(b"Subject: half")
            assert talk.reply().startswith("421 4.4.2 Timed out waiting for the message")
        wait_for(lambda: front.app._site.budget.used == 0)
    assert front.recorder.sends == []


def test_drain_ends_idle_sessions_and_lets_what_is_past_the_dot_finish() -> None:
    with Front(front_config()) as front:
        idle, sending, committing = front.connect(), front.ready(), front.ready()
        sending.send(b"Subject: half\r\n")
        front.recorder.gate.clear()
        committing.send(MAIL + b".\r\n")
        wait_for(lambda: front.recorder.calls == 1)
        drain = asyncio.run_coroutine_threadsafe(front.app.drain(30), front._loop)
        assert idle.reply().startswith("421 4.3.2 ")
        assert sending.reply().startswith("421 4.3.2 ")
        assert front.app.trouble() == "draining"
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", front.port), 5)
        assert not drain.done()
        front.recorder.gate.set()
        assert committing.reply().startswith("250 2.0.0 Ok: queued as ")
        assert committing.reply().startswith("421 4.3.2 ")
        drain.result(30)
        for talk in (idle, sending, committing):
            assert talk.reply() == ""
            talk.close()
    assert len(front.recorder.sends) == 1


def test_drain_cuts_what_does_not_finish_within_the_grace() -> None:
    with Front(front_config()) as front:
        talk = front.ready()
        front.recorder.gate.clear()
        talk.send(MAIL + b".\r\n")
        wait_for(lambda: front.recorder.calls == 1)
        front.call(front.app.drain(0.1))
        assert talk.reply().startswith("421 4.3.2 ")
        talk.close()
    assert front.recorder.sends == []


def test_every_event_has_its_one_line() -> None:
    with Front(front_config()) as front:
        with front.ready() as talk:
            answer = talk.ask((MAIL + b".").decode())
            talk.ask("MAIL FROM:<a@elsewhere.example>")
            talk.ask("RCPT TO:<x@foreign.example>")
            talk.ask("QUIT")
        wait_for(lambda: '"session"' in front.log.getvalue())
        lines = [json.loads(line) for line in front.log.getvalue().splitlines()]
    (accepted,) = [line for line in lines if line["event"] == "accepted"]
    assert accepted["id"] == answer.split()[-1]
    assert accepted["client"] == "127.0.0.1"
    assert (accepted["sender"], accepted["recipients"]) == ("alice@elsewhere.example", ["bob@example.org"])
    assert accepted["origin"] == "inbound"
    (refused,) = [line for line in lines if line["event"] == "refused"]
    assert (refused["rule"], refused["verb"], refused["reply"]) == ("relay.hosted", "RCPT", "550 5.7.1 Relaying denied")
    (session,) = [line for line in lines if line["event"] == "session"]
    assert (session["end"], session["messages"], session["errors"]) == ("quit", 1, 1)
    assert session["commands"] == 7  # EHLO, MAIL, RCPT, DATA, MAIL, RCPT, QUIT


def test_a_site_without_a_users_file_offers_no_authentication() -> None:
    config = msgspec.structs.replace(front_config(), hostname="h.example")
    with Front(config) as front, front.connect() as talk:
        assert "AUTH" not in talk.ask("EHLO c.example")
        assert talk.ask("AUTH PLAIN x").startswith("502 5.5.1")
        assert talk.ask("STARTTLS").startswith("502 5.5.1")


def test_no_session_counts_as_receiving_once_its_content_has_ended() -> None:
    with Front(front_config()) as front:
        arena = front.app._site.arena
        with front.ready() as one, front.ready() as two:
            wait_for(lambda: arena.receiving == 2)
            one.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
            assert one.reply().startswith("250 ")
            assert arena.receiving == 1
            two.close()
            wait_for(lambda: arena.receiving == 0)
            assert one.ask("NOOP").startswith("250 ")
        assert arena.receiving == 0


def test_a_message_whose_turn_to_the_broker_does_not_come_is_answered_in_time() -> None:
    with Front(front_config(buffer=160_000, confirm_timeout=Duration(0.3))) as front:
        leaving = front.app._site.budget.leaving
        front.call(leaving.enter(20_000))
        with front.ready() as talk:
            talk.socket.settimeout(10)
            talk.send(MAIL + b".\r\n")
            assert talk.reply().startswith("451 4.3.2 ")
            assert front.recorder.calls == 0
            front.soon(lambda: leaving.leave(20_000))
            assert begin(talk).startswith("250 ")
            assert talk.ask("RCPT TO:<bob@example.org>").startswith("250 ")
            assert talk.ask("DATA").startswith("354")
            assert talk.ask((MAIL + b".").decode()).startswith("250 ")
        assert front.app._site.budget.used == 0
    assert len(front.recorder.sends) == 1
