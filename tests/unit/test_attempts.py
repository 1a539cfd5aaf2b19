"""What failed attempts cost, and what a stranger cannot do with them; the clock is a parameter."""

import pytest

from services.ingress.auth.attempts import (
    FORGOTTEN_AFTER,
    KNOWN_ADDRESSES,
    MAX_DELAY,
    MAX_DOUBLINGS,
    Attempts,
    Ledger,
    Limits,
)

LIMITS = Limits(per_address=3, per_account=6, delay=1.0, lockout=100.0)
HOME, CAFE = "192.0.2.1", "198.51.100.7"


def test_each_failure_costs_twice_the_last_until_the_address_is_locked() -> None:
    attempts = Attempts(LIMITS)
    failures = [attempts.failed(0, HOME, account) for account in ("a", "b", "c")]
    assert [failed.delay for failed in failures] == [1.0, 2.0, 4.0]
    assert [failed.locked for failed in failures] == [(), (), ("address",)]
    assert attempts.locked_for(0, HOME, "d") == 100
    assert attempts.locked_for(0, CAFE, "d") == 0
    assert attempts.locked_for(100, HOME, "d") == 0


def test_locks_grow_to_a_limit_and_so_do_delays() -> None:
    attempts = Attempts(LIMITS)
    now, locks = 0.0, []
    for _ in range(14):
        failed = attempts.failed(now, HOME, "a")
        locks.append(attempts.locked_for(now, HOME, "b"))
        now += locks[-1]
    assert locks[:5] == [0, 0, 100, 200, 400]
    assert locks[-1] == 100 * 2**MAX_DOUBLINGS
    assert failed.delay == MAX_DELAY


def test_many_addresses_together_lock_the_account_for_strangers() -> None:
    attempts = Attempts(LIMITS)
    locked = [attempts.failed(0, f"203.0.113.{n}", "alice").locked for n in range(6)]
    assert locked == [()] * 5 + [("account",)]
    assert attempts.locked_for(0, CAFE, "alice") == 100
    assert attempts.locked_for(0, CAFE, "bob") == 0


def test_an_account_is_never_locked_where_it_has_authenticated_before() -> None:
    attempts = Attempts(LIMITS)
    attempts.succeeded(0, HOME, "alice")
    for n in range(50):
        attempts.failed(1, f"203.0.113.{n}", "alice")
    for n in range(10):
        attempts.failed(1, HOME, f"user{n}")
    assert attempts.locked_for(1, HOME, "alice") == 0
    assert attempts.locked_for(1, HOME, "bob") > 0
    assert attempts.locked_for(1, CAFE, "alice") > 0


def test_a_device_with_an_old_password_locks_out_nobody_but_itself() -> None:
    attempts = Attempts(LIMITS)
    attempts.succeeded(0, HOME, "alice")
    for _ in range(20):
        attempts.failed(1, HOME, "alice")
    assert attempts.locked_for(1, HOME, "alice") > 0
    assert attempts.locked_for(1, HOME, "bob") == 0
    assert attempts.locked_for(1, CAFE, "alice") == 0


def test_a_success_forgives_what_the_pair_has_failed_and_nothing_else() -> None:
    attempts = Attempts(LIMITS)
    attempts.failed(0, HOME, "alice")
    attempts.failed(0, HOME, "mallory")
    attempts.succeeded(1, HOME, "mallory")
    attempts.failed(2, HOME, "alice")
    assert attempts.locked_for(2, HOME, "alice") == 0
    assert attempts.failed(2, HOME, "alice").locked == ("address",)


def test_authenticating_as_oneself_again_and_again_does_not_clear_guesses_at_others() -> None:
    attempts = Attempts(LIMITS)
    for _ in range(3):
        attempts.succeeded(0, HOME, "mallory")
        attempts.failed(0, HOME, "alice")
    assert attempts.locked_for(0, HOME, "alice") == 100


def test_a_lock_outlives_a_success() -> None:
    """An attempt may have been under way when the lock fell."""
    attempts = Attempts(LIMITS)
    for _ in range(3):
        attempts.failed(0, HOME, "alice")
    attempts.succeeded(0, HOME, "alice")
    assert attempts.locked_for(0, HOME, "alice") == 100
    assert attempts.locked_for(0, HOME, "bob") == 100


def test_no_account_counts_for_the_address_alone() -> None:
    attempts = Attempts(LIMITS)
    for n in range(10):
        attempts.failed(0, f"203.0.113.{n}", "")
    assert attempts.locked_for(0, CAFE, "") == 0


def test_addresses_known_for_one_account_do_not_push_out_another_s() -> None:
    attempts = Attempts(LIMITS)
    attempts.succeeded(0, HOME, "alice")
    for n in range(KNOWN_ADDRESSES * 3):
        attempts.succeeded(0, f"10.0.0.{n}", "mallory")
    assert attempts.knows(HOME, "alice")
    assert not attempts.knows("10.0.0.0", "mallory")
    assert attempts.knows("10.0.0.95", "mallory")


def test_failures_are_forgotten_in_the_end() -> None:
    ledger = Ledger(3, 100, 10)
    ledger.fail(0, "a")
    ledger.fail(0, "a")
    assert ledger.count(100 * FORGOTTEN_AFTER, "a") == 2
    assert ledger.count(100 * FORGOTTEN_AFTER + 1, "a") == 0
    assert len(ledger) == 0
    for _ in range(3):
        ledger.fail(1000, "b")
    assert ledger.count(1100 + 100 * FORGOTTEN_AFTER, "b") == 3


@pytest.mark.parametrize("spread", [1, 7])
def test_a_full_ledger_forgets_the_least_and_never_a_lock(spread: int) -> None:
    ledger = Ledger(3, 100, 10)
    for _ in range(3):
        ledger.fail(0, "locked")
    for _ in range(2):
        ledger.fail(0, "nearly")
    for n in range(1000):
        ledger.fail(n / 100, f"flood{n % (100 * spread)}.{n}")
    assert len(ledger) == 10
    assert ledger.locked_until(10, "locked") == 100
    assert ledger.count(10, "nearly") == 2


def test_where_all_are_locked_the_new_ones_share_one_key() -> None:
    ledger = Ledger(2, 100, 3)
    for key in ("a", "b", "c"):
        ledger.fail(0, key)
        ledger.fail(0, key)
    assert ledger.locked_until(1, "d") == 0
    ledger.fail(1, "d")
    ledger.fail(1, "e")
    assert ledger.locked_until(2, "f") == 101
    assert len(ledger) == 4
    assert ledger.locked_until(2, "a") == 100
    ledger.fail(150, "g")
    assert ledger.count(150, "g") == 1


def test_forgiving_takes_back_a_part() -> None:
    ledger = Ledger(5, 100, 10)
    for _ in range(3):
        ledger.fail(0, "a")
    ledger.forgive(0, "a", 2)
    assert ledger.count(0, "a") == 1
    ledger.forgive(0, "a", 9)
    ledger.forgive(0, "unknown", 1)
    assert len(ledger) == 0
