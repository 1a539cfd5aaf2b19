"""Call-out verification at the door: real SMTP servers are asked about recipients, and scripted in what they say."""

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
import trustme

from shared.config.model import Config, Hosted
from shared.config.strangers import CallOut
from shared.config.units import Duration
from tests.support.front import STRANGER, TRUSTED, Front, front_config
from tests.support.smtp_server import Delay, Drop, Hang, Reset, SmtpServer, Step
from tests.support.waiting import wait_for

UNKNOWN = "550 5.1.1 No such recipient: the mail server of the domain refuses it"
LATER = "451 4.4.3 The recipient cannot be verified now, try again later"
OK = "250 2.1.5 Ok"


def door(*hops: SmtpServer | int, **settings: Any) -> Config:
    """Return a configuration that asks these servers, or ports where nobody listens, about example.org."""
    ports = tuple(f"127.0.0.1:{hop if isinstance(hop, int) else hop.port}" for hop in hops)
    config = front_config(call_out=CallOut(**settings))
    hosted = {"example.org": Hosted(next_hop=(*ports, "mx"), verify="call-out"), "plain.example": "127.0.0.1:9"}
    return msgspec.structs.replace(config, relay=msgspec.structs.replace(config.relay, hosted=hosted))


def answer(front: Front, *recipients: str, source: str = STRANGER) -> list[str]:
    """Return the replies to RCPT of one session."""
    with front.connect(source) as talk:
        talk.ask("EHLO client.example")
        talk.ask("MAIL FROM:<a@elsewhere.example>")
        return [talk.ask(f"RCPT TO:<{recipient}>") for recipient in recipients]


def calls(front: Front) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in front.log.getvalue().splitlines())
    return [line for line in lines if line["event"] == "call-out"]


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer(script={"RCPT nobody@example.org": "550 5.1.1 unknown"}) as running:
        yield running


def test_a_recipient_is_asked_about_once_and_no_mail_is_sent(server: SmtpServer) -> None:
    with Front(door(server)) as front:
        for _ in range(3):
            assert answer(front, "bob@example.org", "Bob@EXAMPLE.org") == [OK, OK]
            assert answer(front, "nobody@example.org") == [UNKNOWN]
        wait_for(lambda: server.open == 0)
        assert server.commands == [
            *("EHLO relay.example.net", "MAIL FROM:<>", "RCPT TO:<bob@example.org>", "QUIT"),
            *("EHLO relay.example.net", "MAIL FROM:<>", "RCPT TO:<nobody@example.org>", "QUIT"),
        ]
        assert server.transactions == []
        assert [(line["recipient"], line["verdict"]) for line in calls(front)] == [
            ("bob@example.org", "exists"),
            ("nobody@example.org", "refused"),
        ]


def test_the_postmaster_trusted_clients_and_other_domains_need_no_question(server: SmtpServer) -> None:
    server.script("RCPT", "550 5.1.1 unknown")
    with Front(door(server)) as front:
        assert answer(front, "postmaster", "Postmaster@example.org", "x@plain.example") == [OK] * 3
        assert answer(front, "bob@example.org", source=TRUSTED) == [OK]
        assert answer(front, "bob@foreign.example")[0].startswith("550 5.7.1 Relaying denied")
        assert server.sessions == 0
        assert answer(front, "bob@example.org") == [UNKNOWN]


UNCERTAIN: list[tuple[str, Step]] = [
    ("GREETING", "554 5.7.1 go away"),
    ("GREETING", Drop()),
    ("GREETING", "nonsense"),
    ("MAIL", "550 5.7.1 no bounces"),
    ("RCPT", "450 4.2.0 greylisted"),
    ("RCPT", "554 5.7.1 relay access denied"),
    ("RCPT", Drop()),
    ("RCPT", Reset()),
]


