"""The topology as data: where a send goes, which policy applies, who may do what."""

import re

import pytest

from shared.broker.topology import (
    COMES_BACK_TO,
    DAY,
    DEAD_EXCHANGE,
    LARGE,
    QUARANTINE_BUCKETS,
    QUARANTINE_INDEX,
    RETURN_EXCHANGE,
    STEPS,
    WORK,
    Limits,
    Stage,
    User,
    bindings,
    bucket_queue,
    exchanges,
    permissions,
    policies,
    policy_for,
    queue_for,
    quorum_queues,
    stage_queues,
    step_for,
    targets,
    twin,
)
from shared.model import Place

NOW = 1_700_000_000.0
QUEUES = [*quorum_queues(), QUARANTINE_INDEX]
STAGE_OF_USER = {User.SCREENER: Stage.SCREEN, User.DELIVERY: Stage.DELIVER}


@pytest.mark.parametrize(
    ("remaining", "step"),
    [
        (-3, "5s"),
        (0, "5s"),
        (4.9, "5s"),
        (5, "5s"),
        (14.9, "5s"),
        (15, "15s"),
        (59, "15s"),
        (60, "1m"),
        (299, "1m"),
        (300, "5m"),
        (900, "15m"),
        (3599, "15m"),
        (3600, "1h"),
        (14399, "1h"),
        (14400, "4h"),
        (5 * DAY, "4h"),
    ],
)
def test_step(remaining: float, step: str) -> None:
    """The largest step that does not exceed what remains, so that nothing comes late by more than the shortest."""
    assert step_for(remaining) == step


