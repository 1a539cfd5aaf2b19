"""The transaction machine: scripts of replies in, flights of commands and answers out."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.smtp.offers import Offers
from services.delivery.smtp.transaction import Order, Phase, Transaction, dot_stuffed
from shared.model import Recipient
from shared.smtp.reply import Reply

BOB, EVE = Recipient(address="bob@example.net"), Recipient(address="eve@example.net")
LOST = Reply(451, "4.4.2", "lost")
CONTENT = b"Subject: x\r\n\r\n.\r\n"
STUFFED = b"".join(dot_stuffed(CONTENT))
WORDS = {STUFFED: "content", b"BDAT 17 LAST\r\n" + CONTENT: "chunk", b".\r\n": "nothing"}

ONE_BY_ONE, IN_FLIGHT = Offers(), Offers(pipelining=True)
CHUNKS, CHUNKS_IN_FLIGHT = Offers(chunking=True), Offers(pipelining=True, chunking=True)


def run(offers: Offers, *replies: str | None, reset: bool = False) -> tuple[list[str], Transaction]:
    """Feed reply lines (None: the session is lost) to a transaction for Bob and Eve; return the flights sent."""
    order = Order(b"MAIL", [(BOB, b"BOB"), (EVE, b"EVE")], CONTENT)
    transaction = Transaction(order, offers, reset=reset)
    flights: list[str] = []
    for reply in replies:
        assert not transaction.done, reply
        if transaction.awaited is None:
            octets = b"".join(transaction.flight())
            flights.append(WORDS.get(octets) or octets.decode().replace("\r\n", " ").strip())
        if reply is None:
            transaction.broke(LOST)
        else:
            transaction.answer(Reply(int(reply), None, ""))
    assert transaction.done
    assert transaction.awaited is None
    return flights, transaction


def codes(transaction: Transaction) -> tuple[int | None, int | None]:
    """Return the answers' codes of Bob and Eve."""
    bob, eve = transaction.answers.get(BOB), transaction.answers.get(EVE)
    return bob.code if bob else None, eve.code if eve else None


ALL = ["MAIL", "BOB", "EVE", "DATA", "content"]


@pytest.mark.parametrize(
    ("replies", "flights", "bob", "eve", "reset"),
    [
        ("250 250 250 354 250", ALL, 250, 250, False),
        ("250 251 252 354 250", ALL, 250, 250, False),
        ("250 250 550 354 250", ALL, 250, 550, False),
        ("250 450 250 354 250", ALL, 450, 250, False),
        ("250 450 250 354 554", ALL, 450, 554, False),
        ("250 250 550 354 451", ALL, 451, 550, False),
        ("250 250 550 451", ALL[:4], 451, 550, True),
        ("250 250 250 554", ALL[:4], 554, 554, True),
        ("250 450 550", ALL[:3], 450, 550, True),
        ("550", ALL[:1], 550, 550, False),
        ("451", ALL[:1], 451, 451, False),
    ],
)
def test_one_command_at_a_time(replies: str, flights: list[str], bob: int, eve: int, reset: bool) -> None:
    taken, transaction = run(ONE_BY_ONE, *replies.split())
    assert (taken, codes(transaction)) == (flights, (bob, eve))
    assert (transaction.broken, transaction.needs_reset) == (None, reset)


@pytest.mark.parametrize(
    ("replies", "then", "bob", "eve", "reset"),
    [
        ("250 250 250 354 250", "content", 250, 250, False),
        ("250 250 550 354 250", "content", 250, 550, False),
        ("250 450 250 354 554", "content", 450, 554, False),
        ("250 250 550 451", None, 451, 550, True),
        ("250 450 550 503", None, 450, 550, True),
        ("250 450 550 354 554", "nothing", 450, 550, False),
        ("250 450 550 354 250", "nothing", 450, 550, False),
        ("550 503 503 503", None, 550, 550, False),
        ("550 503 503 354 554", "nothing", 550, 550, False),
        ("550 250 250 503", None, 550, 550, False),
        ("451 550 550 550", None, 451, 451, False),
    ],
)
def test_everything_before_the_content_in_one_flight(
    replies: str, then: str | None, bob: int, eve: int, reset: bool
) -> None:
    """A 354 with nobody to send to is answered by a dot (RFC 2920 section 3.1)."""
    taken, transaction = run(IN_FLIGHT, *replies.split())
    assert taken == ["MAIL BOB EVE DATA", *([then] if then else [])]
    assert codes(transaction) == (bob, eve)
    assert (transaction.broken, transaction.needs_reset) == (None, reset)


