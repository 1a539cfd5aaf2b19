"""Clients that leave, in every state and every way: what they began is undone, what they finished is done once.

Over real sockets on both event loops. After each, the server's sessions, counts, budget and sockets are as before.
"""

import base64
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from services.ingress.auth.users import add_user
from shared.config.model import Config
from tests.support.front import Front, Talk, front_config, with_tls
from tests.support.waiting import wait_for

RELAY, SUBMISSION, SUBMISSIONS = range(3)
EHLO = "EHLO client.example"
MAIL = "MAIL FROM:<alice@elsewhere.example> SIZE=500000"
RCPT = "RCPT TO:<bob@example.org>"
HEADER = b"From: a@elsewhere.example\r\nSubject: x\r\n\r\n"
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close at once, by RST."""


class State(NamedTuple):
    """How far a client has come: commands it had its replies to, then octets to which it has had none."""

    asked: tuple[str, ...] = ()
    sent: bytes = b""
    reserved: bool = False
    """Some of the budget is held for it."""


ENVELOPE = (EHLO, MAIL, RCPT)
STATES: dict[str, State] = {
    "after the greeting": State(),
    "within a command": State((), b"EHLO clie"),
    "after EHLO": State((EHLO,)),
    "after MAIL": State((EHLO, MAIL)),
    "after RCPT": State(ENVELOPE),
    "within a pipelined group": State((EHLO,), f"{MAIL}\r\n{RCPT}\r\n{RCPT}\r\nDA".encode()),
    "after DATA": State((*ENVELOPE, "DATA"), b"", reserved=True),
    "within the header": State((*ENVELOPE, "DATA"), b"Subject: hal", reserved=True),
    "within the content": State((*ENVELOPE, "DATA"), HEADER + b"x" * 70 + b"\r\n" * 5000, reserved=True),
    "before the last LF": State((*ENVELOPE, "DATA"), HEADER + b"x\r\n.\r", reserved=True),
    "within a chunk": State(ENVELOPE, b"BDAT 1000\r\n" + HEADER, reserved=True),
    "between chunks": State((*ENVELOPE, "BDAT 0"), b"", reserved=True),
    "within the last chunk": State(ENVELOPE, b"BDAT 1000 LAST\r\n" + HEADER, reserved=True),
}


def reset(talk: Talk) -> None:
    """Break the connection."""
    talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    talk.close()


def half_close(talk: Talk) -> None:
    """Send FIN and read on until the server closes as well."""
    talk.socket.shutdown(socket.SHUT_WR)
    with contextlib.suppress(OSError):
        while talk.socket.recv(65536):
            pass
    talk.close()


def leave(talk: Talk) -> None:
    """Close without a word."""
    talk.close()


WAYS = (reset, half_close, leave)
Way = Callable[[Talk], None]


@pytest.fixture(scope="module")
def config(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder: Path = tmp_path_factory.mktemp("hangups")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
    add_user(folder / "users", "bob@example.org", "correct horse")
    return with_tls(front_config(), folder / "relay.pem", folder / "users")


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def front(config: Config, request: pytest.FixtureRequest) -> Iterator[Front]:
    with Front(config, loop=request.param) as running:
        yield running


@pytest.fixture(scope="module")
def idle(front: Front) -> int:
    """How many sockets are open while there is no client."""
    assert front.leftovers() == []
    return sockets()


@pytest.fixture(autouse=True)
def _as_before(front: Front, idle: int) -> Iterator[None]:
    """Nothing stays of any client, and a following one is served."""
    front.recorder.sends.clear()
    front.recorder.calls = 0
    front.recorder.gate.set()
    yield
    wait_for(lambda: not front.leftovers())
    wait_for(lambda: sockets() <= idle)
    assert front.problems() == []
    published = len(front.recorder.sends)
    with front.ready() as talk:
        talk.send(HEADER + b"following\r\n.\r\n")
        assert talk.reply().startswith("250 2.0.0 Ok: queued as ")
    assert len(front.recorder.sends) == published + 1


def sockets() -> int:
    """Return how many sockets client and server have open: all of them are this process's."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(descriptor.readlink()).startswith("socket:")
    return count


def secured(front: Front, trust: ssl.SSLContext, listener: int = RELAY) -> Talk:
    """Return a greeted session under TLS."""
    if listener == SUBMISSIONS:
        bare = socket.create_connection(("127.0.0.1", front.app.ports[listener]), 30)
        talk = Talk(trust.wrap_socket(bare, server_hostname="127.0.0.1"))
        assert talk.reply().startswith("220")
        return talk
    talk = front.connect(listener=listener)
    talk.ask(EHLO)
    assert talk.ask("STARTTLS").startswith("220")
    talk.wrap(trust.wrap_socket(talk.socket, server_hostname="127.0.0.1"))
    return talk


