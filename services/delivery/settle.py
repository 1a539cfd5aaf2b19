"""What follows from one attempt: reports, quarantine, another try, or nothing. Pure (DESIGN sections 7 and 8)."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import msgspec

from services.delivery import notify, retry
from services.delivery.cause import Cause, cause_of
from services.delivery.notify import Told
from services.delivery.outcome import Outcome, Result, printable
from shared.broker.topology import Stage
from shared.config.model import Config
from shared.dsn.report import Kind, Report, ReportedRecipient, report_message
from shared.ids import derive_id
from shared.model import Attempt, Item, Message, Place, Recipient, Send
from shared.smtp.reply import Reply


class Policy(NamedTuple):
    """What the configuration says about it."""

    plan: retry.Plan
    hostname: str
    postmaster: str

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return the policy of a configuration."""
        delivery = config.delivery
        plan = retry.Plan(delivery.retry, delivery.lifetime, delivery.delay_warning)
        return cls(plan, config.hostname, config.relay.postmaster)


class Settled(NamedTuple):
    """The sends, and what to count and log."""

    sends: tuple[Send, ...]
    finished: tuple[tuple[Outcome, str], ...]
    """Each outcome with its `result` of metrics.outcomes."""
    reports: tuple[Kind, ...]


class _Case(NamedTuple):
    """One settlement in the making."""

    message: Message
    """The item with this attempt in its history."""
    attempt: int
    """Its number, from 0."""
    policy: Policy
    now: float
    again: float | None
    """When those are tried again who are still open; None if the lifetime is over."""

    @property
    def item(self) -> Item:
        return self.message.item


def settle(
    message: Message,
    outcomes: Sequence[Outcome],
    policy: Policy,
    now: float,
    jitter: float,
    pause: float | None = None,
) -> Settled:
    """Decide for every recipient of an item; every one of them is in `outcomes` once.

    `pause`: when to try again, in seconds, if it was for us that no host was asked: that ends no lifetime.
    """
    item = message.item
    tried = item.tried(_history(outcomes, now))
    by = {result: [outcome for outcome in outcomes if outcome.result is result] for result in Result}
    deferred, failed = by[Result.TEMPORARY], by[Result.PERMANENT]
    age = retry.Age(item.released_at, item.attempt, warns=bool(_to_warn(item, deferred)))
    again = retry.next_try(policy.plan, age, now, jitter) if pause is None else now + pause
    if again is None and not any(outcome.host for outcome in outcomes):
        last_at = max(item.released_at, item.history[-1].at if item.history else 0.0)
        again = retry.once_more(policy.plan, last_at, now)
    case = _Case(Message(tried, message.content), item.attempt, policy, now, again)
    if again is None:
        failed, deferred = [*failed, *(_expired(outcome, policy.plan) for outcome in deferred)], []
    told = notify.told_of_failure(_with(tried, failed), policy.postmaster) if failed else Told.SENDER
    reports = [*_succeeded(case, by[Result.DELIVERED]), *_failed(case, failed, told), *_delayed(case, deferred)]
    sends = [Send(Place.REDELIVER, report_message(report)) for report in reports]
    if told is Told.QUARANTINE:
        sends.append(_quarantine(case, failed))
    if deferred:
        sends.append(_again(case, deferred))
    ended = "quarantined" if told is Told.QUARANTINE else "bounced"
    finished = [
        *((outcome, "delivered") for outcome in by[Result.DELIVERED]),
        *((outcome, ended) for outcome in failed),
        *((outcome, "deferred") for outcome in deferred),
    ]
    return Settled(tuple(sends), tuple(finished), tuple(report.kind for report in reports))


def give_up(message: Message, policy: Policy, reason: str, now: float) -> Settled:
    """Decide as if every recipient had been refused for good: an operator ends the attempts."""
    outcomes = [_withdrawn(recipient, reason) for recipient in message.item.envelope.recipients]
    return settle(message, outcomes, policy, now, 0.0)


def _withdrawn(recipient: Recipient, reason: str) -> Outcome:
    heard = f"; the last answer of {recipient.last_host} was: {recipient.last}" if recipient.last_host else ""
    reply = Reply(554, "5.3.0", printable(f"given up by the operator: {reason}{heard}"))
    return Outcome(recipient, reply, None, ours=True, cause=Cause.WITHDRAWN)


def _history(outcomes: Sequence[Outcome], now: float) -> Attempt:
    """Return the attempt in one line: that of a recipient still open, if there is one."""
    shown = next((outcome for outcome in outcomes if outcome.result is not Result.DELIVERED), outcomes[0])
    return Attempt(at=now, stage=Stage.DELIVER, text=str(shown.reply), host=shown.host)


