"""Whatever hosts, DNS and the broker do from the first attempt to the last: each recipient has one end, told once."""

import email
from collections import Counter
from typing import NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.outcome import Outcome, Result
from services.delivery.retry import SPREAD, Plan
from services.delivery.settle import Policy, Settled, settle
from shared.model import Envelope, Item, Message, Origin, Place, Recipient
from shared.smtp.reply import Reply
from tests.support.effort import effort

PLAN = Plan((60, 300, 3600), 10_000, 1000)
POLICY = Policy(PLAN, "relay.example.org", "postmaster@example.org")
T = 50_000.0
NOTIFY = [None, ("NEVER",), ("SUCCESS",), ("FAILURE",), ("DELAY",), ("SUCCESS", "FAILURE", "DELAY")]
ANSWERS = {
    "taken": Reply(250, "2.0.0", "ok"),
    "put off": Reply(450, "4.2.0", "later"),
    "refused": Reply(550, "5.1.1", "unknown"),
    "nobody asked": Reply(451, "4.4.3", "name server failure"),
}
ENDS = {"delivered", "bounced", "quarantined"}


class Step(NamedTuple):
    """One attempt."""

    answers: tuple[str, ...]
    """Of the recipients in their order; the last one holds for the rest."""
    jitter: float
    pause: float | None
    """Set if the attempt was cut off, or never begun, for our sake: then nobody answers."""
    absence: float
    """How much later than planned it is made."""


STEPS = st.lists(
    st.builds(
        Step,
        st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=3).map(tuple),
        st.floats(0, 1, exclude_max=True),
        st.none() | st.none() | st.floats(1, 60),
        st.just(0.0) | st.just(0.0) | st.floats(0, 30_000),
    ),
    max_size=25,
)
GOES_ON = Step(("put off",), 0.5, None, 0.0)
ORIGINS = st.sampled_from([(Origin.TRUSTED, None), (Origin.INBOUND, "pass"), (Origin.INBOUND, "fail")])


@effort(300)
@given(st.lists(st.sampled_from(NOTIFY), min_size=1, max_size=3), ORIGINS, STEPS)
def test_each_recipient_has_one_end_and_is_told_of_once(
    notify: list[tuple[str, ...] | None], origin: tuple[Origin, str | None], steps: list[Step]
) -> None:
    recipients = tuple(Recipient(address=f"{n}@example.net", notify=each) for n, each in enumerate(notify))
    envelope = Envelope(sender="a@example.org", recipients=recipients)
    item = Item(id="01ARZ3NDEKTSV4RRFFQ69G5FAV", envelope=envelope, origin=origin[0], spf=origin[1], accepted_at=T)
    ends, told, now = Counter[tuple[str, str]](), Counter[tuple[str, str]](), T
    upcoming, known = iter(steps), origin != (Origin.INBOUND, "fail")
    attempts = 0
    while True:
        step = next(upcoming, GOES_ON)
        now += step.absence
        settled = attempted(item, step, now)
        attempts += 1
        assert attempts < 100
        again = follow(item, settled, ends, told)
        expired = [each for each, result in settled.finished if each.reply.enhanced == "4.4.7" and result in ENDS]
        assert not expired or (step.pause is None and now >= T + PLAN.lifetime)
        if again is None:
            break
        assert again.not_before is not None
        assert now < again.not_before <= now + max(PLAN.schedule) * (1 + SPREAD)
        if known and now >= T + PLAN.delay_warning:
            waits = again.envelope.recipients
            assert all((each.address, "delayed") in told for each in waits if not each.notify or "DELAY" in each.notify)
        item, now = msgspec.structs.replace(again, not_before=None), again.not_before
    assert Counter(address for address, _ in ends) == Counter(each.address for each in recipients)
    assert told == expected(recipients, ends, told, known=known)
    assert max(told.values(), default=1) == 1


def attempted(item: Item, step: Step, now: float) -> Settled:
    """Return what follows from one attempt."""
    outcomes = []
    for number, recipient in enumerate(item.envelope.recipients):
        answer = step.answers[min(number, len(step.answers) - 1)] if step.pause is None else "nobody asked"
        ours = answer == "nobody asked"
        outcomes.append(Outcome(recipient, ANSWERS[answer], None if ours else "mx.example.net", ours=ours))
    return settle(Message(item, b"Subject: x\r\n\r\n"), outcomes, POLICY, now, step.jitter, step.pause)


def follow(item: Item, settled: Settled, ends: Counter[tuple[str, str]], told: Counter[tuple[str, str]]) -> Item | None:
    """Note who has come to an end and who is told what; return the item that is tried again."""
    open_before = {recipient.address for recipient in item.envelope.recipients}
    assert Counter(each.recipient.address for each, _ in settled.finished) == Counter(open_before)
    ends.update((each.recipient.address, result) for each, result in settled.finished if result in ENDS)
    assert all(each.result is not Result.PERMANENT for each, result in settled.finished if result not in ENDS)
    again = None
    for send in settled.sends:
        found = send.message.item
        if found.origin is Origin.GENERATED:
            assert [each.address for each in found.envelope.recipients] == ["a@example.org"]
            groups = [part for part in email.message_from_bytes(send.message.content).walk() if part["Action"]]
            told.update((part["Final-Recipient"].partition("; ")[2], part["Action"]) for part in groups)
        elif send.place is Place.REDELIVER:
            assert again is None
            again = found
    still = {each.recipient.address for each, result in settled.finished if result == "deferred"}
    assert still == ({recipient.address for recipient in again.envelope.recipients} if again else set())
    return again


def expected(
    recipients: tuple[Recipient, ...],
    ends: Counter[tuple[str, str]],
    told: Counter[tuple[str, str]],
    *,
    known: bool,
) -> Counter[tuple[str, str]]:
    """Return what the sender has to be told at the end; of delays, what may have been told stands as it is."""
    asked = {each.address: each.notify for each in recipients}
    due = Counter[tuple[str, str]]()
    for address, end in ends:
        notify = asked[address]
        if end == "bounced" and (notify is None or "FAILURE" in notify):
            due[address, "failed"] = 1
        if end == "delivered" and notify is not None and "SUCCESS" in notify:
            due[address, "relayed"] = 1
    for (address, action), count in told.items():
        notify = asked[address]
        if action == "delayed" and (notify is None or "DELAY" in notify):
            due[address, action] = count
    assert known or all(end != "bounced" for _, end in ends)
    return due if known else Counter()
