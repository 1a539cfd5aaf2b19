"""Smuggling over real sockets: one message or a clean refusal, however octets are cut, by DATA, by BDAT, before TLS.

What is one message to one server and two to another: tests/support/smuggling.py. Each piece of a stream that is cut is
read by itself (`Front.settle`). The same without sockets, for more streams: test_ingress_splits.py.
"""

import socket
import ssl
from collections.abc import Iterator

import pytest
import trustme

from tests.support.front import TRUSTED, Front, Talk, front_config, with_tls
from tests.support.smuggling import SMUGGLED, TERMINATORS

ENVELOPE = b"MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<bob@example.org>\r\n"
TRUE_END = b"\r\n.\r\n"


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def front(
    request: pytest.FixtureRequest, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("smuggling")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
    with Front(with_tls(front_config(), folder / "relay.pem", folder / "users"), loop=request.param) as running:
        yield running


@pytest.fixture
def talk(front: Front) -> Iterator[Talk]:
    front.recorder.sends.clear()
    front.recorder.calls = 0
    with greeted(front) as talk:
        yield talk


def greeted(front: Front) -> Talk:
    """Connect as a trusted client, who may make many errors."""
    talk = front.connect(TRUSTED)
    talk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    assert talk.ask("EHLO client.example").startswith("250")
    return talk


def send(front: Front, talk: Talk, octets: bytes, cut: int) -> None:
    """Send in two pieces; the server has read the first before the second comes."""
    for piece in (octets[:cut], octets[cut:]):
        if piece:
            talk.send(piece)
            front.settle()


def stored(front: Front) -> list[bytes]:
    """Return and forget the contents published, without the trace field in front."""
    contents = [message.content.partition(b"+0000\r\n")[2] for message in front.recorder.messages]
    front.recorder.sends.clear()
    return contents


@pytest.mark.parametrize("terminator", TERMINATORS, ids=repr)
@pytest.mark.parametrize("pipelined", [True, False], ids=["pipelined", "in turn"])
def test_by_data_a_false_end_is_refused_wherever_it_is_cut(
    front: Front, talk: Talk, terminator: bytes, pipelined: bool
) -> None:
    before = ENVELOPE + b"DATA\r\n"
    attack = b"Subject: x\r\n\r\nhello" + terminator + SMUGGLED + b".\r\n"
    for cut in range(len(attack) + 1):
        if pipelined:
            send(front, talk, before + attack + b"NOOP\r\n", len(before) + cut)
            assert [talk.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
        else:
            talk.send(before)
            assert [talk.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
            send(front, talk, attack + b"NOOP\r\n", cut)
        assert [talk.reply()[:9] for _ in range(2)] == ["550 5.6.0", "250 2.0.0"], cut
    assert front.recorder.calls == 0


@pytest.mark.parametrize("terminator", [*TERMINATORS, TRUE_END], ids=repr)
def test_by_bdat_no_end_is_one_wherever_two_chunks_meet(front: Front, talk: Talk, terminator: bytes) -> None:
    """A chunk may end anywhere, in the middle of a line end too; what it holds is never a command."""
    content = b"Subject: x\r\n\r\nhello" + terminator + SMUGGLED
    for border in range(len(content) + 1):
        chunks = (content[:border], content[border:])
        octets = b"BDAT %d\r\n%bBDAT %d LAST\r\n%b" % (len(chunks[0]), chunks[0], len(chunks[1]), chunks[1])
        talk.send(ENVELOPE + octets + b"NOOP\r\n")
        replies = [talk.reply()[:9] for _ in range(5)]
        assert replies[:2] == ["250 2.1.0", "250 2.1.5"]
        assert replies[4] == "250 2.0.0"
        if terminator == TRUE_END:
            assert replies[2:4] == ["250 2.0.0"] * 2
            assert stored(front) == [content]
        else:
            assert replies[2:4] in (["550 5.6.0", "503 5.5.1"], ["250 2.0.0", "550 5.6.0"]), border
            assert stored(front) == []


MIXTURES = {
    "an end and commands in a chunk": (
        b"BDAT 47 LAST\r\na\r\n.\r\nMAIL FROM:<evil@example.org>\r\nDATA\r\n\r\n.\r\n",
        ["250 2.0.0"],
        [b"a\r\n.\r\nMAIL FROM:<evil@example.org>\r\nDATA\r\n\r\n.\r\n"],
    ),
    "a chunk in content": (
        b"DATA\r\nBDAT 5 LAST\r\nabc\r\n\r\n.\r\n",
        ["354 End d", "250 2.0.0"],
        [b"\r\nBDAT 5 LAST\r\nabc\r\n\r\n"],
    ),
    "a chunk's announcement in a chunk": (
        b"BDAT 20\r\nBDAT 3 LAST\r\nabc\r\n\r\nBDAT 3 LAST\r\ndef",
        ["250 2.0.0", "250 2.0.0"],
        [b"\r\nBDAT 3 LAST\r\nabc\r\n\r\ndef\r\n"],
    ),
    "DATA behind a chunk": (
        b"BDAT 3\r\na\r\nDATA\r\nBDAT 3 LAST\r\nb\r\n",
        ["250 2.0.0", "503 5.5.1", "250 2.0.0"],
        [b"\r\na\r\nb\r\n"],
    ),
    "the end of DATA behind the last chunk": (
        b"BDAT 3 LAST\r\na\r\n.\r\n",
        ["250 2.0.0", "500 5.5.1"],
        [b"\r\na\r\n"],
    ),
    "a second message behind the last chunk": (
        b"BDAT 3 LAST\r\na\r\nBDAT 3 LAST\r\nb\r\n",
        ["250 2.0.0", "503 5.5.1"],
        [b"\r\na\r\n"],
    ),
    "a chunk that is refused, commands in it": (
        b"BDAT 1\r\n\0BDAT 38\r\nMAIL FROM:<evil@example.org>\r\nRSET\r\n\r\nBDAT 0 LAST\r\n",
        ["550 5.6.0", "503 5.5.1", "503 5.5.1"],
        [],
    ),
    "a transaction given up, its next chunk": (
        b"BDAT 3\r\na\r\nRSET\r\nBDAT 6 LAST\r\nQUIT\r\n",
        ["250 2.0.0", "250 2.0.0", "503 5.5.1"],
        [],
    ),
    "a line end over two chunks": (
        b"BDAT 2\r\na\rBDAT 2\r\n\n.BDAT 1\r\n\rBDAT 1 LAST\r\n\n",
        ["250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0"],
        [b"\r\na\r\n.\r\n"],
    ),
    "half a line end at the last chunk's end": (
        b"BDAT 2 LAST\r\na\r",
        ["550 5.6.0"],
        [],
    ),
}


@pytest.mark.parametrize("name", MIXTURES)
def test_chunks_and_data_in_one_stream_wherever_it_is_cut(front: Front, talk: Talk, name: str) -> None:
    octets, expected, contents = MIXTURES[name]
    for cut in range(len(octets) + 1):
        talk.send(ENVELOPE)
        assert [talk.reply()[:3] for _ in range(2)] == ["250", "250"]
        send(front, talk, octets + b"NOOP\r\n", cut)
        assert [talk.reply()[:9] for _ in range(len(expected) + 1)] == [*expected, "250 2.0.0"], cut
        assert [b"\r\n" + content.removeprefix(b"\r\n") for content in stored(front)] == [
            b"\r\n" + content.removeprefix(b"\r\n") for content in contents
        ], cut
        assert talk.ask("RSET").startswith("250")


INJECTED = [
    b"EHLO evil.example\r\n",
    b"EHLO evil.example\r\nMAIL FROM:<evil@elsewhere.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nevil\r\n.\r\n",
    b"MAIL FROM:<evil@elsewhere.example>\r\nRCPT TO:<bob@example.org>\r\nBDAT 4 LAST\r\nevil",
    b"NOOP",
    b"\r\n",
]


@pytest.mark.parametrize("injected", INJECTED)
@pytest.mark.parametrize("opened", [b"", ENVELOPE, ENVELOPE + b"BDAT 3\r\na\r\n"], ids=["", "envelope", "chunk"])
def test_what_stands_behind_starttls_never_counts(
    front: Front, authority: trustme.CA, injected: bytes, opened: bytes
) -> None:
    """Read with STARTTLS, it is thrown away; read after it, it is no handshake, and the connection ends."""
    front.recorder.calls = 0
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    attack = b"STARTTLS\r\n" + injected
    outcomes = set()
    for cut in (*range(1, len(attack)), None):
        with greeted(front) as talk:
            talk.send(opened)
            assert {talk.reply()[:3] for _ in range(opened.count(b"\r\n") - opened.count(b"a\r\n"))} <= {"250"}
            send(front, talk, attack, len(attack) if cut is None else cut)
            assert talk.reply().startswith("220 2.0.0")
            outcomes.add(_after(talk, trust))
    assert outcomes == {"fresh", "ended"}
    assert front.recorder.calls == 0


def _after(talk: Talk, trust: ssl.SSLContext) -> str:
    """Shake hands, and return whether the session has begun afresh or ended; fail on anything else."""
    try:
        talk.wrap(trust.wrap_socket(talk.socket, server_hostname="127.0.0.1"))
    except (ssl.SSLError, ConnectionError):
        return "ended"
    assert talk.ask("MAIL FROM:<b@elsewhere.example>") == "503 5.5.1 Send EHLO first"
    assert talk.ask("BDAT 0 LAST") == "503 5.5.1 Send MAIL first"
    assert talk.ask("EHLO client.example").startswith("250")
    assert talk.ask("RCPT TO:<bob@example.org>") == "503 5.5.1 Send MAIL first"
    return "fresh"