@pytest.mark.parametrize(
    ("replies", "sent", "bob", "eve", "reset"),
    [
        ("250 250 250 250", True, 250, 250, False),
        ("250 550 250 250", True, 550, 250, False),
        ("250 550 250 452", True, 550, 452, True),
        ("250 550 450", False, 550, 450, True),
        ("550", False, 550, 550, False),
    ],
)
@pytest.mark.parametrize("offers", [CHUNKS, CHUNKS_IN_FLIGHT])
def test_one_chunk_to_whoever_takes_chunks(
    offers: Offers, replies: str, sent: bool, bob: int, eve: int, reset: bool
) -> None:
    """It leaves when a recipient is accepted; refused, it leaves a transaction behind (RFC 3030 section 2)."""
    extra = ["503", "503"] if replies == "550" and offers.pipelining else []
    taken, transaction = run(offers, *replies.split(), *extra)
    assert (taken[-1] == "chunk") is sent
    assert codes(transaction) == (bob, eve)
    assert (transaction.broken, transaction.needs_reset) == (None, reset)


@pytest.mark.parametrize(
    ("replies", "bob", "eve", "room"),
    [
        ("250 250 452 354 250", 250, None, 1),
        ("250 250 452 354 554", 554, None, 1),
        ("250 250 452 451", 451, None, 1),
        ("250 452 250 354 250", 452, 250, None),
        ("250 452 452 503", 452, 452, None),
        ("250 250 451 354 250", 250, 451, None),
        ("451 250 452 503", 451, 451, None),
    ],
)
def test_whoever_is_too_much_for_a_transaction_has_no_answer_yet(
    replies: str, bob: int, eve: int | None, room: int | None
) -> None:
    _, transaction = run(IN_FLIGHT, *replies.split())
    assert (codes(transaction), transaction.room, transaction.broken) == ((bob, eve), room, None)


class Lost(NamedTuple):
    """What is known when a session ends early."""

    bob: int | None = None
    eve: int | None = None
    by_host: bool = False
    doubtful: bool = False
    answered: bool = True


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([None], Lost(answered=False)),
        (["421"], Lost(by_host=True, answered=False)),
        (["354"], Lost(answered=False)),
        (["250", None], Lost()),
        (["250", "421"], Lost(by_host=True)),
        (["250", "354"], Lost()),
        (["250", "550", "421"], Lost(bob=550, by_host=True)),
        (["250", "550", None], Lost(bob=550)),
        (["250", "250", "450", "421"], Lost(eve=450, by_host=True)),
        (["250", "250", "450", "354", None], Lost(eve=450, doubtful=True)),
        (["250", "250", "450", "354", "421"], Lost(bob=421, eve=450, by_host=True)),
        (["250", "250", "250", "250"], Lost()),
        (["250", "250", "250", "354", "354"], Lost(doubtful=True)),
    ],
)
@pytest.mark.parametrize("offers", [ONE_BY_ONE, IN_FLIGHT])
def test_a_session_that_ends_early_leaves_the_rest_open(
    offers: Offers, replies: list[str | None], expected: Lost
) -> None:
    _, transaction = run(offers, *replies)
    assert transaction.broken is not None
    assert 400 <= transaction.broken.code < 500
    seen = (transaction.broken_by_host, transaction.doubtful, transaction.answered)
    assert Lost(*codes(transaction), *seen) == expected


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        (["550", None], Lost(bob=550, eve=550)),
        (["550", "421"], Lost(bob=550, eve=550, by_host=True)),
        (["550", "250", "250", "354"], Lost(bob=550, eve=550)),
        (["250", "550", "550", "354", None], Lost(bob=550, eve=550)),
        (["250", "550", "550", "354", "421"], Lost(bob=550, eve=550, by_host=True)),
    ],
)
def test_a_flight_that_ends_in_the_air(replies: list[str | None], expected: Lost) -> None:
    """A host that refuses MAIL and takes RCPT and DATA is left before it takes an empty message."""
    _, transaction = run(IN_FLIGHT, *replies)
    seen = (transaction.broken_by_host, transaction.doubtful, transaction.answered)
    assert Lost(*codes(transaction), *seen) == expected
    assert transaction.broken is not None