@pytest.mark.parametrize(
    ("place", "size", "not_before", "queue"),
    [
        (Place.SCREEN, 1, None, "mail.screen"),
        (Place.SCREEN, LARGE, None, "mail.screen"),
        (Place.SCREEN, LARGE + 1, None, "mail.screen.large"),
        (Place.SCREEN, 1, NOW + 5, "mail.screen.wait.5s"),
        (Place.SCREEN, LARGE + 1, NOW + 70, "mail.screen.wait.1m.large"),
        (Place.SCREEN, 1, NOW - 1, "mail.screen.wait.5s"),
        (Place.DELIVER, 1, None, "mail.deliver"),
        (Place.DELIVER, LARGE + 1, None, "mail.deliver.large"),
        (Place.DELIVER, 1, NOW + 900, "mail.deliver.wait.15m"),
        (Place.DELIVER, 1, NOW - 1, "mail.deliver"),
        (Place.REDELIVER, 1, None, "mail.redeliver"),
        (Place.REDELIVER, 1, NOW, "mail.redeliver"),
        (Place.REDELIVER, 1, NOW + 0.1, "mail.deliver.wait.5s"),
        (Place.REDELIVER, LARGE + 1, NOW + 15_000, "mail.deliver.wait.4h.large"),
        (Place.QUARANTINE, 1, None, bucket_queue(int(NOW // DAY))),
        (Place.QUARANTINE, LARGE + 1, NOW + 70, bucket_queue(int(NOW // DAY))),
        (Place.DEAD, 1, None, "mail.dead"),
        (Place.DEAD, LARGE + 1, NOW + 70, "mail.dead"),
    ],
)
def test_queue(place: Place, size: int, not_before: float | None, queue: str) -> None:
    """Each place, small and large, due and not."""
    assert queue_for(place, size, not_before, NOW) == queue


def test_buckets_are_a_ring_longer_than_the_longest_default_retention() -> None:
    """A bucket is empty again before its day of the month comes round."""
    assert bucket_queue(0) == bucket_queue(QUARANTINE_BUCKETS)
    assert len({bucket_queue(day) for day in range(100)}) == QUARANTINE_BUCKETS
    assert Limits().retention < QUARANTINE_BUCKETS * DAY


@pytest.mark.parametrize("queue", QUEUES)
def test_exactly_one_policy_matches_a_queue(queue: str) -> None:
    """RabbitMQ applies one policy only, and which of two is not defined."""
    matching = [policy for policy in policies(Limits()) if re.search(policy.pattern, queue)]
    assert matching == [policy_for(queue, Limits())]


def test_no_policy_without_a_queue() -> None:
    """Nothing stale is applied."""
    assert {policy.name for policy in policies(Limits())} == {policy_for(queue, Limits()).name for queue in QUEUES}


@pytest.mark.parametrize("queue", [queue for queue in QUEUES if ".wait." in queue])
def test_the_ladder_returns_to_its_own_stage_at_least_once(queue: str) -> None:
    """All four conditions of at-least-once dead-lettering, and the way back, twin to twin (BROKER.md 5, 6)."""
    stage = Stage(queue.split(".")[1])
    seconds = dict(STEPS)[queue.split(".")[3]]
    back = COMES_BACK_TO[stage]
    expected = twin(back) if queue.endswith(".large") else back
    definition = policy_for(queue, Limits()).definition
    assert definition["message-ttl"] == seconds * 1000
    assert definition["dead-letter-exchange"] == RETURN_EXCHANGE
    assert definition["dead-letter-routing-key"] == expected
    assert definition["dead-letter-strategy"] == "at-least-once"
    assert definition["overflow"] == "reject-publish"
    assert (RETURN_EXCHANGE, expected, expected) in bindings()


@pytest.mark.parametrize("queue", [q for stage in Stage for work in WORK[stage] for q in (work, twin(work))])
def test_work_queues_have_a_backstop_and_only_fresh_ones_a_length(queue: str) -> None:
    """A worker must always be able to publish what lets it acknowledge."""
    definition = policy_for(queue, Limits(work_bytes=77)).definition
    assert definition["dead-letter-exchange"] == DEAD_EXCHANGE
    assert definition["delivery-limit"] == 1000
    assert definition.get("max-length-bytes") == (None if "redeliver" in queue else 77)


@pytest.mark.parametrize("queue", [*(bucket_queue(day) for day in range(QUARANTINE_BUCKETS)), "mail.dead"])
def test_nothing_kept_is_dropped_but_by_retention(queue: str) -> None:
    """No length limit, no low delivery limit: looking counts against it (BROKER.md 15)."""
    definition = dict(policy_for(queue, Limits(retention=DAY)).definition)
    assert definition.pop("delivery-limit") == 1_000_000_000
    assert definition == ({} if queue == "mail.dead" else {"message-ttl": DAY * 1000})


@pytest.mark.parametrize("user", User)
def test_a_user_writes_to_one_exchange_and_reads_its_own_stage(user: User) -> None:
    """Least privilege (BROKER.md 11): decided by RabbitMQ with these expressions."""
    permission = permissions()[user]
    names = [*QUEUES, *exchanges(), "amq.default", "anything"]
    assert [name for name in names if re.search(permission.configure, name)] == []
    assert [name for name in names if re.search(permission.write, name)] == [user.exchange]
    readable = {name for name in names if re.search(permission.read, name)}
    if user in STAGE_OF_USER:
        assert readable == {q for work in WORK[STAGE_OF_USER[user]] for q in (work, twin(work))}
    elif user is User.OPERATOR:
        kept = {bucket_queue(day) for day in range(QUARANTINE_BUCKETS)}
        waiting = set(stage_queues(Stage.DELIVER))
        assert readable == kept | waiting | {QUARANTINE_INDEX, "mail.dead"}
    else:
        assert readable == set()


def test_only_the_screener_reaches_fresh_delivery_and_ingress_only_the_screener() -> None:
    """No path leads around the screener but an operator's release (DESIGN section 4)."""
    assert targets(User.INGRESS) == ["mail.screen", "mail.screen.large"]
    assert [user for user in User if "mail.deliver" in targets(user)] == [User.SCREENER]


@pytest.mark.parametrize(
    ("user", "place", "delayed"),
    [
        (User.INGRESS, Place.SCREEN, False),
        (User.SCREENER, Place.SCREEN, True),
        (User.SCREENER, Place.DELIVER, False),
        (User.SCREENER, Place.REDELIVER, False),
        (User.SCREENER, Place.QUARANTINE, False),
        (User.SCREENER, Place.DEAD, False),
        (User.DELIVERY, Place.REDELIVER, False),
        (User.DELIVERY, Place.REDELIVER, True),
        (User.DELIVERY, Place.QUARANTINE, False),
        (User.DELIVERY, Place.DEAD, False),
        (User.OPERATOR, Place.SCREEN, False),
        (User.OPERATOR, Place.REDELIVER, False),
    ],
)
def test_what_a_service_sends_is_bound(user: User, place: Place, delayed: bool) -> None:
    """An unroutable publish is an error, so every queue a service may choose has its binding."""
    moments = [NOW + seconds + extra for _, seconds in STEPS for extra in (-4, 0, 1)] if delayed else [None]
    for size in (1, LARGE + 1):
        for moment in moments:
            assert queue_for(place, size, moment, NOW) in targets(user)


def test_bindings_name_known_exchanges_and_queues_once() -> None:
    """No duplicates, nothing dangling."""
    found = bindings()
    assert len(found) == len(set(found))
    assert {binding.exchange for binding in found} == set(exchanges())
    assert {binding.queue for binding in found} <= set(QUEUES)
    assert all(binding.key == binding.queue for binding in found)
