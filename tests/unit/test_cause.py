"""What providers say, as they document it, and what each reply means."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.cause import Cause, cause_of, certain
from services.delivery.outcome import Outcome, Result, remote_reply
from services.delivery.wordings import WORDINGS
from shared.dsn.cause import WORDS
from shared.model import Recipient
from shared.smtp.reply import Reply
from tests.support.effort import effort

TABLE = Path(__file__).with_name("provider_replies.table")
ROWS = [
    tuple(line.split("\t"))
    for line in TABLE.read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def reply_of(line: str) -> Reply:
    """Return the reply as the SMTP client gives it."""
    code, _, text = line.partition(" ")
    return remote_reply(int(code), text)


@pytest.mark.parametrize(("cause", "line"), ROWS)
def test_why_a_reply_refuses(cause: str, line: str) -> None:
    assert cause_of(reply_of(line)) is Cause(cause)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("<greylisted-spam@virus.example>: refused", Cause.OTHER),
        ("quota-exceeded@full.example is refused", Cause.OTHER),
        ("<spam@example.net>... User unknown", Cause.UNKNOWN_MAILBOX),
    ],
)
def test_words_in_an_address_say_nothing(text: str, cause: Cause) -> None:
    assert cause_of(Reply(550, None, text)) is cause


@pytest.mark.parametrize("line", ["550 5.7.1 Greylisted, try again later", "550 5.4.5 Rate limit, try again later"])
def test_no_wording_makes_a_refusal_anything_else(line: str) -> None:
    """A cause explains; what becomes of a recipient is the code's to say (RFC 5321 section 4.2.1)."""
    outcome = Outcome(Recipient(address="b@c.example"), reply_of(line), "mx")
    assert outcome.result is Result.PERMANENT


@effort(20)
@given(st.data())
@pytest.mark.parametrize("phrase", [phrase for _, phrases in WORDINGS for phrase in phrases])
def test_what_is_looked_for_first_is_in_whatever_fits(phrase: str, data: st.DataObject) -> None:
    assert certain(phrase) in data.draw(st.from_regex(phrase))


@effort(200)
@given(st.integers(400, 599), st.sampled_from([None, "5.7.1", "4.9.999", "5.1", "x"]), st.text())
def test_whatever_a_host_says_has_a_cause(code: int, enhanced: str | None, text: str) -> None:
    assert cause_of(Reply(code, enhanced, text)) in set(Cause) - {Cause.WITHDRAWN}


def test_every_cause_has_words_of_its_own_and_a_reply() -> None:
    assert set(WORDS) == set(Cause)
    assert {Cause(cause) for cause, _ in ROWS} == set(Cause) - {Cause.WITHDRAWN}
    assert len({words.happened for words in WORDS.values()}) == len(Cause)
    assert len({words.to_do for words in WORDS.values()}) == len(Cause)