@pytest.mark.parametrize(("key", "step"), UNCERTAIN, ids=[f"{key} {step}" for key, step in UNCERTAIN])
def test_what_says_nothing_of_the_recipient_is_uncertain(server: SmtpServer, key: str, step: Step) -> None:
    server.script(key, step)
    with Front(door(server, uncertain="defer")) as front:
        assert answer(front, "bob@example.org") == [LATER]
        assert answer(front, "bob@example.org") == [LATER]
        assert server.sessions == 1, "for a while that is believed, too"
    with Front(door(server, uncertain="accept")) as front:
        assert answer(front, "bob@example.org") == [OK]


@pytest.mark.parametrize("step", [Drop(), Reset(), Hang(), "500 5.5.1 what"])
def test_how_the_session_ends_does_not_matter(server: SmtpServer, step: Step) -> None:
    server.script("QUIT", step)
    with Front(door(server, uncertain="defer", timeout=Duration(1))) as front:
        assert answer(front, "nobody@example.org", "bob@example.org") == [UNKNOWN, OK]


def test_uncertain_is_not_believed_for_long(server: SmtpServer) -> None:
    server.script("RCPT", "450 4.2.0 later", "250 2.1.5 ok")
    with Front(door(server, uncertain="defer", uncertain_ttl=Duration(0.001))) as front:
        assert answer(front, "bob@example.org") == [LATER]
        wait_for(lambda: answer(front, "bob@example.org") == [OK])


def test_the_next_one_is_asked_if_the_first_does_not_know(server: SmtpServer) -> None:
    with SmtpServer(script={"RCPT": "451 4.3.0 later"}) as first, Front(door(first, server)) as front:
        assert answer(front, "bob@example.org", "nobody@example.org") == [OK, UNKNOWN]
        assert (first.sessions, server.sessions) == (2, 2)


def test_who_is_out_of_reach_is_so_for_all_recipients(server: SmtpServer) -> None:
    server.stop()
    with Front(door(server, uncertain="defer")) as front:
        assert answer(front, "a@example.org", "b@example.org", "c@example.org") == [LATER] * 3
        assert [line["recipient"] for line in calls(front)] == ["a@example.org"]


def test_a_host_that_says_nothing_costs_its_share_of_the_time(server: SmtpServer) -> None:
    with SmtpServer(script={"GREETING": Hang()}) as silent:
        with Front(door(silent, server, timeout=Duration(1))) as front:
            assert answer(front, "nobody@example.org") == [UNKNOWN]
        with Front(door(silent, uncertain="defer", timeout=Duration(0.2))) as front:
            assert answer(front, "nobody@example.org") == [LATER]
            assert "no answer in time" in calls(front)[0]["answer"]


def test_sessions_that_ask_the_same_are_served_by_one_question(server: SmtpServer) -> None:
    server.script("RCPT", Delay(0.5, "550 5.1.1 unknown"))
    with Front(door(server)) as front, ThreadPoolExecutor(8) as clients:
        together = threading.Barrier(8)

        def ask(_: int) -> list[str]:
            together.wait(30)
            return answer(front, "bob@example.org")

        assert list(clients.map(ask, range(8))) == [[UNKNOWN]] * 8
        assert server.sessions == 1


def test_no_more_sessions_at_a_time_than_allowed(server: SmtpServer) -> None:
    """Here one: it ends before the next one begins."""
    server.script("EHLO", Delay(0.05, "250 destination.test"))
    with Front(door(server, max_connections=1)) as front, ThreadPoolExecutor(8) as clients:
        asked = [clients.submit(answer, front, f"u{number}@example.org") for number in range(8)]
        assert [each.result() for each in asked] == [[OK]] * 8
    assert [line.split(" ")[0] for line in server.commands] == ["EHLO", "MAIL", "RCPT", "QUIT"] * 8


