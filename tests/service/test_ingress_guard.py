"""The guard in real sessions, where a transcript does not show it."""

import base64
import json
from pathlib import Path

import msgspec

from shared.config.model import Mode
from shared.config.strangers import Rate
from tests.support.front import TRUSTED, Front, front_config
from tests.support.lobby import PASSWORD, USER, Lobby, papers
from tests.support.waiting import wait_for


def logged(front: Front, event: str) -> list[dict[str, object]]:
    """Return the log lines of one event."""
    lines = (json.loads(line) for line in front.log.getvalue().splitlines())
    return [line for line in lines if line["event"] == event]


def test_one_connection_too_many_in_a_time_is_refused_by_its_greeting() -> None:
    with Front(front_config(rate=(Rate(per="client", connections="2/h"),))) as front:
        for _ in range(2):
            with front.connect() as talk:
                assert talk.ask("QUIT").startswith("221")
        with front.knock() as talk:
            assert talk.reply() == "421 4.7.0 Too many connections in this time, try again later"
            assert talk.reply() == ""
        for _ in range(3):
            front.connect(TRUSTED).close()
        assert [line["rule"] for line in logged(front, "refused")] == ["ingress.rate.connections"]


def test_content_that_is_never_finished_counts() -> None:
    """Else a client could have its octets for nothing by hanging up before the final dot."""
    with Front(front_config(rate=(Rate(per="client", bytes="1000B/h"),))) as front:
        with front.ready() as talk:
            talk.send(b"x" * 2000 + b"\r\n")
        wait_for(lambda: len(logged(front, "session")) == 1)
        with front.connect() as talk:
            talk.ask("HELO c.example")
            assert talk.ask("MAIL FROM:<>").startswith("450 4.7.1 Too much mail")


def test_users_are_limited_by_name_wherever_they_come_from(tmp_path: Path) -> None:
    login = b"AUTH PLAIN " + base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
    with Lobby(papers(tmp_path), rate=(Rate(per="user", connections="2/h", messages="1/h"),)) as lobby:

        async def submit(address: str) -> list[str]:
            caller = await lobby.call(address, Mode.SUBMISSIONS)
            return [(await caller.ask(line))[:9] for line in (b"EHLO c.example", login, b"MAIL FROM:<>")]

        assert lobby.run(submit("203.0.113.1"))[1:] == ["235 2.7.0", "250 2.1.0"]
        assert lobby.run(submit("203.0.113.2"))[1:] == ["235 2.7.0", "450 4.7.1"]
        assert lobby.run(submit_refused(lobby, login)) == ["421 4.7.0", ""]


async def submit_refused(lobby: Lobby, login: bytes) -> list[str]:
    """Return the reply to AUTH and what comes after it."""
    caller = await lobby.call("203.0.113.3", Mode.SUBMISSIONS)
    await caller.ask(b"EHLO c.example")
    return [(await caller.ask(login))[:9], (await caller.reply())]


def test_a_reload_changes_rules_and_keeps_counts() -> None:
    rate = Rate(per="client", messages="2/h")
    config = front_config(rate=(rate,))
    with Front(config) as front, front.connect() as talk:
        talk.ask("HELO c.example")
        assert talk.ask("MAIL FROM:<>").startswith("250")
        relay = msgspec.structs.replace(config.relay, denied_clients=("127.0.0.5/32",))
        front.soon(front.app.prepare(msgspec.structs.replace(config, relay=relay)))
        wait_for(lambda: _greeted("127.0.0.5", front).startswith("554"))
        answers = [(talk.ask("RSET")[:3], talk.ask("MAIL FROM:<>")[:3]) for _ in range(2)]
        assert answers == [("250", "250"), ("250", "450")]


def _greeted(source: str, front: Front) -> str:
    with front.knock(source) as talk:
        return talk.reply()
