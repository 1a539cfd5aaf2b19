"""Token buckets: what they let through, what they forget, and who is counted where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress import replies
from services.ingress.policy.rates import Buckets, Event, Rates, Subject, key_of, network_of
from shared.config.strangers import Rate
from shared.config.units import Quota

CLIENT = Subject("192.0.2.1", trusted=False)
OTHER = Subject("192.0.2.2", trusted=False)
INSIDE = Subject("10.0.0.1", trusted=True)
USER = Subject("192.0.2.1", trusted=False, user="bob")

STEPS = st.lists(st.tuples(st.floats(0, 30), st.integers(0, 5), st.integers(1, 3)), max_size=60)
"""Seconds since the step before, whose bucket, tokens."""


def test_so_many_at_once_and_then_as_time_passes() -> None:
    rates = Rates([Rate(per="client", messages="3/min")])
    answers = [rates.admit(Event.MESSAGES, CLIENT, now) for now in (0, 0, 0, 0, 19, 20.1, 20.2, 1000, 1000, 1000, 1000)]
    no = replies.RATE_MESSAGES
    assert answers == [None, None, None, no, no, None, no, None, None, None, no]
    assert rates.admit(Event.MESSAGES, OTHER, 0) is None


@given(STEPS, st.integers(1, 10), st.floats(0.1, 100))
def test_no_window_lets_more_through_than_the_bucket_and_what_filled_it(
    steps: list[tuple[float, int, int]], amount: int, period: float
) -> None:
    buckets = Buckets(Quota(amount, period))
    admitted: list[tuple[float, int]] = []
    now = 0.0
    for pause, _, tokens in steps:
        now += pause
        if tokens <= amount and buckets.has("k", tokens, now):
            buckets.take("k", tokens, now)
            admitted.append((now, tokens))
    for first, (start, _) in enumerate(admitted):
        total = 0
        for at, tokens in admitted[first:]:
            total += tokens
            assert total <= amount + (at - start) * amount / period + 1e-6


@given(st.integers(1, 20), st.floats(0.5, 100), st.integers(1, 200))
def test_who_keeps_to_the_rate_is_never_refused(amount: int, period: float, count: int) -> None:
    buckets = Buckets(Quota(amount, period))
    for number in range(count):
        now = number * period / amount * (1 + 1e-9)
        assert buckets.has("k", 1, now)
        buckets.take("k", 1, now)


@given(STEPS)
def test_giving_up_full_buckets_changes_no_decision(steps: list[tuple[float, int, int]]) -> None:
    """A table that forgets decides as one that keeps everything, and holds no more than it may."""
    small, large = Buckets(Quota(4, 10), max_keys=6), Buckets(Quota(4, 10))
    now = 0.0
    for pause, who, tokens in steps:
        now += pause
        assert small.has(str(who), tokens, now) == large.has(str(who), tokens, now)
        small.take(str(who), tokens, now)
        large.take(str(who), tokens, now)
        assert len(small) <= 6


def test_full_buckets_leave_as_new_ones_come_and_others_stay() -> None:
    buckets = Buckets(Quota(1, 10), max_keys=100)
    for number in range(1000):
        buckets.take(f"old {number}", 1, float(number))
    assert len(buckets) <= 30
    for number in range(200):
        buckets.take(f"flood {number}", 1, 1000.0)
    assert len(buckets) == 100
    assert not buckets.has("flood 0", 1, 1000.0)
    assert buckets.has("flood 199", 1, 1000.0), "who finds no room is not limited"
    buckets.take("later", 1, 1011.0)
    assert not buckets.has("later", 1, 1011.0)


def test_each_limit_must_have_room_and_nothing_is_counted_for_what_is_refused() -> None:
    rates = Rates([Rate(per="client", messages="2/h"), Rate(per="network", messages="5/h")])
    assert [rates.admit(Event.MESSAGES, CLIENT, 0) for _ in range(4)] == [None, None, *[replies.RATE_MESSAGES] * 2]
    assert [rates.admit(Event.MESSAGES, OTHER, 0) for _ in range(2)] == [None, None]
    third = CLIENT._replace(address="192.0.2.3")
    assert [rates.admit(Event.MESSAGES, third, 0) for _ in range(2)] == [None, replies.RATE_MESSAGES]


def test_users_and_strangers_at_one_address_are_counted_apart() -> None:
    rates = Rates([Rate(per="client", messages="1/h"), Rate(per="user", messages="2/h")])
    no = replies.RATE_MESSAGES
    assert [rates.admit(Event.MESSAGES, USER, 0) for _ in range(3)] == [None, None, no]
    assert [rates.admit(Event.MESSAGES, CLIENT, 0) for _ in range(2)] == [None, no]
    assert rates.admit(Event.MESSAGES, USER._replace(address="198.51.100.1"), 0) == no
    assert rates.admit(Event.MESSAGES, USER._replace(user="eve"), 0) is None


STAYS = [
    (Rate(per="client", messages="1/h", bytes="9/h"), True),
    (Rate(per="client", messages="1/h", exempt_trusted=False), True),
    (Rate(per="client", messages="2/h"), False),
    (Rate(per="client", recipients="1/h"), False),
    (Rate(per="network", messages="1/h"), False),
]


@pytest.mark.parametrize(("rate", "stays"), STAYS)
def test_a_quota_that_stays_the_same_keeps_its_buckets(rate: Rate, *, stays: bool) -> None:
    before = Rates([Rate(per="user", messages="1/h"), Rate(per="client", messages="1/h")])
    before.admit(Event.MESSAGES, CLIENT, 0)
    after = Rates([rate], before)
    assert (after.admit(Event.MESSAGES, CLIENT, 1) is None) is not stays


def test_two_limits_alike_do_not_count_in_one_bucket() -> None:
    twice = [Rate(per="client", messages="2/h")] * 2
    rates = Rates(twice, Rates(twice))
    assert [rates.admit(Event.MESSAGES, CLIENT, 0) for _ in range(3)] == [None, None, replies.RATE_MESSAGES]


def test_octets_go_into_debt_that_waiting_pays() -> None:
    rates = Rates([Rate(per="client", bytes="1000B/s")])
    assert rates.room_for(5000, CLIENT, 0) is None, "larger than the bucket: taken when that is full"
    rates.received(5000, CLIENT, 0)
    assert rates.room_for(0, CLIENT, 3.9) == replies.RATE_BYTES
    assert rates.room_for(100, CLIENT, 4.05) == replies.RATE_BYTES
    assert rates.room_for(100, CLIENT, 4.15) is None
    assert rates.room_for(0, CLIENT, 4.15) is None
    assert rates.room_for(100, OTHER, 0) is None


@pytest.mark.parametrize(
    ("event", "reply"),
    [
        (Event.CONNECTIONS, replies.RATE_CONNECTIONS),
        (Event.MESSAGES, replies.RATE_MESSAGES),
        (Event.RECIPIENTS, replies.RATE_RECIPIENTS),
    ],
)
def test_each_event_has_its_quota_and_its_reply(event: Event, reply: replies.Refuse) -> None:
    rates = Rates([Rate(per="client", connections="1/h", messages="1/h", recipients="1/h")])
    assert rates.counted == {Event.CONNECTIONS, Event.MESSAGES, Event.RECIPIENTS}
    assert [rates.admit(event, CLIENT, 0) for _ in range(2)] == [None, reply]
    assert Rates([]).admit(event, CLIENT, 0) is None


V6 = Subject("2001:db8:1:2:3:4:5:6", trusted=False)
KEYS = [
    (Rate(per="client"), CLIENT, "192.0.2.1/32"),
    (Rate(per="client"), Subject("::ffff:192.0.2.1", trusted=False), "192.0.2.1/32"),
    (Rate(per="client"), V6, "2001:db8:1:2::/64"),
    (Rate(per="client", ipv4_prefix=8, ipv6_prefix=16), CLIENT, "192.0.2.1/32"),
    (Rate(per="network"), CLIENT, "192.0.2.0/24"),
    (Rate(per="network"), V6, "2001:db8:1::/48"),
    (Rate(per="network", ipv4_prefix=16, ipv6_prefix=32), CLIENT, "192.0.0.0/16"),
    (Rate(per="network", ipv4_prefix=16, ipv6_prefix=32), V6, "2001:db8::/32"),
    (Rate(per="client"), Subject("unknown", trusted=False), "unknown"),
    (Rate(per="client"), USER, None),
    (Rate(per="network"), USER, None),
    (Rate(per="client"), INSIDE, None),
    (Rate(per="network"), INSIDE, None),
    (Rate(per="client", exempt_trusted=False), INSIDE, "10.0.0.1/32"),
    (Rate(per="user"), CLIENT, None),
    (Rate(per="user"), USER, "bob"),
    (Rate(per="user"), INSIDE, None),
    (Rate(per="user"), INSIDE._replace(user="bob"), "bob"),
]


@pytest.mark.parametrize(("rate", "subject", "key"), KEYS)
def test_who_is_counted_under_which_key(rate: Rate, subject: Subject, key: str | None) -> None:
    assert key_of(rate, subject) == key


def test_a_network_is_that_of_the_address_family() -> None:
    assert network_of("10.1.2.3", 8, 48) == "10.0.0.0/8"
    assert network_of("fe80::1%eth0", 8, 64) == "fe80::/64"