def _expired(outcome: Outcome, plan: retry.Plan) -> Outcome:
    """Return a temporary failure as the last: in our words, with the last answer in them (RFC 3463 X.4.7)."""
    recipient = outcome.recipient
    last, host = (
        (recipient.last, recipient.last_host)
        if outcome.ours and recipient.last is not None and recipient.last_host is not None
        else (outcome.reply, outcome.said_by)
    )
    by = f" of {host}" if host else ""
    text = f"not delivered within {_days(plan.lifetime)}; the last answer{by} was: {last}"
    return msgspec.structs.replace(outcome, reply=Reply(451, "4.4.7", text), ours=True, cause=cause_of(last))


def _days(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} seconds"


def _succeeded(case: _Case, delivered: Sequence[Outcome]) -> list[Report]:
    """Report what is in the mail store, and what was passed on to where no more reports come from (RFC 3461 5.2.2)."""
    if not notify.is_known(case.item):
        return []
    chosen = [o for o in delivered if not o.passed_on and notify.wants_success(o.recipient)]
    kinds = {
        kind: [o for o in chosen if o.stored is (kind is Kind.DELIVERED)] for kind in (Kind.DELIVERED, Kind.RELAYED)
    }
    return [_report(case, kind, outcomes) for kind, outcomes in kinds.items() if outcomes]


def _failed(case: _Case, failed: Sequence[Outcome], told: Told) -> list[Report]:
    if told is Told.QUARANTINE:
        return []
    if told is Told.POSTMASTER:  # NOTIFY speaks of reports to the sender
        return [_report(case, Kind.FAILED, failed, to=case.policy.postmaster)]
    chosen = [outcome for outcome in failed if notify.wants_failure(outcome.recipient)]
    return [_report(case, Kind.FAILED, chosen)] if chosen else []


def _delayed(case: _Case, deferred: Sequence[Outcome]) -> list[Report]:
    chosen = _to_warn(case.item, deferred)
    return [_report(case, Kind.DELAYED, chosen)] if chosen and _delay_is_due(case) else []


def _to_warn(item: Item, deferred: Sequence[Outcome]) -> list[Outcome]:
    """Return those whose delay is worth a report, when it is due."""
    return [o for o in deferred if notify.wants_delay(o.recipient)] if notify.is_known(item) else []


def _delay_is_due(case: _Case) -> bool:
    item = case.item
    return retry.delay_is_due(case.policy.plan, item.released_at, case.now, reported=item.delay_reported)


def _report(case: _Case, kind: Kind, outcomes: Sequence[Outcome], to: str | None = None) -> Report:
    item, policy = case.item, case.policy
    return Report(
        kind=kind,
        item=item,
        content=case.message.content,
        recipients=tuple(
            ReportedRecipient(
                recipient=outcome.recipient,
                reply=outcome.reply,
                remote_mta=outcome.said_by,
                last_attempt=case.now,
                cause=outcome.why,
            )
            for outcome in outcomes
        ),
        hostname=policy.hostname,
        postmaster=policy.postmaster,
        now=case.now,
        report_id=derive_id(item.id, f"{kind}.{item.split}.{case.attempt}", item.accepted_at),
        retry_until=_until(case) if kind is Kind.DELAYED else None,
        to=to,
    )


def _until(case: _Case) -> float:
    """Return when it is given up."""
    return max(case.item.released_at + case.policy.plan.lifetime, case.again or 0.0)


def _quarantine(case: _Case, failed: Sequence[Outcome]) -> Send:
    reply, host = failed[0].reply, failed[0].said_by
    reason = f"delivery failed: {f'{host} said: ' if host else ''}{reply}"
    item = msgspec.structs.replace(_with(case.item, failed), reason=reason, not_before=None)
    return Send(Place.QUARANTINE, Message(item, case.message.content))


def _again(case: _Case, deferred: Sequence[Outcome]) -> Send:
    item = msgspec.structs.replace(
        _with(case.item, deferred),
        not_before=case.again,
        delay_reported=case.item.delay_reported or _delay_is_due(case),
    )
    return Send(Place.REDELIVER, Message(item, case.message.content))


def _with(item: Item, outcomes: Sequence[Outcome]) -> Item:
    """Return the item for these recipients only, each with what was last said about it."""
    recipients = tuple(_remembering(outcome) for outcome in outcomes)
    return msgspec.structs.replace(item, envelope=msgspec.structs.replace(item.envelope, recipients=recipients))


def _remembering(outcome: Outcome) -> Recipient:
    """Return the recipient with its last answer; a host's words are kept until a host says something else."""
    recipient = outcome.recipient
    if outcome.ours and recipient.last_host is not None:
        return recipient
    return msgspec.structs.replace(recipient, last=outcome.reply, last_host=outcome.said_by)
