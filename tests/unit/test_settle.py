"""What follows from an attempt, decided without a host in sight."""

import pytest

from services.delivery.outcome import Outcome
from services.delivery.retry import Plan
from services.delivery.settle import Policy, Settled, give_up, settle
from shared.dsn.report import Kind
from shared.dsn.text import date
from shared.model import Attempt, Envelope, Item, Message, Origin, Place, Recipient
from shared.smtp.reply import Reply

POLICY = Policy(Plan((60, 300), 10_000, 1000), "relay.example.org", "postmaster@example.org")
T = 50_000.0
OK, LATER, NO = Reply(250, "2.0.0", "ok"), Reply(450, "4.2.0", "later"), Reply(550, "5.1.1", "unknown")
LOST = Reply(451, "4.4.2", "session lost")
BOB, EVE = Recipient(address="bob@example.net"), Recipient(address="eve@example.net")
NEVER = Recipient(address="never@example.net", notify=("NEVER",))
FAILURE = Recipient(address="failure@example.net", notify=("FAILURE",))
SUCCESS = Recipient(address="success@example.net", notify=("SUCCESS",))


def decide(
    *outcomes: tuple[Recipient, Reply],
    age: float = 0,
    origin: Origin = Origin.TRUSTED,
    ours: bool = False,
    passed_on: bool = False,
    stored: bool = False,
    policy: Policy = POLICY,
) -> Settled:
    """Settle an item for the outcomes' recipients, so old."""
    envelope = Envelope(sender="a@example.org", recipients=tuple(recipient for recipient, _ in outcomes))
    item = Item(id="01ARZ3NDEKTSV4RRFFQ69G5FAV", split=1, envelope=envelope, origin=origin, accepted_at=T)
    results = [
        Outcome(recipient, reply, "mx", ours=ours, passed_on=passed_on, stored=stored) for recipient, reply in outcomes
    ]
    return settle(Message(item, b"Subject: x\r\n\r\n"), results, policy, T + age, 0.5)


def shape(settled: Settled) -> list[str]:
    """Return what the sends are, in short."""
    kinds = iter(settled.reports)
    found = []
    for send in settled.sends:
        item = send.message.item
        names = ",".join(recipient.address.partition("@")[0] for recipient in item.envelope.recipients)
        place = send.place.removeprefix("mail.")
        found.append(f"report {next(kinds)}" if item.origin is Origin.GENERATED else f"{place} {names}")
    return found


@pytest.mark.parametrize(
    ("outcomes", "age", "expected", "results"),
    [
        ([(BOB, OK)], 0, [], ["delivered"]),
        ([(BOB, LATER)], 0, ["redeliver bob"], ["deferred"]),
        ([(BOB, NO)], 0, ["report failed"], ["bounced"]),
        ([(BOB, OK), (EVE, LATER)], 0, ["redeliver eve"], ["delivered", "deferred"]),
        ([(BOB, NO), (EVE, LATER)], 0, ["report failed", "redeliver eve"], ["bounced", "deferred"]),
        ([(BOB, NO), (EVE, NO)], 0, ["report failed"], ["bounced", "bounced"]),
        ([(NEVER, NO)], 0, [], ["bounced"]),
        ([(SUCCESS, NO)], 0, [], ["bounced"]),
        ([(NEVER, NO), (FAILURE, NO)], 0, ["report failed"], ["bounced", "bounced"]),
        ([(SUCCESS, OK)], 0, ["report relayed"], ["delivered"]),
        ([(FAILURE, OK), (NEVER, OK)], 0, [], ["delivered", "delivered"]),
        ([(BOB, LATER)], 1000, ["report delayed", "redeliver bob"], ["deferred"]),
        ([(FAILURE, LATER)], 1000, ["redeliver failure"], ["deferred"]),
        ([(BOB, LATER)], 10_000, ["report failed"], ["bounced"]),
        ([(BOB, LATER), (EVE, OK)], 10_000, ["report failed"], ["delivered", "bounced"]),
        ([(SUCCESS, OK), (BOB, NO), (EVE, LATER)], 1000,
         ["report relayed", "report failed", "report delayed", "redeliver eve"], ["delivered", "bounced", "deferred"]),
    ],
)  # fmt: skip
def test_what_follows_for_a_sender_we_know(
    outcomes: list[tuple[Recipient, Reply]], age: float, expected: list[str], results: list[str]
) -> None:
    settled = decide(*outcomes, age=age)
    assert shape(settled) == expected
    assert [result for _, result in settled.finished] == results


