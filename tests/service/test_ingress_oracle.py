"""Every kind of client with every kind of sender and recipient, against an oracle that shares no code with the policy;
and nothing of an earlier transaction, finished or given up, in a later one.
"""

import base64
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.model import Mode
from tests.support.effort import effort
from tests.support.lobby import PASSWORD, STRANGER, TRUSTED, USER, Lobby, essence, papers
from tests.support.oracle import RECIPIENTS, SENDERS, Address, From, To, Who, is_allowed, mail_code, rcpt_code
from tests.support.wire import Caller

CLIENTS = [
    Who(),
    Who(trusted=True),
    Who(user=True),
    Who(submission=True),
    Who(submission=True, trusted=True),
    Who(submission=True, user=True),
]


@pytest.fixture(scope="module")
def lobby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lobby]:
    with Lobby(papers(tmp_path_factory.mktemp("oracle"))) as running:
        yield running


async def arrive(lobby: Lobby, who: Who) -> Caller:
    mode = Mode.SUBMISSION if who.submission else Mode.RELAY
    caller = await lobby.call(TRUSTED if who.trusted else STRANGER, mode)
    if who.user:
        await caller.ask(b"EHLO c.example")
        assert (await caller.ask(b"STARTTLS")).startswith("220")
        await caller.start_tls(lobby.trust)
        await caller.ask(b"EHLO c.example")
        secret = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
        assert (await caller.ask(b"AUTH PLAIN " + secret)).startswith("235")
    await caller.ask(b"EHLO c.example")
    return caller


async def judge(lobby: Lobby, who: Who, sender: Address, recipients: list[Address]) -> None:
    """Hold one transaction and compare each reply, and the item, with the oracle."""
    assert isinstance(sender.kind, From)
    caller = await arrive(lobby, who)
    code = (await caller.ask(f"MAIL FROM:{sender.text}".encode()))[:3]
    assert code in mail_code(who, sender.kind), (who, sender, code)
    wanted: dict[str, None] = {}
    for recipient in recipients:
        assert isinstance(recipient.kind, To)
        answer = (await caller.ask(f"RCPT TO:{recipient.text}".encode()))[:3]
        expected = rcpt_code(who, recipient.kind) if code == "250" else {"503", "530"}
        assert answer in expected, (who, sender, recipient, answer)
        if answer == "250":
            wanted[recipient.canonical] = None
    answer = (await caller.ask(b"DATA"))[:3]
    assert answer == ("354" if wanted else "554" if code == "250" else "503"), (who, sender, answer)
    if wanted:
        assert (await caller.ask(b"From: carol@example.org\r\n\r\nhello\r\n.")).startswith("250 2.0.0")
        (message,) = lobby.taken()
        envelope = message.item.envelope
        assert envelope.sender == (sender.canonical or None)
        assert [recipient.address for recipient in envelope.recipients] == [*wanted]
        assert str(message.item.origin) == who.origin
        assert all(is_allowed(who.origin, address) for address in wanted)
    await caller.ask(b"QUIT")
    assert lobby.taken() == []


@pytest.mark.parametrize("who", CLIENTS, ids=repr)
def test_the_table(lobby: Lobby, who: Who) -> None:
    """Recipients by groups, so that no session ends for its errors."""
    senders = [address for address in SENDERS if not who.user or address.kind is not From.MALFORMED]
    for sender in senders:
        for start in range(0, len(RECIPIENTS), 12):
            lobby.run(judge(lobby, who, sender, RECIPIENTS[start : start + 12]))
    assert lobby.problems() == []


EARLIER = [
    b"MAIL FROM:<evil@elsewhere.example> SIZE=5000 BODY=8BITMIME RET=FULL ENVID=leak SMTPUTF8",
    b"MAIL FROM:<>",
    b"RCPT TO:<leak@example.org> NOTIFY=NEVER ORCPT=rfc822;leak@example.org",
    b"RCPT TO:<leak@foreign.example>",
    b"DATA\r\nSubject: leak\r\n\r\nleak\r\n.",
    b"DATA\r\nSubject: leak\r\n\r\nbare\nleak\r\n.",
    b"AUTH PLAIN AGV2aWwAeA==",
    b"HELO leak.example",
    b"EHLO leak.example",
    b"NOOP leak",
    b"\xff",
]
MOST = 3
"""A refused DATA makes six errors of itself and its content; twenty end a stranger's session."""
LATER = [
    b"MAIL FROM:<a@elsewhere.example>",
    b"RCPT TO:<bob@example.org>",
    b"DATA\r\nSubject: x\r\n\r\nhello\r\n.",
    b"QUIT",
]


@effort(300)
@given(
    st.lists(st.sampled_from(EARLIER), max_size=MOST),
    st.sampled_from([b"EHLO c.example", b"HELO c.example"]),
    st.sampled_from([b"", b"RSET"]),
    st.sampled_from([STRANGER, TRUSTED]),
)
def test_nothing_leaks_into_the_next_transaction(
    lobby: Lobby, earlier: list[bytes], hello: bytes, reset: bytes, peer: str
) -> None:
    """A greeting (and RSET after it) forgets all: what follows gives the item of a fresh session."""
    last = [hello, *([reset] if reset else []), *LATER]
    fresh = lobby.converse([b"\r\n".join([*last, b""])], peer)
    (expected,) = [essence(message) for message in lobby.taken()]
    used = lobby.converse([b"\r\n".join([b"EHLO first.example", *earlier, *last, b""])], peer)
    assert [essence(message) for message in lobby.taken()][-1] == expected
    assert used.count(b"\r\n221 ") == fresh.count(b"\r\n221 ") == 1


@effort(40)
@given(st.lists(st.sampled_from(EARLIER), max_size=MOST), st.sampled_from([b"", *LATER[:2], b"EHLO evil.example"]))
def test_nothing_leaks_past_starttls(lobby: Lobby, earlier: list[bytes], injected: bytes) -> None:
    """Nor does what was said, or injected behind STARTTLS in its packet, count once TLS is active."""

    async def talk(before: list[bytes]) -> object:
        caller = await lobby.call()
        for line in before:
            reply = await caller.ask(line)
            if reply.startswith("354"):
                await caller.reply()
            elif line.startswith(b"DATA"):  # refused: its three lines of content were commands
                for _ in range(line.count(b"\n")):
                    await caller.reply()
        lobby.taken()
        await caller.send(b"STARTTLS\r\n" + injected + b"\r\n" * bool(injected))
        assert (await caller.reply()).startswith("220")
        await caller.start_tls(lobby.trust)
        assert (await caller.ask(LATER[0])).startswith("503")
        assert (await caller.ask(LATER[1])).startswith("503")
        assert (await caller.ask(b"EHLO c.example")).startswith("250")
        for line in LATER[:2]:
            assert (await caller.ask(line)).startswith("250")
        assert (await caller.ask(b"DATA")).startswith("354")
        assert (await caller.ask(b"Subject: x\r\n\r\nhello\r\n.")).startswith("250")
        assert (await caller.ask(b"QUIT")).startswith("221")
        (message,) = lobby.taken()
        return essence(message)

    assert lobby.run(talk([b"EHLO first.example", *earlier])) == lobby.run(talk([]))
    assert lobby.problems() == []
