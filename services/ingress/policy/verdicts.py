"""What next hops have said about recipients: how a reply is read, what follows from it, and how long it is believed."""

import re
from collections import OrderedDict
from enum import StrEnum
from typing import NamedTuple

from services.ingress import replies
from services.ingress.replies import Refuse
from shared.config.address import Address as NextHop

_ENHANCED = re.compile(r"5\.(\d{1,3})\.(\d{1,3})(?!\S)")
_ABOUT_RECIPIENT = frozenset({550, 551, 553})
"""Codes that say so where no enhanced code does (RFC 5321 section 4.2.3)."""
_OF_SENDER = frozenset({7, 8})
"""5.1.7 and 5.1.8 are about the sender's address."""
_DISABLED = 1
"""5.2.1; other details of 5.2 pass, such as a full mailbox."""
_NO_ANSWER_FROM_HOST = 1
"""5.4.1: what Exchange Online says of recipients its directory does not have."""


class Verdict(StrEnum):
    """Whether a recipient exists."""

    EXISTS = "exists"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"


class Question(NamedTuple):
    """Who is asked about whom."""

    hops: tuple[NextHop, ...]
    recipient: str
    """In lower case, as recipient lists are compared; "" stands for the hops themselves, which were out of reach."""

    @property
    def of_hops(self) -> "Question":
        """The question whether the hops are within reach."""
        return self._replace(recipient="")


def read(code: int, text: str) -> Verdict:
    """Judge the reply to RCPT. A refusal of us, of the sender or of mail for now says nothing about the recipient."""
    if 200 <= code <= 299:
        return Verdict.EXISTS
    if not 500 <= code <= 599:
        return Verdict.UNCERTAIN
    enhanced = _ENHANCED.match(text)
    subject, detail = (int(enhanced[1]), int(enhanced[2])) if enhanced else (0, 0)
    about_recipient = {
        0: code in _ABOUT_RECIPIENT,
        1: detail not in _OF_SENDER,
        2: detail == _DISABLED,
        4: detail == _NO_ANSWER_FROM_HOST,
    }
    return Verdict.REFUSED if about_recipient.get(subject, False) else Verdict.UNCERTAIN


def decide(verdict: Verdict, uncertain: str) -> Refuse | None:
    """Return what follows at RCPT; `uncertain` is the configuration's accept or defer."""
    if verdict is Verdict.REFUSED:
        return replies.NOT_VERIFIED
    return replies.VERIFY_LATER if verdict is Verdict.UNCERTAIN and uncertain == "defer" else None


class Verdicts:
    """What is believed for now; the least recently used goes first."""

    def __init__(self) -> None:
        self._found: OrderedDict[Question, tuple[Verdict, float]] = OrderedDict()
        """With the time until which it is believed."""

    def __len__(self) -> int:
        return len(self._found)

    def get(self, question: Question, now: float) -> Verdict | None:
        """Return what is believed, None if nothing is any more."""
        found = self._found.get(question)
        if found is None:
            return None
        verdict, until = found
        if until <= now:
            del self._found[question]
            return None
        self._found.move_to_end(question)
        return verdict

    def put(self, question: Question, verdict: Verdict, until: float, limit: int) -> None:
        """Believe it until then; hold at most `limit` of them."""
        self._found[question] = verdict, until
        self._found.move_to_end(question)
        while len(self._found) > limit:
            self._found.popitem(last=False)