@pytest.mark.parametrize(
    ("outcomes", "age", "expected", "results"),
    [
        ([(BOB, NO)], 0, ["quarantine bob"], ["quarantined"]),
        ([(NEVER, NO)], 0, ["quarantine never"], ["quarantined"]),
        ([(BOB, NO), (EVE, LATER)], 0, ["quarantine bob", "redeliver eve"], ["quarantined", "deferred"]),
        ([(BOB, LATER)], 1000, ["redeliver bob"], ["deferred"]),
        ([(BOB, LATER)], 10_000, ["quarantine bob"], ["quarantined"]),
        ([(SUCCESS, OK)], 0, [], ["delivered"]),
    ],
)
def test_what_follows_for_a_stranger(
    outcomes: list[tuple[Recipient, Reply]], age: float, expected: list[str], results: list[str]
) -> None:
    settled = decide(*outcomes, age=age, origin=Origin.INBOUND)
    assert shape(settled) == expected
    assert [result for _, result in settled.finished] == results


def test_success_is_not_reported_where_the_next_host_will() -> None:
    assert decide((SUCCESS, OK), passed_on=True).sends == ()


def test_what_the_mail_store_took_is_reported_as_delivered() -> None:
    """RFC 3464 section 2.3.3; not as relayed, which says that nobody may tell what became of it."""
    assert shape(decide((SUCCESS, OK), (BOB, OK), stored=True)) == ["report delivered"]
    assert decide((SUCCESS, OK), stored=True, passed_on=True).sends == ()
    assert decide((SUCCESS, OK), stored=True, origin=Origin.INBOUND).sends == ()


def test_a_retry_carries_the_open_recipients_and_what_was_said() -> None:
    (send,) = decide((BOB, OK), (EVE, LATER), age=2000, origin=Origin.INBOUND).sends
    item = send.message.item
    assert (send.place, item.attempt, item.not_before) == (Place.REDELIVER, 1, T + 2060)
    assert item.envelope.recipients == (Recipient(address="eve@example.net", last=LATER, last_host="mx"),)
    assert item.history == (Attempt(at=T + 2000, stage="deliver", text=str(LATER), host="mx"),)
    assert item.delay_reported


def test_a_hosts_words_outlive_ours() -> None:
    heard = Recipient(address="bob@example.net", last=LATER, last_host="mx1")
    (send,) = decide((heard, LOST), ours=True).sends
    assert send.message.item.envelope.recipients == (heard,)
    (report,) = decide((heard, LOST), ours=True, age=10_000).sends
    assert b"the last answer of mx1 was: 450 4.2.0 later" in report.message.content.replace(b"\r\n ", b" ")


@pytest.mark.parametrize(
    ("before", "ours", "last", "last_host"),
    [
        (("earlier", "mx1"), False, "later", "mx"),
        (("earlier", "mx1"), True, "earlier", "mx1"),
        (("earlier", None), True, "later", None),
        ((None, None), True, "later", None),
        ((None, None), False, "later", "mx"),
    ],
)
def test_the_last_answer_is_kept(
    before: tuple[str | None, str | None], ours: bool, last: str, last_host: str | None
) -> None:
    """It stands in the next item, and in the report of the end."""
    text, host = before
    heard = Recipient(address="bob@example.net", last=Reply(450, "4.2.0", text) if text else None, last_host=host)
    (send,) = decide((heard, LATER), ours=ours).sends
    (kept,) = send.message.item.envelope.recipients
    assert (kept.last and kept.last.text, kept.last_host) == (last, last_host)
    (report,) = decide((heard, LATER), ours=ours, age=10_000).sends
    by = f" of {last_host}" if last_host else ""
    assert f"the last answer{by} was: 450 4.2.0 {last}".encode() in report.message.content
    (send,) = give_up(send.message, POLICY, "enough", T).sends
    said = f"; the last answer of {last_host} was: 450 4.2.0 {last}" if last_host else ""
    assert f"given up by the operator: enough{said}\r\n".encode() in send.message.content


