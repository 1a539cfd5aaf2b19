"""From a verdict to what follows: delivery by destination, quarantine, a report; pure (DESIGN section 7)."""

import msgspec

from services.screener.settings import Settings
from shared.dsn.report import Kind, Report, ReportedRecipient, report_message
from shared.ids import derive_id
from shared.model import Action, Message, Origin, Place, Recipient, Send, Verdict
from shared.smtp.reply import Reply
from shared.split import by_destination

_TELLS = frozenset({Origin.AUTHENTICATED, Origin.TRUSTED})
"""Whose messages are blocked with a report; anybody else's sender may be forged, and gets none."""


def follow(message: Message, verdict: Verdict, content: bytes, settings: Settings) -> list[Send]:
    """Return the sends that follow from a verdict; `content` is what goes on if it is pass or strip.

    The original of a stripped message is kept, so that an operator can release it.
    """
    judged = Message(msgspec.structs.replace(message.item, verdict=verdict), message.content)
    if verdict.action is Action.PASS:
        return _deliver(judged, content)
    if verdict.action is Action.STRIP:
        return [_keep(judged, verdict), *_deliver(judged, content)]
    if verdict.action is Action.BLOCK:
        told = _told(message)
        if told:
            return [_report(judged, verdict, told, settings)]
    return [_keep(judged, verdict)]


def reason_line(verdict: Verdict) -> str:
    """Return a verdict in one line, for operators."""
    text = f"{verdict.action}: {', '.join(verdict.reasons) or 'no reason'}"
    return text if len(text) <= 300 else f"{text[:299]}…"


def _deliver(judged: Message, content: bytes) -> list[Send]:
    if judged.item.destination is not None:  # screened again on its way: to delivery it stays what it is
        item = msgspec.structs.replace(judged.item, failures=0, lost=0, not_before=None)
        return [Send(Place.DELIVER, Message(item, content))]
    return [Send(Place.DELIVER, Message(item, content)) for item in by_destination(judged.item)]


def _keep(judged: Message, verdict: Verdict) -> Send:
    item = msgspec.structs.replace(judged.item, reason=reason_line(verdict), not_before=None)
    return Send(Place.QUARANTINE, Message(item, judged.content))


def _told(message: Message) -> tuple[Recipient, ...]:
    """Return the recipients to report on: none if the sender is null or a stranger, or wants no report (RFC 3461)."""
    if message.item.origin not in _TELLS or message.item.envelope.sender is None:
        return ()
    recipients = message.item.envelope.recipients
    return tuple(r for r in recipients if r.notify is None or "FAILURE" in r.notify)


def _report(judged: Message, verdict: Verdict, told: tuple[Recipient, ...], settings: Settings) -> Send:
    item = judged.item
    purpose = f"block.{item.split}" if item.split else "block"
    reply = Reply(554, "5.7.1", f"blocked by {settings.organisation}: {_in_words(verdict)}")
    report = Report(
        kind=Kind.BLOCKED,
        item=item,
        content=judged.content,
        recipients=tuple(ReportedRecipient(recipient, reply) for recipient in told),
        hostname=settings.hostname,
        postmaster=settings.postmaster,
        now=verdict.at,
        report_id=derive_id(item.id, purpose, item.accepted_at),
    )
    return Send(Place.REDELIVER, report_message(report))


def _in_words(verdict: Verdict) -> str:
    """Return what was found: each part's name and rule, then what is wrong with the message as a whole."""
    parts = [f"{part.names[0] if part.names else part.declared_type} ({part.rule})" for part in verdict.parts[:5]]
    rules = {part.rule for part in verdict.parts}
    return ", ".join([*parts, *(reason for reason in verdict.reasons if reason not in rules)])[:500]
