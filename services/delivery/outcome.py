"""What became of one recipient, as a value: the remote's words cleaned, and what they mean. Pure."""

import re
from enum import StrEnum

import msgspec

from services.delivery.cause import Cause, cause_of
from shared.model import Recipient
from shared.smtp.reply import Reply

MAX_TEXT = 400
"""Characters kept of what a remote host says; it travels in the item and is quoted in reports."""

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:[ \t]+|$)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]+")
"""Controls, and the surrogates by which aiosmtplib shows octets that are no UTF-8: JSON cannot carry those."""


class Result(StrEnum):
    """What an answer means for a recipient."""

    DELIVERED = "delivered"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"


class Outcome(msgspec.Struct, frozen=True):
    """One recipient's answer in one attempt."""

    recipient: Recipient
    reply: Reply
    host: str | None
    """The host that was tried last; None if there was none."""
    ours: bool = False
    """True if `reply` is in our words, not the host's."""
    passed_on: bool = False
    """Delivered to a host that took over what the sender asked to be told (DSN, RFC 3461)."""
    stored: bool = False
    """Delivered over LMTP: the answer is the mail store's, for this recipient, and the last there is (RFC 2033)."""
    cause: Cause | None = None
    """Why it failed, where `reply` is no longer what tells."""

    @property
    def said_by(self) -> str | None:
        """The host whose words `reply` is."""
        return None if self.ours else self.host

    @property
    def result(self) -> Result:
        """Permanent only where a 5xx says so; what is not understood is temporary."""
        if 200 <= self.reply.code < 300:
            return Result.DELIVERED
        return Result.PERMANENT if self.reply.is_permanent else Result.TEMPORARY

    @property
    def why(self) -> Cause | None:
        """Why it failed; None if it did not."""
        return None if self.result is Result.DELIVERED else self.cause or cause_of(self.reply)


def printable(text: str) -> str:
    """Return text on one line, without controls, of at most MAX_TEXT characters."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())[:MAX_TEXT]


def remote_reply(code: int, text: str) -> Reply:
    """Return what a host said; lines by LF, of which each may repeat the enhanced code.

    A code outside SMTP's makes a temporary failure, and an enhanced code of another class than the reply's is text.
    """
    lines = text.split("\n")
    if not 200 <= code <= 599:
        return garbage(text)
    enhanced = _enhanced(lines[0])
    if enhanced is None or enhanced[0] != str(code)[0]:
        return Reply(code, None, printable(" ".join(lines)))
    words = (line[len(enhanced) :] if _enhanced(line) == enhanced else line for line in lines)
    return Reply(code, enhanced, printable(" ".join(words)))


def _enhanced(line: str) -> str | None:
    match = _ENHANCED.match(line)
    return match[1] if match else None


def garbage(text: str) -> Reply:
    """Return the failure of a host that does not speak SMTP."""
    return Reply(451, "4.5.0", printable(f"not an SMTP reply: {text[:100]}"))


def softened(reply: Reply, host: str, phase: str) -> Reply:
    """Return a refusal of the session, not of the message, as temporary: another host, or another hour, may take it."""
    detail = (reply.enhanced or "5.3.0")[1:]
    return Reply(450, f"4{detail}", printable(f"{host} answered {phase} with: {reply}"))


def rcpt_reply(reply: Reply) -> Reply:
    """Return the answer to RCPT: "too many recipients" is temporary whatever its code (RFC 5321 section 4.5.3.1.10)."""
    if reply.code == 552 and reply.enhanced == "5.5.3":
        return Reply(452, "4.5.3", reply.text)
    return reply


def is_too_many(reply: Reply) -> bool:
    """Tell whether RCPT was refused for what the transaction has already (RFC 5321 section 4.5.3.1.10)."""
    return reply.code == 452 and reply.enhanced in {None, "4.5.3"}
