"""Why a reply refuses, told from its text, its enhanced code and its code. Pure.

Providers give one code to many causes (550 5.7.1 alone has a dozen), so the text decides first, then the enhanced
code (RFC 3463), then the code. The wordings are those that the providers document: the replies themselves are in
tests/unit/provider_replies.table. A cause explains a refusal in reports, logs and metrics, and tells the shaping to
slow down. It never decides what becomes of a message: a 5xx that says "try again later" is final, as RFC 5321 section
4.2.1 has it, and its sender learns that at once rather than after days; a 4xx that says "no such user" is tried again.
"""

import re
from functools import lru_cache

from services.delivery.wordings import WORDINGS
from shared.dsn.cause import Cause
from shared.smtp.reply import Reply

__all__ = ["Cause", "cause_of"]

_NAMES = re.compile(r"<[^<>]*>|\S+@\S+")
"""Addresses: words in them are chosen by others, and say nothing about the cause."""

_ESCAPES = re.compile(r"\\.")
_GROUPS = re.compile(r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|\[[^]]*\]")
_NOT_LITERAL = re.compile(r"\n[*+?]|[^\n][*?]|\{[\d,]+\}|[+^$.]")


def certain(phrase: str) -> str:
    """Return the longest text that must be there for a pattern to fit: looking for that first makes it quick."""
    flat = _GROUPS.sub("\n", _ESCAPES.sub("\n", phrase))
    return "" if "|" in flat else max(_NOT_LITERAL.sub("\n", flat).split("\n"), key=len)


_TEXTS = tuple((cause, certain(each), re.compile(each)) for cause, phrases in WORDINGS for each in phrases)

_DETAILS: dict[str, Cause] = {
    "1.1": Cause.UNKNOWN_MAILBOX,
    "1.2": Cause.NO_DOMAIN,
    "1.3": Cause.UNKNOWN_MAILBOX,
    "1.4": Cause.UNKNOWN_MAILBOX,
    "1.6": Cause.INACTIVE_MAILBOX,
    "1.7": Cause.SENDER_REFUSED,
    "1.8": Cause.SENDER_REFUSED,
    "1.10": Cause.NO_DOMAIN,
    "2.1": Cause.INACTIVE_MAILBOX,
    "2.2": Cause.MAILBOX_FULL,
    "2.3": Cause.TOO_LARGE,
    "3.4": Cause.TOO_LARGE,
    "4.0": Cause.UNREACHABLE,
    "4.1": Cause.UNREACHABLE,
    "4.2": Cause.UNREACHABLE,
    "4.3": Cause.UNREACHABLE,
    "4.4": Cause.UNREACHABLE,
    "4.5": Cause.RATE_LIMITED,
    "4.6": Cause.LOOP,
    "4.7": Cause.UNREACHABLE,
    "5.3": Cause.RATE_LIMITED,
    "7.4": Cause.TLS_REQUIRED,
    "7.5": Cause.TLS_REQUIRED,
    "7.10": Cause.TLS_REQUIRED,
    "7.11": Cause.TLS_REQUIRED,
    "7.20": Cause.UNAUTHENTICATED,
    "7.21": Cause.UNAUTHENTICATED,
    "7.22": Cause.UNAUTHENTICATED,
    "7.23": Cause.UNAUTHENTICATED,
    "7.24": Cause.UNAUTHENTICATED,
    "7.25": Cause.BLOCKED,
    "7.26": Cause.UNAUTHENTICATED,
    "7.27": Cause.SENDER_REFUSED,
    "7.28": Cause.RATE_LIMITED,
    "7.29": Cause.UNAUTHENTICATED,
    "7.30": Cause.TLS_REQUIRED,
}
"""Subject and detail of the enhanced code (RFC 3463, and the IANA registry of RFC 5248)."""

_SUBJECTS: dict[str, Cause] = {"6": Cause.UNSUPPORTED, "7": Cause.POLICY}

_CODES: dict[int, Cause] = {
    521: Cause.NO_DOMAIN,
    523: Cause.TOO_LARGE,
    530: Cause.POLICY,
    551: Cause.INACTIVE_MAILBOX,
    552: Cause.MAILBOX_FULL,
    553: Cause.UNKNOWN_MAILBOX,
    556: Cause.NO_DOMAIN,
}
"""RFC 5321 section 4.2.3 and RFC 7504, for hosts without enhanced codes."""


@lru_cache(maxsize=1024)
def cause_of(reply: Reply) -> Cause:
    """Return why a reply that is not positive refuses; TEMPORARY or OTHER if nothing tells."""
    text = f"{reply.code} {reply.text.lower()}"
    if "@" in text or ">" in text:
        text = _NAMES.sub(" ", text)
    for cause, literal, pattern in _TEXTS:
        if literal in text and pattern.search(text):
            return cause
    rest = Cause.OTHER if reply.is_permanent else Cause.TEMPORARY
    if reply.enhanced is None:
        return _CODES.get(reply.code, rest)
    detail = reply.enhanced.partition(".")[2]
    known = _DETAILS.get(detail)
    if known is not None or not reply.is_permanent:  # "later", for a reason of policy, forbids nothing
        return known or rest
    return _SUBJECTS.get(detail.partition(".")[0], rest)