@pytest.mark.parametrize(
    ("lifetime", "said"),
    [(432_000, "5 days"), (172_800, "2 days"), (86_400, "24 hours"), (5400, "90 minutes"), (90, "90 seconds")],
)
def test_how_long_it_was_tried_is_said_in_words(lifetime: float, said: str) -> None:
    policy = POLICY._replace(plan=POLICY.plan._replace(lifetime=lifetime))
    (report,) = decide((BOB, LATER), age=lifetime, policy=policy).sends
    assert f"not delivered within {said};".encode() in report.message.content


@pytest.mark.parametrize(("origin", "wait"), [(Origin.TRUSTED, 10), (Origin.INBOUND, 60)])
def test_a_try_is_made_for_a_warning_only_if_somebody_is_warned(origin: Origin, wait: float) -> None:
    (send,) = decide((BOB, LATER), age=990, origin=origin).sends
    assert send.message.item.not_before == T + 990 + wait


def test_our_words_are_reported_if_no_host_said_any() -> None:
    (report,) = decide((BOB, LOST), ours=True, age=10_000).sends
    assert b"the last answer was: 451 4.4.2 session lost" in report.message.content.replace(b"\r\n ", b" ")


def test_nothing_is_given_up_by_a_try_that_asked_nobody_after_an_absence() -> None:
    """Back after days, we find no DNS: an hour later is early enough to return everything."""
    nowhere = Reply(451, "4.4.3", "name server failure")
    item = Item(
        id="01ARZ3NDEKTSV4RRFFQ69G5FAV",
        split=1,
        envelope=Envelope(sender="a@example.org", recipients=(BOB,)),
        origin=Origin.TRUSTED,
        accepted_at=T,
    )
    outcomes = [Outcome(BOB, nowhere, None, ours=True)]
    warning, send = settle(Message(item, b"\r\n"), outcomes, POLICY, T + 20_000, 0.5).sends
    assert f"Will-Retry-Until: {date(T + 20_300)}".encode() in warning.message.content
    assert send.message.item.not_before == T + 20_300
    (report,) = settle(send.message, outcomes, POLICY, T + 20_300, 0.5).sends
    assert b"Action: failed" in report.message.content
    (asked,) = settle(Message(item, b"\r\n"), [Outcome(BOB, LATER, "mx")], POLICY, T + 20_000, 0.5).sends
    assert b"Action: failed" in asked.message.content


@pytest.mark.parametrize("age", [0, 999, 1000, 10_000, 1e6])
def test_what_was_not_tried_for_our_sake_is_not_given_up(age: float) -> None:
    item = Item(
        id="01ARZ3NDEKTSV4RRFFQ69G5FAV",
        envelope=Envelope(sender="a@example.org", recipients=(BOB,)),
        origin=Origin.TRUSTED,
        accepted_at=T,
    )
    outcomes = [Outcome(BOB, LOST, None, ours=True)]
    sends = settle(Message(item, b"\r\n"), outcomes, POLICY, T + age, 0.5, pause=7).sends
    assert sends[-1].message.item.not_before == T + age + 7
    assert [b"Action: delayed" in send.message.content for send in sends] == [True] * (age >= 1000) + [False]


def test_reports_of_one_message_have_ids_of_their_own() -> None:
    sends = decide((SUCCESS, OK), (BOB, NO), (EVE, LATER), age=1000).sends
    assert len({send.message.item.id for send in sends}) == len(sends) == 4


def test_kinds_are_counted() -> None:
    assert decide((BOB, NO), (EVE, LATER), age=1000).reports == (Kind.FAILED, Kind.DELAYED)
