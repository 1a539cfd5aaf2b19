"""Whatever octets come, in whatever packets: one reply to each command, a durable item for each 250, and no crash."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.config.strangers import Dnsbl, Rate
from shared.dns.resolver import DnsResolver
from tests.support.dns_server import DnsServer
from tests.support.effort import effort
from tests.support.lobby import STRANGER, TRUSTED, Lobby, papers
from tests.support.observing import observed
from tests.support.oracle import RECIPIENTS, SENDERS
from tests.support.smuggling import SMUGGLED, TERMINATORS

HELLO = [b"EHLO c.example\r\n", b"HELO c.example\r\n", b"EHLO\r\n", b"EHLO [1.2.3.4]\n", b"ehlo a b\r\n"]
MAIL = [f"MAIL FROM:{address.text}\r\n".encode() for address in SENDERS]
RCPT = [f"RCPT TO:{address.text}\r\n".encode() for address in RECIPIENTS]
PARAMS = [
    b"MAIL FROM:<a@elsewhere.example> SIZE=99999999999999999999\r\n",
    b"MAIL FROM:<a@elsewhere.example> SIZE=10 BODY=8BITMIME RET=HDRS ENVID=a+2Bb SMTPUTF8\r\n",
    b"RCPT TO:<bob@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob+2B@example.org\r\n",
    b"BDAT 3 LAST\r\nabc",
    b"BDAT 12\r\nSubject: x\r\n",
    b"BDAT 0 LAST\r\n",
    b"BDAT 99999999999999999999\r\n",
    b"BDAT -1\r\n",
]
OTHER = [
    b"RSET\r\n",
    b"NOOP\r\n",
    b"VRFY bob\r\n",
    b"EXPN staff\r\n",
    b"HELP\r\n",
    b"AUTH PLAIN AGJvYgB4\r\n",
    b"AUTH LOGIN\r\n",
    b"STARTTLS now\r\n",
    b"STARTTLS\r\n",
    b"QUIT\r\n",
    b"GET / HTTP/1.1\r\n",
    b"XCLIENT ADDR=127.0.0.2\r\n",
    b"PROXY TCP4 127.0.0.2 127.0.0.1 1 25\r\n",
    b"\r\n",
    b"\n",
    b" \r\n",
    b"\xff\xfe\r\n",
    b"NOOP\x00\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\n",
    b"x" * 5000 + b"\r\n",
    b"AUTH " + b"x" * 13000 + b"\r\n",
]
CONTENT = [
    b"DATA\r\n",
    b"DATA\n",
    b"Subject: x\r\n\r\nhello\r\n.\r\n",
    b".\r\n",
    b"..\r\n.\r\n",
    b"\r\n.\r\n",
    b"x" * 1200 + b"\r\n.\r\n",
    b"Received: by h; d\r\n" * 60 + b"\r\n.\r\n",
    b"\0\r\n.\r\n",
    SMUGGLED,
]
PIECES = [*HELLO, *MAIL, *RCPT, *PARAMS, *OTHER, *CONTENT, *TERMINATORS]
START = b"EHLO c.example\r\nMAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<bob@example.org>\r\n"

streams = st.builds(
    lambda start, pieces: start + b"".join(pieces),
    st.sampled_from([b"", START, START + b"DATA\r\n"]),
    st.lists(st.sampled_from(PIECES) | st.binary(max_size=12), max_size=14),
)
MANY_ERRORS = b"BOGUS\r\n" * 30


@pytest.fixture(scope="module")
def lobby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lobby]:
    with Lobby(papers(tmp_path_factory.mktemp("splits"))) as running:
        yield running


@effort(700)
@given(streams, st.sampled_from([STRANGER, TRUSTED]), st.lists(st.integers(0, 4000), max_size=12), st.integers(0, 3))
def test_the_packets_make_no_difference(lobby: Lobby, stream: bytes, peer: str, places: list[int], turns: int) -> None:
    cuts = sorted(place % (len(stream) + 1) for place in places)
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert observed(lobby, pieces, peer, turns) == observed(lobby, [stream], peer)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lobby]:
    """It asks DNS, which knows nothing, about every stranger, counts everything and refuses nothing for it."""
    plenty = Rate(per="client", connections="1000000/s", messages="1000000/s", recipients="1000000/s", bytes="1GiB/s")
    settings = {"dnsbl": Dnsbl(zones=("bl.example",)), "reverse_dns": True, "rate": (plenty,)}
    with DnsServer() as dns:
        made = Lobby(papers(tmp_path_factory.mktemp("guarded")), **settings)
        made.resolver = DnsResolver((dns.address,))
        with made as running:
            yield running


@effort(200)
@given(streams, st.sampled_from([STRANGER, TRUSTED]), st.lists(st.integers(0, 4000), max_size=6), st.integers(0, 3))
@example(START + b"RCPT TO:<alice@listed.example>\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n", STRANGER, [60, 61, 62, 90], 1)
def test_a_recipient_that_is_asked_about_makes_no_difference(
    lobby: Lobby, guarded: Lobby, stream: bytes, peer: str, places: list[int], turns: int
) -> None:
    """Whatever comes meanwhile waits for its turn."""
    cuts = sorted(place % (len(stream) + 1) for place in places)
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert observed(guarded, pieces, peer, turns) == observed(lobby, [stream], peer)


@effort(150)
@given(streams, st.sampled_from([STRANGER, TRUSTED]))
@example(MANY_ERRORS, STRANGER)
def test_octet_by_octet(lobby: Lobby, stream: bytes, peer: str) -> None:
    stream = stream[:1500]
    assert observed(lobby, [bytes([octet]) for octet in stream], peer) == observed(lobby, [stream], peer)


@effort(400)
@given(st.lists(st.binary(max_size=200), max_size=6), st.sampled_from([b"", START, START + b"DATA\r\n"]))
def test_arbitrary_octets(lobby: Lobby, pieces: list[bytes], start: bytes) -> None:
    observed(lobby, [start, *pieces], STRANGER)


@pytest.mark.parametrize("terminator", TERMINATORS, ids=repr)
def test_each_terminator_cut_at_each_octet(lobby: Lobby, terminator: bytes) -> None:
    """One refusal or one message; what is behind a false end is never a command."""
    attack = START + b"DATA\r\nSubject: x\r\n\r\nhello" + terminator + SMUGGLED + b".\r\nNOOP\r\n"
    whole = observed(lobby, [attack], STRANGER)
    assert len(whole.messages) <= 1
    for cut in range(len(START), len(attack)):
        assert observed(lobby, [attack[:cut], attack[cut:]], STRANGER) == whole