@pytest.mark.parametrize(
    ("offers", "replies", "flights"),
    [
        (ONE_BY_ONE, "250 250 250 250 354 250", ["RSET", *ALL]),
        (IN_FLIGHT, "250 250 250 250 354 250", ["RSET MAIL BOB EVE DATA", "content"]),
        (CHUNKS_IN_FLIGHT, "250 250 250 250 250", ["RSET MAIL BOB EVE", "chunk"]),
    ],
)
def test_the_last_transaction_is_left_without_a_round_trip(offers: Offers, replies: str, flights: list[str]) -> None:
    taken, transaction = run(offers, *replies.split(), reset=True)
    assert taken == flights
    assert codes(transaction) == (250, 250)


@pytest.mark.parametrize("reply", ["502", "421", "354", None])
def test_a_refused_reset_is_as_if_nothing_had_been_said(reply: str | None) -> None:
    _, transaction = run(IN_FLIGHT, reply, reset=True)
    assert transaction.broken is not None
    assert (codes(transaction), transaction.answered) == ((None, None), False)


def test_a_reply_to_nothing_is_none() -> None:
    transaction = Transaction(Order(b"MAIL", [(BOB, b"BOB")], CONTENT), ONE_BY_ONE)
    transaction.answer(Reply(550, None, ""))
    assert transaction.broken is not None
    assert transaction.answers == {}


def test_a_loss_before_all_is_sent_leaves_no_doubt() -> None:
    """Without its last octet no host can take a message."""
    transaction = Transaction(Order(b"MAIL", [(BOB, b"BOB")], CONTENT), ONE_BY_ONE)
    for code in (250, 250, 354):
        transaction.flight()
        transaction.answer(Reply(code, None, ""))
    transaction.flight()
    assert transaction.awaited is Phase.CONTENT
    transaction.broke(LOST, uploaded=False)
    assert not transaction.doubtful


LMTP, LMTP_CHUNKS = Offers(pipelining=True, lmtp=True), Offers(pipelining=True, chunking=True, lmtp=True)


@pytest.mark.parametrize(
    ("offers", "replies", "bob", "eve", "reset"),
    [
        (LMTP, "250 250 250 354 250 250", 250, 250, False),
        (LMTP, "250 250 250 354 250 452", 250, 452, False),
        (LMTP, "250 250 250 354 550 250", 550, 250, False),
        (LMTP, "250 550 250 354 250", 550, 250, False),
        (LMTP, "250 550 450 503", 550, 450, True),
        (LMTP_CHUNKS, "250 250 250 250 452", 250, 452, True),
        (LMTP_CHUNKS, "250 550 250 250", 550, 250, False),
    ],
)
def test_one_answer_for_each_recipient(offers: Offers, replies: str, bob: int, eve: int, reset: bool) -> None:
    """RFC 2033 section 4.2."""
    _, transaction = run(offers, *replies.split())
    assert codes(transaction) == (bob, eve)
    assert (transaction.broken, transaction.needs_reset) == (None, reset)


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        (["250", "250", "250", "354", None], Lost(doubtful=True)),
        (["250", "250", "250", "354", "250", None], Lost(bob=250, doubtful=True)),
        (["250", "250", "250", "354", "250", "421"], Lost(bob=250, eve=421, by_host=True)),
        (["250", "250", "250", "354", "421"], Lost(bob=421, by_host=True, doubtful=True)),
        (["250", "550", "550", "354"], Lost(bob=550, eve=550)),
    ],
)
def test_answers_for_some_recipients_only(replies: list[str | None], expected: Lost) -> None:
    """Without a recipient there would be no answer to wait for: a 354 then ends the session."""
    _, transaction = run(LMTP, *replies)
    seen = (transaction.broken_by_host, transaction.doubtful, transaction.answered)
    assert Lost(*codes(transaction), *seen) == expected
    assert transaction.broken is not None


