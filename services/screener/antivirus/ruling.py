"""From clamd's answer to what becomes of the message, and how long one waits while clamd is away; pure."""

from collections.abc import Iterator

import msgspec

from services.screener.antivirus.answer import Answer, State, Unavailable
from services.screener.assess import Assessed
from services.screener.mime.decode import IDENTITY
from services.screener.mime.part import Kind
from services.screener.mime.tree import parse
from services.screener.rules import RuleSet
from services.screener.screening import Screening
from services.screener.verdict import MILDEST_FIRST
from shared.broker.topology import COMES_BACK_TO, Stage
from shared.model import Action, Attempt, Message, Place, Send

_WAIT = (5.0, 300.0)
"""Seconds until clamd is asked again: at first, and at most."""


def pieces(screening: Screening) -> Iterator[bytes]:
    """Yield what is scanned: the message as it is, and every leaf that an encoding hides, decoded in every reading."""
    yield screening.raw
    parts = [seen.part for seen in screening.seen] or parse(screening.raw).parts
    for part in parts:
        if part.kind is Kind.LEAF and not IDENTITY.issuperset(part.description.encodings):
            yield from filter(None, part.readings())


def by_size(answer: Answer, largest: int, most: int) -> Answer:
    """Return the answer, or that a file inside an archive is larger than clamd looks at, whichever is worse.

    Of a file in a zip that exceeds MaxFileSize, clamd scans the beginning and says that it is clean, AlertExceedsMax or
    not (seen with 1.4.6; of tar and gzip it does say so).
    """
    over = Answer(State.UNSCANNABLE, f"a file of {largest} octets in an archive")
    return answer if largest <= most else max(answer, over, key=lambda each: each.state)


def with_answer(assessed: Assessed, answer: Answer, rules: RuleSet) -> Assessed:
    """Return the verdict with what clamd says added; the stricter of both actions.

    A virus is never stripped: nobody misses the mail it came with (SCREENING section 5).
    """
    action, reason = {
        State.CLEAN: (Action.PASS, ""),
        State.ENCRYPTED: (rules.encrypted, "antivirus:encrypted"),
        State.UNSCANNABLE: (rules.unreadable, "antivirus:unscannable"),
        State.INFECTED: (rules.instead, f"virus:{answer.name[:100]}"),
    }[answer.state]
    if action is Action.PASS or assessed.verdict.action is Action.BLOCK:
        return assessed
    if action is Action.STRIP:  # it is the message that clamd speaks of, not a part
        action = rules.instead
    verdict = assessed.verdict
    action = max(verdict.action, action, key=MILDEST_FIRST.index)
    changed = msgspec.structs.replace(verdict, action=action, reasons=(*verdict.reasons, reason))
    return msgspec.structs.replace(assessed, verdict=changed, content=assessed.screening.raw)


def wait(message: Message, error: Unavailable, now: float) -> Send:
    """Return the message back to the screener's ladder, its failures not counted: however long clamd is away."""
    item = message.item
    shortest, longest = _WAIT
    seconds = min(longest, max(shortest, (now - item.accepted_at) / 4))
    again = item.tried(Attempt(at=now, stage=Stage.SCREEN, text=f"antivirus: {error}"[:500]))
    again = msgspec.structs.replace(again, not_before=now + seconds)
    return Send(Place(COMES_BACK_TO[Stage.SCREEN]), Message(again, message.content))
