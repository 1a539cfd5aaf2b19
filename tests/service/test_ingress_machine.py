"""Any order of commands, in any packets, at any listener: one reply to each, judged by a model of the session; exactly
one durable item for each 250 after the dot, with what this transaction said and nothing of another.
"""

from collections.abc import Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.config.model import Mode
from shared.errors import BrokerError, BrokerFull, MessageTooLarge
from tests.support.effort import effort
from tests.support.lobby import PASSWORD, Lobby, papers
from tests.support.oracle import RECIPIENTS, SENDERS, From, To, mail_code, rcpt_code
from tests.support.session_model import (
    MAIL_PARAMS,
    MAX_RECIPIENTS,
    MAX_SIZE,
    RCPT_PARAMS,
    Step,
    bdat,
    hello,
    mail,
    plain,
    rcpt,
    reset,
)
from tests.support.smuggling import SMUGGLED, TERMINATORS
from tests.support.visitor import Visitor

PLAIN = [
    plain(b"NOOP", "250"),
    plain(b"noop anything", "250"),
    plain(b"VRFY bob", "252"),
    plain(b"HELP", "214"),
    plain(b"EXPN staff", "502"),
    plain(b"", "500"),
    plain(b"BOGUS", "500"),
    plain(b"NOOP \xff", "500"),
    plain(b"NOOP \x00", "500"),
    plain(b"x" * 5000, "500"),
    plain(b"EHLO bad name", "501"),
    plain(b"HELO", "501"),
    plain(b"RSET now", "501"),
    plain(b"DATA now", "501"),
    plain(b"XCLIENT ADDR=127.0.0.2", "500"),
]
PREPARED = [mail(SENDERS[1], []), mail(SENDERS[6], []), rcpt(RECIPIENTS[0], []), rcpt(RECIPIENTS[9], [])]
"""What most clients may say: so that more than refusals is seen."""
CHUNKS = [
    b"",
    b"Subject: x\r\n\r\nhello\r\n",
    b".\r\n",
    b"\r\n.\r\nQUIT\r\n",
    b"cut\r",
    b"\n",
    b"RSET",
    b"BDAT 5\r\n",
    b"a\nb",
    b"\0",
    b"x" * (MAX_SIZE // 2),
]
mails = st.builds(mail, st.sampled_from(SENDERS), st.lists(st.sampled_from(MAIL_PARAMS), max_size=2))
rcpts = st.builds(rcpt, st.sampled_from(RECIPIENTS), st.lists(st.sampled_from(RCPT_PARAMS), max_size=2))
hellos = st.builds(hello, st.sampled_from(["a.example", "b.example", "[192.0.2.1]"]), extended=st.booleans())
bdats = st.builds(bdat, st.sampled_from(CHUNKS), last=st.booleans())
others = st.one_of(st.sampled_from(PLAIN), hellos, st.builds(reset))
steps = st.lists(st.one_of(mails, rcpts, bdats, st.sampled_from(PREPARED), others), max_size=6)
cuts = st.lists(st.integers(0, 2000), max_size=5)

LINES = [b"Subject: x", b"", b"hello", b".", b"..", b". dot", b"x" * 1500, b"From: carol@example.org", b"\xc3\xbc"]
CONTENT = st.lists(st.sampled_from(LINES), max_size=6)
FAULTY = [
    *(b"Subject: x\r\n\r\nhello" + terminator + SMUGGLED for terminator in TERMINATORS),
    b"a\0b\r\n",
    b"x\r\n" * (MAX_SIZE // 3 + 1),
    b"Received: by h; d\r\n" * 60 + b"\r\n",
]
LEAVE = ["quit", "half-close", "reset", "other protocol", "shutdown"]
OUTCOMES = [
    (None, "250"),
    (None, "250"),
    (BrokerError("away"), "451"),
    (BrokerFull("full"), "452"),
    (MessageTooLarge("large"), "552"),
]


class Sessions(RuleBasedStateMachine):
    """One client after the other; each rule is something that a client, or the broker, does."""

    def __init__(self, lobby: Lobby) -> None:
        super().__init__()
        self.lobby = lobby
        self.visitor = Visitor(lobby)

    def teardown(self) -> None:
        """Nothing is left of the sessions."""
        self.lobby.recorder.reason = self.lobby.recorder.error = None
        self.lobby.run(self.visitor.give_up())
        assert self.lobby.leftovers() == []
        assert self.lobby.taken() == []

    @invariant()
    def nothing_unasked(self) -> None:
        """No crash, no message and no reply but those that a rule has looked for."""
        assert self.lobby.problems() == []
        assert self.lobby.taken() == []
        if self.visitor.caller is not None:
            assert self.visitor.caller.unread() == b""

    # The client.

    @initialize()
    def begin(self) -> None:
        self.lobby.problems()

    @precondition(lambda self: self.visitor.caller is None)
    @rule(
        mode=st.sampled_from([Mode.RELAY, Mode.RELAY, Mode.SUBMISSION, Mode.SUBMISSIONS]),
        trusted=st.booleans(),
        progress=st.integers(0, 3),
    )
    def connect(self, mode: Mode, trusted: bool, progress: int) -> None:
        """Connect, and perhaps greet, start TLS and authenticate."""
        self.lobby.run(self.visitor.connect(mode, progress, trusted=trusted))

    @precondition(lambda self: self.visitor.caller is not None)
    @rule(steps=steps, cuts=cuts, turns=st.integers(0, 2), choked=st.booleans())
    def pipeline(self, steps: list[Step], cuts: list[int], turns: int, choked: bool) -> None:
        """Send a group of commands, RFC 2920; a client may also be slow to read."""
        self.lobby.run(self.visitor.pipeline(steps, cuts, turns, choked=choked and not self.visitor.model.tls))

    @precondition(lambda self: self.visitor.caller is not None and self.visitor.model.transaction is None)
    @rule(
        sender=st.integers(0, 20),
        recipients=st.lists(st.integers(0, 80), min_size=1, max_size=MAX_RECIPIENTS),
        params=st.integers(0, 5),
        cuts=cuts,
    )
    def transaction(self, sender: int, recipients: list[int], params: int, cuts: list[int]) -> None:
        """Say MAIL as this very client may, and RCPT of those whom it may write to and of others."""
        who, extended = self.visitor.model.who, self.visitor.model.extended or self.visitor.model.host_name is None
        senders = [a for a in SENDERS if isinstance(a.kind, From) and mail_code(who, a.kind) == {"250"}] or SENDERS
        good = [a for a in RECIPIENTS if isinstance(a.kind, To) and rcpt_code(who, a.kind) == {"250"}] or RECIPIENTS
        many = good + RECIPIENTS
        usable = params if extended and self.visitor.model.may_use_more else min(params, 2) if extended else -1
        group = [
            *([] if self.visitor.model.host_name else [hello("late.example", extended=True)]),
            mail(senders[sender % len(senders)], MAIL_PARAMS[usable : usable + 1] if usable >= 0 else []),
            *(rcpt(many[number % len(many)], RCPT_PARAMS[: max(0, usable - 2)][-1:]) for number in recipients),
        ]
        self.lobby.run(self.visitor.pipeline(group, cuts, 0, choked=False))

    @precondition(lambda self: self.visitor.caller is not None and self.visitor.would_take_data())
    @rule(lines=CONTENT, cuts=cuts, turns=st.integers(0, 2), outcome=st.sampled_from(OUTCOMES))
    def message(self, lines: list[bytes], cuts: list[int], turns: int, outcome: tuple[Exception | None, str]) -> None:
        """Send DATA and its content."""
        stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
        self.lobby.recorder.error, code = outcome
        self.lobby.run(
            self.visitor.message(stuffed + b".\r\n", cuts, turns, {code}, b"".join(line + b"\r\n" for line in lines))
        )
        self.lobby.recorder.error = None

    @precondition(lambda self: self.visitor.caller is not None and bool(self.visitor.model.recipients))
    @rule(chunks=st.lists(bdats, min_size=1, max_size=4), then=steps, cuts=cuts, turns=st.integers(0, 2))
    def chunks(self, chunks: list[Step], then: list[Step], cuts: list[int], turns: int) -> None:
        """Send the message by BDAT, in one go with what comes next."""
        self.lobby.run(self.visitor.pipeline(chunks + then, cuts, turns, choked=False))

    @precondition(lambda self: self.visitor.caller is not None and self.visitor.would_take_data())
    @rule(share=st.integers(0, 100), after_dot=st.booleans())
    def hang_up_within_content(self, share: int, after_dot: bool) -> None:
        """Before the dot there is no message; past it there is one, whether or not somebody waits for the reply."""
        self.lobby.run(self.visitor.hang_up(share / 100, after_dot=after_dot))

    @precondition(lambda self: self.visitor.caller is not None and self.visitor.model.transaction is not None)
    @rule(step=st.one_of(hellos, st.builds(reset)), tls=st.booleans())
    def start_over(self, step: Step, tls: bool) -> None:
        """Give the transaction up."""
        if tls and not self.visitor.model.tls:
            self.lobby.run(self.visitor.starttls([step]))
            step = PREPARED[-1]
        self.lobby.run(self.visitor.pipeline([step], [], 0, choked=False))

    @precondition(lambda self: self.visitor.caller is not None)
    @rule(
        what=st.sampled_from(["authenticate", "broker", "leave", "starttls", "within content", "within content"]),
        choice=st.integers(0, 100),
        injected=st.lists(st.one_of(mails, rcpts, hellos, st.sampled_from(PLAIN)), max_size=2),
        cuts=cuts,
        turns=st.integers(0, 2),
    )
    def less_often(self, what: str, choice: int, injected: list[Step], cuts: list[int], turns: int) -> None:
        """Do what would end most sessions before they come to anything, were it a rule of its own."""
        visitor = self.visitor
        match what:
            case "authenticate":
                password = [PASSWORD, "guess", "*", "!"][choice % 4]
                self.lobby.run(visitor.authenticate(password, prompted=choice > 50))
            case "broker":
                visitor.model.broker_works = choice > 30
                self.lobby.recorder.reason = None if visitor.model.broker_works else "away"
            case "leave":
                self.lobby.run(visitor.leave(LEAVE[choice % len(LEAVE)]))
            case "starttls":
                self.lobby.run(visitor.starttls(injected))
            case _ if not visitor.would_take_data():
                self.lobby.run(visitor.message(b"", [], 0, set(), b""))
            case _ if choice > 70:
                self.lobby.run(visitor.drain())
            case _:
                content = FAULTY[choice % len(FAULTY)] + b"\r\n.\r\n"
                self.lobby.run(visitor.message(content, cuts, turns, {"550", "552", "554"}, b""))


@pytest.fixture(scope="module")
def lobby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lobby]:
    limits = {"max_recipients": MAX_RECIPIENTS, "max_message_size": MAX_SIZE}
    with Lobby(papers(tmp_path_factory.mktemp("machine")), **limits) as running:
        yield running


def test_any_order_of_commands(lobby: Lobby) -> None:
    class Here(Sessions):
        def __init__(self) -> None:
            super().__init__(lobby)

    run_state_machine_as_test(Here, settings=effort(200, steps=50))
