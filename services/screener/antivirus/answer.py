"""What clamd answers, and what it means: a limit is never taken for clean (clamd(8), SCREENING section 1, 6); pure."""

from enum import IntEnum
from typing import NamedTuple

from shared.errors import SluiceError


class Unavailable(SluiceError):  # noqa: N818  (a state, as BrokerUnavailable is)
    """clamd does not answer, or cannot scan anything at the moment: the message waits."""


class State(IntEnum):
    """What is known of a piece of mail, the worst last."""

    CLEAN = 0
    ENCRYPTED = 1
    UNSCANNABLE = 2
    INFECTED = 3


class Answer(NamedTuple):
    """The state, and the name of what was found or the reason."""

    state: State
    name: str = ""


_ENCRYPTED = "Heuristics.Encrypted."
_LIMITS = "Heuristics.Limits.Exceeded"
_OF_THE_CONTENT = (
    "size limit exceeded",
    "time limit reached",
    "timeout",
    "maxsize",
    "maxrec",
    "maxfiles",
    "eformat",
    "bad format",
    "eparse",
    "eunpack",
)
"""Errors that the same content brings about again; any other is taken for a passing one of clamd's."""


def read_answer(line: str) -> Answer:
    """Return what a reply line without its end says. Raise Unavailable for an error that will pass."""
    number, _, rest = line.partition(": ")
    text = rest if number.isdigit() else line
    text = text.removeprefix("stream: ").strip()
    if text == "OK":
        return Answer(State.CLEAN)
    if text.endswith(" FOUND"):
        name = text.removesuffix(" FOUND")
        if name.startswith(_ENCRYPTED):
            return Answer(State.ENCRYPTED, name)
        return Answer(State.UNSCANNABLE if name.startswith(_LIMITS) else State.INFECTED, name)
    if any(words in text.lower() for words in _OF_THE_CONTENT):
        return Answer(State.UNSCANNABLE, text.removesuffix(" ERROR"))
    raise Unavailable(f"clamd answers {text[:200]!r}")
