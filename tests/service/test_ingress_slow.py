"""Clients that send an octet now and then, or never read: they are cut off or bounded, and others are served."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import pytest
import trustme

from services.ingress.auth.users import add_user
from services.ingress.protocol.connection import COMMAND_OCTETS
from services.ingress.protocol.conversation import Conversation
from shared.config.model import Config
from shared.config.units import Duration, Size
from tests.support.front import TRUSTED, Front, Talk, front_config, with_tls
from tests.support.house import House, running, send
from tests.support.processes import SLUICE
from tests.support.waiting import wait_for

RELAY, SUBMISSION, SUBMISSIONS = range(3)
EHLO = "EHLO client.example"
ENVELOPE = (EHLO, "MAIL FROM:<alice@elsewhere.example>", "RCPT TO:<bob@example.org>")
CLIENTS = 10
EACH = 5
"""Clients of each slow kind."""


@pytest.fixture(scope="module")
def config(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Commands have a second; content has 1,000 octets a second and no time-out but that."""
    folder: Path = tmp_path_factory.mktemp("slow")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
    add_user(folder / "users", "bob@example.org", "correct horse")
    ingress = front_config(command_timeout=Duration(1), minimum_rate=Size(1000), minimum_rate_after=Duration(1))
    return with_tls(ingress, folder / "relay.pem", folder / "users")


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def front(config: Config, request: pytest.FixtureRequest) -> Iterator[Front]:
    with Front(config, loop=request.param) as running:
        yield running


class Drip:
    """A client that sends octet by octet; everything it hears is kept."""

    def __init__(self, talk: Talk, octets: Iterator[int]) -> None:
        self._talk = talk
        self._octets = octets
        self.heard = b""
        self.over = False
        """The server has hung up."""
        talk.socket.settimeout(0.001)

    def drop(self) -> None:
        """Send an octet, and listen."""
        try:
            self._talk.send(bytes([next(self._octets)]))
            while part := self._talk.socket.recv(4096):
                self.heard += part
            self.over = True
        except TimeoutError:
            pass
        except (ConnectionError, ssl.SSLError):
            self.over = True
        if self.over:
            self._talk.close()


def ask(talk: Talk, *lines: str) -> Talk:
    for line in lines:
        assert talk.ask(line)[0] in "23", line
    return talk


def hello(trust: ssl.SSLContext) -> Iterator[int]:
    """Yield the octets of a handshake's first flight."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        trust.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1").do_handshake()
    return iter(outgoing.read())


def secured(front: Front, trust: ssl.SSLContext, listener: int = SUBMISSION) -> Talk:
    talk = ask(front.connect(listener=listener), EHLO, "STARTTLS")
    talk.wrap(trust.wrap_socket(talk.socket, server_hostname="127.0.0.1"))
    return ask(talk, EHLO)


def bare(front: Front, listener: int) -> Talk:
    return Talk(socket.create_connection(("127.0.0.1", front.app.ports[listener]), 30))


def chunk(front: Front) -> Talk:
    talk = ask(front.connect(), *ENVELOPE)
    talk.send(b"BDAT 100000 LAST\r\n")
    return talk


def auth(front: Front, trust: ssl.SSLContext) -> Talk:
    talk = secured(front, trust)
    assert talk.ask("AUTH PLAIN").startswith("334")
    return talk


SLOW = "421 4.4.2 The message comes too slowly"
LATE = "421 4.4.2 "
KINDS: dict[str, tuple[Callable[[Front, ssl.SSLContext], Drip], str]] = {
    "first command": (lambda front, _: Drip(front.connect(), repeat(ord("E"))), LATE),
    "a command": (lambda front, _: Drip(ask(front.connect(), *ENVELOPE), repeat(ord("R"))), LATE),
    "a command under TLS": (lambda front, trust: Drip(secured(front, trust), repeat(ord("R"))), LATE),
    "a response of AUTH": (lambda front, trust: Drip(auth(front, trust), repeat(ord("A"))), LATE),
    "content": (lambda front, _: Drip(ask(front.connect(), *ENVELOPE, "DATA"), repeat(ord("x"))), SLOW),
    "content under TLS": (
        lambda front, trust: Drip(ask(secured(front, trust, RELAY), *ENVELOPE[1:], "DATA"), repeat(ord("x"))),
        SLOW,
    ),
    "a chunk": (lambda front, _: Drip(chunk(front), repeat(ord("x"))), SLOW),
    "handshake by STARTTLS": (
        lambda front, trust: Drip(ask(front.connect(), EHLO, "STARTTLS"), hello(trust)),
        "",
    ),
    "handshake at once": (lambda front, trust: Drip(bare(front, SUBMISSIONS), hello(trust)), ""),
}


def test_who_drips_is_cut_off_and_others_are_served(front: Front, trust: ssl.SSLContext) -> None:
    """All kinds at once; between their octets a well-behaved client sends whole messages."""
    front.recorder.sends.clear()
    drips = [(name, make(front, trust), last) for name, (make, last) in KINDS.items() for _ in range(EACH)]
    served = 0

    def turn() -> bool:
        nonlocal served
        for _, drip, _ in drips:
            if not drip.over:
                drip.drop()
        with front.ready(TRUSTED) as talk:
            talk.send(b"Subject: quick\r\n\r\nx\r\n.\r\n")
            served += talk.reply().startswith("250 2.0.0 Ok: queued as ")
        return all(drip.over for _, drip, _ in drips)

    wait_for(turn, pause=0.2)
    for name, drip, last in drips:
        lines = drip.heard.decode().splitlines()
        assert (lines[-1:] or [""])[0].startswith(last), (name, lines)
    wait_for(lambda: not front.leftovers())
    assert served == len(front.recorder.sends) > 0
    assert front.problems() == []


def push(talk: Talk, octets: bytes, stuck: Callable[[], bool]) -> int:
    """Send octets over and over, reading nothing, until the server has stopped reading; return how many went out."""
    talk.socket.settimeout(0.05)
    sent = 0

    def blocked() -> bool:
        nonlocal sent
        try:
            while True:
                # What is left of one write is the next: what goes out is whole, whenever it stops.
                sent += talk.socket.send(octets[sent % len(octets) :])
        except (TimeoutError, ssl.SSLWantWriteError):
            return stuck()

    wait_for(blocked)
    return sent


def only_session(front: Front) -> Conversation:
    (session,) = front.app._site.open
    return session


def narrow(port: int) -> Talk:
    """Return a greeted session whose client takes few octets before the server's writes must wait."""
    bare = socket.socket()
    bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    bare.connect(("127.0.0.1", port))
    talk = Talk(bare)
    assert talk.reply().startswith("220")
    return talk