def reach(front: Front, talk: Talk, state: State) -> None:
    """Bring a session into a state, as far as the network lets one know."""
    for line in state.asked:
        assert talk.ask(line)[0] in "23", line
    talk.send(state.sent)
    if state.reserved:
        wait_for(lambda: front.app._site.budget.used >= 500_000)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", STATES)
def test_a_client_that_leaves_before_the_end_leaves_nothing(front: Front, name: str, way: Way) -> None:
    talk = front.connect()
    reach(front, talk, STATES[name])
    way(talk)
    wait_for(lambda: not front.leftovers())
    assert front.recorder.calls == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", STATES)
def test_the_same_under_tls(front: Front, trust: ssl.SSLContext, name: str, way: Way) -> None:
    """The end comes without close_notify, as when somebody on the way cuts the connection."""
    talk = secured(front, trust)
    reach(front, talk, STATES[name])
    way(talk)
    wait_for(lambda: not front.leftovers())
    assert front.recorder.calls == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("listener", [RELAY, SUBMISSIONS])
def test_a_client_that_leaves_before_the_greeting(front: Front, listener: int, way: Way) -> None:
    for _ in range(20):
        way(Talk(socket.create_connection(("127.0.0.1", front.app.ports[listener]), 30)))


ENDS = {"a dot": ("DATA", b"x\r\n.\r\n"), "the last chunk": (None, b"BDAT 3 LAST\r\nx\r\n")}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("end", ENDS)
def test_past_the_end_a_message_is_published_once(
    front: Front, trust: ssl.SSLContext, end: str, way: Way, *, tls: bool
) -> None:
    """BROKER.md 23: a client that is gone must neither lose nor double what it was about to be told."""
    talk = secured(front, trust) if tls else front.connect()
    command, last = ENDS[end]
    reach(front, talk, State((*ENVELOPE, command) if command else ENVELOPE))
    front.recorder.gate.clear()
    talk.send(last)
    wait_for(lambda: front.recorder.calls == 1)
    if way is half_close:  # it reads until the server closes, which is after the reply
        talk.socket.shutdown(socket.SHUT_WR)
        front.recorder.gate.set()
        if not tls:
            assert talk.reply().startswith("250 2.0.0 Ok: queued as ")
        talk.close()
    else:
        way(talk)
        front.recorder.gate.set()
    wait_for(lambda: not front.leftovers())
    assert front.recorder.calls == len(front.recorder.sends) == 1


@pytest.mark.parametrize("way", WAYS)
def test_messages_in_front_of_one_that_is_cut_off_are_published(front: Front, way: Way) -> None:
    """Three in one write, the third without its end."""
    one = f"{MAIL}\r\n{RCPT}\r\nDATA\r\n".encode() + HEADER + b"x\r\n"
    talk = front.connect()
    talk.ask(EHLO)
    talk.send(one + b".\r\n" + one + b".\r\n" + one)
    wait_for(lambda: front.recorder.calls == 2)
    way(talk)
    wait_for(lambda: not front.leftovers())
    assert len(front.recorder.sends) == 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("part", ["AUTH PLAIN", "AUTH LOGIN", "AUTH SCRAM-SHA-256", "within a response"])
def test_within_auth(front: Front, trust: ssl.SSLContext, part: str, way: Way) -> None:
    talk = secured(front, trust, SUBMISSION)
    talk.ask(EHLO)
    assert talk.ask("AUTH PLAIN" if part == "within a response" else part).startswith("334")
    if part == "within a response":
        talk.send(base64.b64encode(b"\0bob@example.org\0correct horse")[:20])
    way(talk)


@pytest.mark.parametrize("way", WAYS)
def test_while_a_password_is_hashed(front: Front, trust: ssl.SSLContext, way: Way) -> None:
    talk = secured(front, trust, SUBMISSION)
    talk.ask(EHLO)
    talk.send(b"AUTH PLAIN " + base64.b64encode(b"\0bob@example.org\0wrong") + b"\r\n")
    way(talk)


def client_hello(trust: ssl.SSLContext) -> bytes:
    """Return the first flight of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        trust.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1").do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("part", ["nothing", "half a hello", "a hello", "the server's flight"])
@pytest.mark.parametrize("listener", [RELAY, SUBMISSION, SUBMISSIONS])
def test_within_the_handshake(front: Front, trust: ssl.SSLContext, listener: int, part: str, way: Way) -> None:
    if listener == SUBMISSIONS:
        talk = Talk(socket.create_connection(("127.0.0.1", front.app.ports[listener]), 30))
    else:
        talk = front.connect(listener=listener)
        talk.ask(EHLO)
        assert talk.ask("STARTTLS").startswith("220")
    hello = client_hello(trust)
    talk.send({"nothing": b"", "half a hello": hello[: len(hello) // 2]}.get(part, hello))
    if part == "the server's flight":
        assert talk.socket.recv(65536)
    way(talk)
