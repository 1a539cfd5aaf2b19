"""Replies of next hops to RCPT: what they say of a recipient, what follows, and how long it is believed."""

import pytest

from services.ingress import replies
from services.ingress.policy.verdicts import Question, Verdict, Verdicts, decide, read
from services.ingress.replies import Refuse
from shared.config.address import Address

YES, NO, PERHAPS = Verdict.EXISTS, Verdict.REFUSED, Verdict.UNCERTAIN
READ = [
    (250, "2.1.5 Ok", YES),
    (251, "User not local; will forward", YES),
    (252, "2.5.0 Cannot verify", YES),
    (550, "5.1.1 User unknown", NO),
    (550, "5.1.10 RESOLVER.ADR.RecipientNotFound", NO),
    (550, "No such user here", NO),
    (550, "", NO),
    (550, "5.0.0 no", NO),
    (551, "User not local", NO),
    (553, "5.1.3 bad mailbox", NO),
    (554, "5.1.1 unknown", NO),
    (550, "5.2.1 disabled", NO),
    (550, "5.4.1 Recipient address rejected: Access denied", NO),
    (552, "5.2.2 Mailbox full", PERHAPS),
    (552, "Mailbox full", PERHAPS),
    (554, "Transaction failed", PERHAPS),
    (550, "5.1.7 bad sender", PERHAPS),
    (550, "5.1.8 bad sender's domain", PERHAPS),
    (554, "5.7.1 Relay access denied", PERHAPS),
    (550, "5.7.1 Your address is listed", PERHAPS),
    (530, "5.7.0 Must issue STARTTLS first", PERHAPS),
    (550, "5.3.2 not now", PERHAPS),
    (550, "5.4.6 loop", PERHAPS),
    (503, "5.5.1 Bad sequence", PERHAPS),
    (500, "what", PERHAPS),
    (450, "4.2.0 greylisted", PERHAPS),
    (451, "4.1.1 later", PERHAPS),
    (421, "bye", PERHAPS),
    (354, "what", PERHAPS),
    (550, "5.1.1x no code", NO),
    (550, "5.7.1x no code", NO),
]


@pytest.mark.parametrize(("code", "text", "verdict"), READ)
def test_what_a_reply_to_rcpt_says_of_the_recipient(code: int, text: str, verdict: Verdict) -> None:
    assert read(code, text) is verdict


@pytest.mark.parametrize(
    ("verdict", "uncertain", "refused"),
    [
        (YES, "accept", None),
        (YES, "defer", None),
        (NO, "accept", replies.NOT_VERIFIED),
        (NO, "defer", replies.NOT_VERIFIED),
        (PERHAPS, "accept", None),
        (PERHAPS, "defer", replies.VERIFY_LATER),
    ],
)
def test_what_follows(verdict: Verdict, uncertain: str, refused: Refuse | None) -> None:
    assert decide(verdict, uncertain) == refused


def about(name: str) -> Question:
    return Question((Address("mail.internal", 25),), name)


def test_a_verdict_is_believed_until_its_time() -> None:
    verdicts = Verdicts()
    verdicts.put(about("a"), NO, 100.0, 10)
    assert verdicts.get(about("a"), 99.9) is NO
    assert verdicts.get(about("a")._replace(hops=()), 99.9) is None, "of other next hops nothing is known"
    assert verdicts.get(about("a"), 100.0) is None
    assert len(verdicts) == 0


def test_the_least_recently_used_goes_first() -> None:
    verdicts = Verdicts()
    for name in "abc":
        verdicts.put(about(name), YES, 100.0, 3)
    assert verdicts.get(about("a"), 1.0) is YES
    verdicts.put(about("b"), NO, 100.0, 3)
    verdicts.put(about("d"), YES, 100.0, 3)
    assert [verdicts.get(about(name), 1.0) for name in "abcd"] == [YES, NO, None, YES]
    verdicts.put(about("e"), YES, 100.0, 1)
    assert len(verdicts) == 1