def test_a_client_that_leaves_does_not_end_the_question_of_another(server: SmtpServer) -> None:
    server.script("RCPT", Delay(0.5, "550 5.1.1 unknown"))
    with Front(door(server)) as front:
        first = front.connect()
        first.send(b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\n")
        wait_for(lambda: server.sessions == 1)
        first.close()
        assert answer(front, "bob@example.org") == [UNKNOWN]
        assert server.sessions == 1


def test_one_recipient_too_many_is_not_asked_about(server: SmtpServer) -> None:
    config = door(server)
    config = msgspec.structs.replace(config, ingress=msgspec.structs.replace(config.ingress, max_recipients=1))
    with Front(config) as front:
        said = answer(front, "a@example.org", "b@example.org", "nobody@example.org", "A@example.org")
        assert said[0] == OK
        assert [reply[:9] for reply in said[1:]] == ["452 4.5.3"] * 3
        assert server.sessions == 1


DIALOG = (
    b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@example.org>\r\nRCPT TO:<bob@example.org>\r\n"
    b"DATA\r\nSubject: x\r\n\r\n.\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nQUIT\r\n"
)
CODES = ["250", "250", "550", "250", "354", "250", "250", "250", "250", "221", ""]


@pytest.mark.parametrize("cut", range(0, len(DIALOG), 5))
def test_what_comes_while_a_next_hop_is_asked_waits_for_its_turn(asking: Front, cut: int) -> None:
    """In whatever packets: each command has its own reply, in order."""
    with asking.connect() as talk:
        for part in (DIALOG[:cut], DIALOG[cut:]):
            talk.send(part)
            if cut:
                asking.call(asyncio.sleep(0))
        assert [talk.reply()[:3] for _ in CODES] == CODES


@pytest.fixture(scope="module")
def asking() -> Iterator[Front]:
    """An ingress that asks every time."""
    with SmtpServer(script={"RCPT nobody@example.org": "550 5.1.1 unknown"}) as running:
        nothing = Duration(0)
        with Front(door(running, positive_ttl=nothing, negative_ttl=nothing, uncertain_ttl=nothing)) as front:
            yield front


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(context)
    return context


def test_tls_is_used_where_it_is_offered_and_done_without_where_it_fails(tls: ssl.SSLContext) -> None:
    unknown = {"RCPT": "550 5.1.1 unknown"}
    with SmtpServer(tls=tls, script=unknown) as server, Front(door(server)) as front:
        assert answer(front, "bob@example.org") == [UNKNOWN]
        assert [line.split(" ")[0] for line in server.commands[:5]] == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT"]
    with SmtpServer(tls=tls, script={**unknown, "STARTTLS": "454 4.7.0 no"}) as server, Front(door(server)) as front:
        assert answer(front, "bob@example.org") == [UNKNOWN]
        assert server.sessions == 2


def test_what_was_learnt_outlives_a_reload(server: SmtpServer) -> None:
    config = door(server)
    with Front(config) as front:
        assert answer(front, "nobody@example.org") == [UNKNOWN]
        relay = msgspec.structs.replace(config.relay, denied_senders=("a@elsewhere.example",))
        front.soon(front.app.prepare(msgspec.structs.replace(config, relay=relay)))
        wait_for(lambda: answer(front, "nobody@example.org")[0].startswith("503"))
        front.soon(front.app.prepare(config))
        wait_for(lambda: answer(front, "nobody@example.org") == [UNKNOWN])
        assert server.sessions == 1


def test_the_end_of_the_process_waits_for_no_next_hop(server: SmtpServer) -> None:
    server.script("RCPT", Hang())
    with Front(door(server, timeout=Duration(60))) as front:
        talk = front.connect()
        talk.send(b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\n")
        wait_for(lambda: server.sessions == 1)
        front.call(front.app.drain(0.1))
        wait_for(lambda: server.open == 0)
        assert front.call(_tasks()) == []
        talk.close()


async def _tasks() -> list[str]:
    return [repr(task) for task in asyncio.all_tasks() if "CallOuts" in repr(task)]
