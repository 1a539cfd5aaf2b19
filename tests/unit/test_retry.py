"""When to try again, and when to say or to stop."""

import pytest

from services.delivery.retry import Plan, delay_is_due, next_try, not_before_busy

PLAN = Plan(schedule=(60, 300, 3600), lifetime=10_000, delay_warning=1000)
T = 50_000.0


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
    found = next_try(PLAN, attempt, T, T + age, jitter)
    assert found == (None if wait is None else pytest.approx(T + age + wait, abs=0.01))


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


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 1), (0.5, 3), (1.0, 5)])
def test_when_a_busy_destination_is_looked_at_again(jitter: float, wait: float) -> None:
    assert not_before_busy(T, jitter) == T + wait