@pytest.fixture(params=["uvloop", "asyncio"])
def patient(request: pytest.FixtureRequest) -> Iterator[Front]:
    """Ingress that waits for its clients."""
    with Front(front_config(), loop=request.param) as running:
        yield running


def test_a_client_that_does_not_read_is_bounded_and_loses_nothing(patient: Front) -> None:
    """What waits for it is a few replies and a few commands; once it reads, it gets every reply."""
    with narrow(patient.port) as talk:
        session = only_session(patient)
        line = f"{EHLO}\r\n".encode()
        sent = push(talk, line, lambda: session._paused)
        assert len(session.input) <= 2 * COMMAND_OCTETS
        assert session.transport.get_write_buffer_size() <= 8 * COMMAND_OCTETS
        with patient.connect(TRUSTED) as other:
            assert other.ask("NOOP").startswith("250")
        talk.socket.settimeout(60)
        rest = line[sent % len(line) :] if sent % len(line) else b""
        threading.Thread(target=talk.send, args=(rest + b"QUIT\r\n",)).start()
        asked = (sent + len(rest)) // len(line)
        replies = 0
        while (reply := talk.reply()).startswith("250"):
            replies += 1
        assert reply.startswith("221")
        assert replies == asked
    wait_for(lambda: not patient.leftovers())


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_client_that_never_reads_is_cut_off(front: Front, trust: ssl.SSLContext, *, tls: bool) -> None:
    """After command_timeout, and the seconds that a closed session waits for its client to take the last reply."""
    talk = narrow(front.port)
    if tls:
        ask(talk, EHLO, "STARTTLS")
        talk.wrap(trust.wrap_socket(talk.socket, server_hostname="127.0.0.1"))
    session = only_session(front)
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        push(talk, f"{EHLO}\r\n".encode(), lambda: session.end is not None)
    wait_for(lambda: session.lost)
    wait_for(lambda: not front.leftovers())
    talk.close()


def memory(house: House) -> int:
    """Return the octets of the process that are in memory."""
    lines = Path(f"/proc/{house.process.pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def test_clients_that_read_nothing_take_little_memory(tmp_path: Path) -> None:
    """Each sends commands, whose replies are ten times as long, until nothing more has gone in for a while."""
    with running(tmp_path, [*SLUICE, "up"]) as house, contextlib.ExitStack() as stack:
        before = memory(house)
        for _ in range(CLIENTS):
            pauses = iter(range(10))
            talk = stack.enter_context(narrow(house.ports[0]))
            push(talk, f"{EHLO}\r\n".encode() * 1000, lambda pauses=pauses: next(pauses, None) is None)  # type: ignore[misc]
        assert memory(house) - before < CLIENTS * 64 * COMMAND_OCTETS
        with house.talk(TRUSTED) as talk:
            assert send(talk, "alice@example.org").startswith("250")
