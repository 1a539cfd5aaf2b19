"""How long a client may take: per command, per block of content, and on average (RFC 5321 section 4.5.3.2). Pure."""

from typing import NamedTuple

from services.ingress import replies
from services.ingress.replies import Refuse

LOOK = 30.0
"""Seconds at most between two looks at a session's time-outs."""


class Pace(NamedTuple):
    """What a site expects of its clients. Times in seconds."""

    command: float
    """From the reply to the end of the next command, which no trickle of octets prolongs."""
    block: float
    """From one block of content to the next."""
    rate: float
    """Octets of content a second, averaged over a message; 0 expects nothing."""
    grace: float
    """So long a message's rate is not judged: connections start slowly."""

    @property
    def look(self) -> float:
        """How often to look, so that no time-out is missed."""
        return min(LOOK, self.command, self.block, self.grace)


class Progress(NamedTuple):
    """How one message's content comes in; times of one clock, in seconds."""

    began: float
    last: float
    """When the latest octets came."""
    octets: int


def content_deadline(pace: Pace, progress: Progress, now: float) -> Refuse | float:
    """Return the refusal of content that comes too slowly, or the time at which it may have to be refused."""
    if now >= progress.last + pace.block:
        return replies.DATA_TIMED_OUT
    judged_from = progress.began + pace.grace
    if pace.rate and now >= judged_from and progress.octets < pace.rate * (now - progress.began):
        return replies.TOO_SLOW
    return progress.last + pace.block


def command_deadline(pace: Pace, since: float, now: float) -> Refuse | float:
    """Return the refusal of a client that says nothing, or the time at which it is to be refused."""
    until = since + pace.command
    return replies.TIMED_OUT if now >= until else until
