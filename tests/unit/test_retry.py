"""When to try again, and when to say or to stop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.retry import SPREAD, Age, Plan, delay_is_due, is_over, next_try, once_more
from shared.config.model import Delivery
from tests.support.effort import effort

PLAN = Plan(schedule=(60, 300, 3600), lifetime=10_000, delay_warning=1000)
T = 50_000.0
SECONDS = st.floats(1, 1e6)
JITTER = st.floats(0, 1, exclude_max=True)
PLANS = st.builds(Plan, st.lists(SECONDS, min_size=1, max_size=8), SECONDS, st.floats(0, 1e6))


@pytest.mark.parametrize(
    ("attempt", "age", "jitter", "wait"),
    [
        (0, 0, 0.5, 60),
        (0, 0, 0.0, 54),
        (0, 0, 0.999999, 66),
        (1, 100, 0.5, 300),
        (2, 500, 0.5, 3600),
        (3, 500, 0.5, 3600),
        (99, 500, 0.5, 3600),
        (2, 9000, 0.5, 1000),
        (2, 9999, 0.5, 1),
        (2, 10_000, 0.5, None),
        (0, 10_000, 0.5, None),
        (0, 999_999, 0.5, None),
    ],
)
def test_the_next_try(attempt: int, age: float, jitter: float, wait: float | None) -> None:
    found = next_try(PLAN, Age(T, attempt), T + age, jitter)
    assert found == (None if wait is None else pytest.approx(T + age + wait, abs=0.01))


@pytest.mark.parametrize(
    ("age", "warns", "wait"),
    [
        (500, True, 500),
        (500, False, 3600),
        (999, True, 1),
        (1000, True, 3600),
        (0, True, 1000),
    ],
)
def test_a_try_is_made_when_the_warning_is_due(age: float, warns: bool, wait: float) -> None:
    """Or the report of a delay of 4 hours would be sent after nearly 8, when the ladder's next step ends."""
    assert next_try(PLAN, Age(T, 2, warns=warns), T + age, 0.5) == T + age + wait


def test_no_warning_makes_no_try() -> None:
    assert next_try(PLAN._replace(delay_warning=0), Age(T, 2, warns=True), T, 0.5) == T + 3600


@effort(200)
@given(PLANS, st.integers(0, 10_000), st.floats(0, 2e6), JITTER, st.booleans())
def test_the_next_try_is_later_and_within_the_lifetime(
    plan: Plan, attempt: int, since: float, jitter: float, warns: bool
) -> None:
    found = next_try(plan, Age(T, attempt, warns=warns), T + since, jitter)
    end = T + plan.lifetime
    assert (found is None) is (T + since >= end)
    if found is not None:
        assert T + since < found <= end
        assert found <= T + since + max(plan.schedule) * (1 + SPREAD / 2)


@effort(200)
@given(PLANS, JITTER, st.booleans())
def test_every_plan_ends_with_one_try_at_the_end(plan: Plan, jitter: float, warns: bool) -> None:
    """However the ladder is configured: only so many tries, the last of them as the lifetime ends."""
    plan = plan._replace(lifetime=min(plan.lifetime, 200 * min(plan.schedule)))
    tries = tried(plan, jitter, warns=warns)
    assert len(tries) <= plan.lifetime / (min(plan.schedule) * (1 - SPREAD / 2)) + 3
    assert tries[-1] == plan.lifetime + T
    assert (T + plan.delay_warning in tries) or not (warns and 0 < plan.delay_warning < plan.lifetime)


@effort(200)
@given(JITTER, JITTER)
def test_jitter_spreads_a_wait_by_a_tenth(one: float, other: float) -> None:
    found = [next_try(PLAN, Age(T, 1), T, jitter) or 0.0 for jitter in (one, other)]
    assert all(T + 270 <= each < T + 330.001 for each in found)
    assert (found[0] < found[1]) is (one < other) or abs(one - other) < 1e-6


def test_the_ladder_as_delivered() -> None:
    """1m 5m 15m 30m 1h 2h 4h ..., for five days, with the one at 4 h for the warning."""
    delivery = Delivery()
    plan = Plan(delivery.retry, delivery.lifetime, delivery.delay_warning)
    minutes = [round((at - T) / 60) for at in tried(plan, 0.5, warns=True)]
    assert minutes == [0, 1, 6, 21, 51, 111, 231, 240, *range(480, 7200, 240), 7200]


def tried(plan: Plan, jitter: float, *, warns: bool = False) -> list[float]:
    """Return when attempts are made for a host that never takes the message."""
    now: float | None = T
    times: list[float] = []
    while now is not None:
        times.append(now)
        due = delay_is_due(plan, T, now, reported=not warns)
        warns = warns and not due
        now = next_try(plan, Age(T, len(times) - 1, warns=warns), now, jitter)
    return times


@pytest.mark.parametrize(
    ("warning", "age", "reported", "due"),
    [
        (1000, 999, False, False),
        (1000, 1000, False, True),
        (1000, 5000, False, True),
        (1000, 5000, True, False),
        (0, 5000, False, False),
    ],
)
def test_when_a_delay_is_reported(warning: float, age: float, reported: bool, due: bool) -> None:
    assert delay_is_due(PLAN._replace(delay_warning=warning), T, T + age, reported=reported) is due


@pytest.mark.parametrize(
    ("since", "wait"),
    [(0, None), (3600, None), (4320, None), (4321, 3600), (1e6, 3600)],
)
def test_a_last_try_that_asked_nobody_is_repeated_after_an_absence(since: float, wait: float | None) -> None:
    assert once_more(PLAN, T, T + since) == (None if wait is None else T + since + wait)


@pytest.mark.parametrize(("age", "over"), [(0, False), (9999, False), (10_000, True), (20_000, True)])
def test_when_the_next_attempt_is_the_last(age: float, over: bool) -> None:
    assert is_over(PLAN, T, T + age) is over
