"""One message in, what to send on and the verdict out: screening, stripping, and screening of the result; pure."""

import hashlib
from typing import NamedTuple

import msgspec

from services.screener.containers.contents import look_inside
from services.screener.containers.pool import Look
from services.screener.identity.names import for_display
from services.screener.mime.anomaly import Limits
from services.screener.mime.octets import line_end
from services.screener.mime.quick import is_only_text
from services.screener.notice import Notice, notice_part
from services.screener.rules import RuleSet, lets_text_pass
from services.screener.screening import Screening, action_on, report, screen
from services.screener.surgery import apply, cuts_for
from services.screener.verdict import Ruling
from shared.dsn.text import date
from shared.model import Action, PartReport, Verdict

_PASS = Action.PASS
_UNREAD = Ruling(_PASS, (), ambiguous=False, cut=())


class House(NamedTuple):
    """What notices say about us."""

    organisation: str
    helpdesk: str
    retention: float
    """Seconds that an original is kept."""


class Assessed(msgspec.Struct, frozen=True):
    """A verdict, and the content that goes on if it is pass or strip: the very same object on pass."""

    verdict: Verdict
    content: bytes
    screening: Screening


class Means(NamedTuple):
    """What there is to screen one message with."""

    look: Look = look_inside
    limits: Limits = Limits()


def assess(
    raw: bytes,
    rules: RuleSet,
    house: House,
    reference: str,
    now: float,
    means: Means = Means(),  # noqa: B008  (a value, never changed)
) -> Assessed:
    """Return the verdict on a message and what goes on; where a stripped one is not clean, the stricter action."""
    if lets_text_pass(rules) and is_only_text(raw):
        return Assessed(Verdict(_PASS, now), raw, Screening(raw, (), _UNREAD))
    screening = screen(raw, rules, means.limits, means.look)
    if screening.ruling.action is not Action.STRIP:
        return Assessed(_verdict(screening, now), raw, screening)
    stripped = strip(screening, house, reference, now)
    again = screen(stripped, rules, means.limits, means.look).ruling
    if again.action is Action.PASS and not again.reasons:
        return Assessed(_verdict(screening, now), stripped, screening)
    ruling = screening.ruling._replace(
        action=rules.instead, cut=(), reasons=(*screening.ruling.reasons, "strip:result-not-clean")
    )
    screening = msgspec.structs.replace(screening, ruling=ruling)
    return Assessed(_verdict(screening, now), raw, screening)


def strip(screening: Screening, house: House, reference: str, now: float) -> bytes:
    """Return the message with the ruling's parts cut and notices in their place."""
    eol = line_end(screening.raw)

    def notice_for(index: int) -> tuple[bytes, bytes]:
        return notice_part(_notice(screening, index, house, reference, now), eol)

    parts = [seen.part for seen in screening.seen]
    return apply(screening.raw, cuts_for(screening.raw, parts, screening.ruling.cut, notice_for))


def reports(screening: Screening) -> tuple[PartReport, ...]:
    """Return every part that holds content of its own, and the containers that a rule acted on."""
    return tuple(
        report(seen, action_on(seen, screening.ruling))
        for seen in screening.seen
        if seen.finding is not None or seen.detected or seen.part.kind == "message"
    )


def _verdict(screening: Screening, now: float) -> Verdict:
    ruling = screening.ruling
    acted = tuple(report(seen, ruling.action.value) for seen in screening.seen if seen.finding is not None)
    return Verdict(
        action=ruling.action,
        at=now,
        reasons=ruling.reasons,
        ambiguous=ruling.ambiguous,
        parts=acted,
        shadow=ruling.shadow,
        remarks=tuple(sorted(screening.remarks)),
    )


def _notice(screening: Screening, index: int, house: House, reference: str, now: float) -> Notice:
    seen = screening.seen[index]
    octets = seen.part.content()
    names = seen.part.description.names
    finding = seen.finding
    return Notice(
        name=for_display(names[0]) if names else "",
        type=for_display(seen.detected[0].type if seen.detected else seen.part.description.types[0]),
        size=len(octets),
        sha256=hashlib.sha256(octets).hexdigest(),
        rule=finding.rule if finding else "",
        reason=for_display(finding.reason) if finding else "",
        reference=reference,
        organisation=house.organisation,
        helpdesk=house.helpdesk,
        date=date(now),
        kept_until=date(now + house.retention),
    )