@pytest.mark.parametrize("code", ["500", "502"])
@pytest.mark.parametrize(("offers", "unknown"), [(CHUNKS_IN_FLIGHT, True), (IN_FLIGHT, False)])
def test_a_host_that_does_not_know_what_it_offers(offers: Offers, unknown: bool, code: str) -> None:
    begun = ["250", "250", "250", *(["354"] if not offers.chunking else [])]
    _, transaction = run(offers, *begun, code)
    assert (transaction.chunks_unknown, transaction.broken is not None) == (unknown, unknown)
    assert not transaction.doubtful
    assert codes(transaction) == ((None, None) if unknown else (int(code), int(code)))


@pytest.mark.parametrize(("code", "enhanced", "expected"), [(552, "5.5.3", 452), (552, "5.2.2", 552)])
def test_too_many_recipients_is_for_later(code: int, enhanced: str, expected: int) -> None:
    """Whatever its code (RFC 5321 section 4.5.3.1.10)."""
    transaction = Transaction(Order(b"MAIL", [(BOB, b"BOB")], CONTENT), IN_FLIGHT)
    transaction.flight()
    for reply in (Reply(250, None, ""), Reply(code, enhanced, ""), Reply(503, None, "")):
        transaction.answer(reply)
    assert transaction.answers[BOB].code == expected


CODES = st.sampled_from([200, 250, 251, 300, 354, 421, 450, 451, 500, 502, 503, 550, 552, 554])
OFFERS = st.builds(Offers, pipelining=st.booleans(), chunking=st.booleans(), lmtp=st.booleans())


def obey(transaction: Transaction, codes: list[int]) -> tuple[bytes, list[tuple[Phase, int]]]:
    """Answer with these codes and then no more; return what was sent, and which code answered what."""
    sent = b""
    heard: list[tuple[Phase, int]] = []
    codes = list(codes)
    while not transaction.done:
        phase = transaction.awaited
        if phase is None:
            sent += b"".join(transaction.flight())
            wanted = any(each is Phase.RCPT and code < 300 for each, code in heard)
            assert wanted or (CONTENT not in sent and STUFFED not in sent)
        elif codes:
            heard.append((phase, codes[0]))
            transaction.answer(Reply(codes.pop(0), None, ""))
        else:
            transaction.broke(LOST)
    return sent, heard


@given(OFFERS, st.booleans(), st.integers(1, 4), st.lists(CODES, max_size=16))
def test_whatever_a_host_answers(offers: Offers, reset: bool, count: int, replies: list[int]) -> None:
    """Nobody has the message who was not accepted, or whose content was not; each has an answer, or all a reason."""
    recipients = [Recipient(address=f"user{n}@example.net") for n in range(count)]
    lines = [(recipient, b"TO %d" % n) for n, recipient in enumerate(recipients)]
    transaction = Transaction(Order(b"MAIL", lines, CONTENT), offers, reset=reset)
    sent, heard = obey(transaction, replies)
    delivered = [recipient for recipient, reply in transaction.answers.items() if reply.code < 300]
    uploaded = CONTENT in sent or STUFFED in sent
    assert len(delivered) <= sum(phase is Phase.RCPT and code < 300 for phase, code in heard)
    assert not delivered or (uploaded and any(phase is Phase.CONTENT and code < 300 for phase, code in heard))
    assert len(transaction.answers) == count or transaction.broken is not None
    assert not any(300 <= reply.code < 400 for reply in transaction.answers.values())
    assert not transaction.doubtful or uploaded
    assert sent.count(b"MAIL") <= 1
