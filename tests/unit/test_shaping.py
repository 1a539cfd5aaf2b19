"""How much at a time a destination gets: the decisions."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.routing.route import NextHop
from services.delivery.shaping import booking, circuit, pace
from services.delivery.shaping.booking import BLIND, LATEST, SLACK, SOONEST, Bookings
from services.delivery.shaping.circuit import FAILURES, FIRST_WAIT, LONGEST_WAIT, Circuit
from services.delivery.shaping.limits import Limits, Table
from services.delivery.shaping.pace import QUIET, START, Pace
from services.delivery.shaping.site import site_of
from services.delivery.smtp.client import Target
from shared.config.model import Delivery, Destination
from shared.smtp.reply import Reply

T = 1000.0


def by_mx(*hosts: str) -> list[Target]:
    return [
        Target(NextHop(host.removeprefix("~"), 25), f"192.0.2.{number}", by_mx=True, spare=host.startswith("~"))
        for number, host in enumerate(hosts, 1)
    ]


@pytest.mark.parametrize(
    ("targets", "site"),
    [
        (by_mx("mx1.example.net"), "example.net"),
        (by_mx("mx1.example.net", "mx2.example.net"), "example.net"),
        (by_mx("mx.example.net", "mx.example.com"), "example.com example.net"),
        (by_mx("mx.example.com", "mx.example.net"), "example.com example.net"),
        (by_mx("mx.example.net", "~backup.example.com"), "example.net"),
        (by_mx("~backup.example.com"), "example.com"),
        (by_mx("a-example.mail.protection.outlook.com"), "outlook.com"),
        (by_mx("mail.example.co.uk"), "example.co.uk"),
        (by_mx("mail.internal"), "mail.internal"),
        (by_mx("localhost"), "localhost"),
        (by_mx("co.uk"), "co.uk"),
        (by_mx("192.0.2.7"), "192.0.2.7"),
        (by_mx("2001:db8::1"), "2001:db8::1"),
        ([Target(NextHop("mail.internal", 2525), "10.0.0.1")], "mail.internal:2525"),
        ([Target(NextHop(h, 25), "10.0.0.1") for h in ("b.internal", "a.internal")], "a.internal:25 b.internal:25"),
    ],
)
def test_which_site_targets_are(targets: Sequence[Target], site: str) -> None:
    assert site_of(targets) == site


DELIVERY = Delivery(
    per_destination=10,
    messages_per_connection=100,
    destination={
        "outlook.com": Destination(connections=4),
        "slow.example": Destination(rate="30/min"),
        "quick.example": Destination(rate="120/s", connections=3),
        ".corp.example": Destination(messages_per_connection=5),
        "both.example": Destination(connections=7),
        "mail.internal": Destination(connections=1),
    },
)


@pytest.mark.parametrize(
    ("site", "domain", "limits"),
    [
        ("example.net", "example.net", Limits(10, 100)),
        ("outlook.com", "contoso.example", Limits(4, 100)),
        ("outlook.com", "both.example", Limits(4, 100)),
        ("example.net", "both.example", Limits(7, 100)),
        ("both.example outlook.com", "x.example", Limits(4, 100)),
        ("example.net", "a.corp.example", Limits(10, 5)),
        ("example.net", "corp.example", Limits(10, 100)),
        ("mail.internal:25", "hosted.example", Limits(1, 100)),
        ("slow.example", "x.example", Limits(1, 100, 2.0)),
        ("quick.example", "x.example", Limits(3, 100, 0.025)),
    ],
)
def test_which_limits_apply(site: str, domain: str, limits: Limits) -> None:
    assert Table(DELIVERY).of(site, domain) == limits


def test_a_star_stands_for_the_rest() -> None:
    table = Table(Delivery(destination={"*": Destination(connections=2), "example.net": Destination(connections=3)}))
    assert table.of("example.net", "x.example").connections == 3
    assert table.of("other.example", "x.example").connections == 2


@given(st.integers(1, 50), st.integers(1, 10_000), st.floats(1, 86_400))
def test_all_slots_together_keep_to_the_rate(connections: int, amount: int, period: float) -> None:
    named = {"example.net": Destination(connections=connections, rate=f"{amount}/{period:.0f}s")}
    found = Table(Delivery(destination=named)).of("example.net", "")
    assert found.connections / found.interval == pytest.approx(amount / float(f"{period:.0f}"))
    assert 1 <= found.connections <= connections


@pytest.mark.parametrize(
    ("reply", "too_much"),
    [
        (Reply(421, None, "closing"), True),
        (Reply(450, "4.7.1", "too many connections from your host"), True),
        (Reply(452, "4.5.3", "too many recipients"), False),
        (Reply(450, "4.2.0", "greylisted, try again later"), False),
        (Reply(452, "4.2.2", "mailbox full"), False),
        (Reply(550, "5.7.1", "too many connections"), False),
        (Reply(250, None, "ok"), False),
    ],
)
def test_which_replies_ask_to_slow_down(reply: Reply, too_much: bool) -> None:
    assert pace.is_too_much(reply) is too_much


def test_a_pace_grows_quickly_then_is_halved_then_grows_by_the_round() -> None:
    state = Pace()
    for _ in range(20):
        state = pace.succeeded(state, 10)
    assert state.connections == 10
    state = pace.refused(state, T)
    assert state.connections == 5
    assert pace.refused(state, T + QUIET - 1) == state
    for _ in range(5):
        state = pace.succeeded(state, 10)
    assert state.connections == 5
    state = pace.succeeded(state, 10)
    assert state.connections == 6


@given(st.integers(1, 100), st.lists(st.tuples(st.booleans(), st.floats(0, 20)), max_size=60))
def test_a_pace_stays_within_its_limits(limit: int, events: list[tuple[bool, float]]) -> None:
    state, now = Pace(), T
    for good, seconds in events:
        now += seconds
        before = state
        state = pace.succeeded(state, limit) if good else pace.refused(state, now)
        assert 1 <= state.connections <= max(limit, int(START))
        assert state.size <= before.size or good


def dead(times: int, now: float = T) -> Circuit:
    state = Circuit()
    for _ in range(times):
        state = circuit.failed(circuit.tried(state), now, "refused")
    return state


@pytest.mark.parametrize(
    ("urged_at", "wait"),
    [(None, FIRST_WAIT - 1), (T - 1, FIRST_WAIT - 1), (T, FIRST_WAIT - 1), (T + 0.5, 0), (T + 1, 0)],
)
def test_an_operator_has_a_host_asked_once(urged_at: float | None, wait: float) -> None:
    """Whoever repaired it does not wait; whoever did not has an answer, and the host its peace."""
    state = dead(FAILURES)
    assert circuit.wait_for(state, T + 1, urged_at) == wait
    probing = circuit.tried(state)
    assert circuit.wait_for(probing, T + 1, urged_at) > 0
    again = circuit.failed(probing, T + 2, "refused")
    assert circuit.wait_for(again, T + 3, urged_at) == 2 * FIRST_WAIT - 1


def test_a_circuit_opens_after_failures_and_lets_one_through_when_its_wait_is_over() -> None:
    assert circuit.wait_for(dead(FAILURES - 1), T) == 0
    state = dead(FAILURES)
    assert state.is_open
    assert circuit.wait_for(state, T) == FIRST_WAIT
    assert circuit.wait_for(state, T + FIRST_WAIT) == 0
    probing = circuit.tried(state)
    assert circuit.wait_for(probing, T + FIRST_WAIT) > 0
    assert circuit.wait_for(circuit.abandoned(probing), T + FIRST_WAIT) == 0


def test_failures_of_attempts_begun_before_do_not_prolong_the_wait() -> None:
    state = dead(FAILURES)
    assert circuit.failed(state, T + 1, "late").until == state.until


def test_the_wait_doubles_up_to_a_longest() -> None:
    state, now, waits = dead(FAILURES), T, []
    for _ in range(8):
        waits.append(state.until - now)
        now = state.until
        state = circuit.failed(circuit.tried(state), now, "refused")
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]
    assert max(waits) == LONGEST_WAIT


def test_places_are_booked_one_after_the_other() -> None:
    state, waits = Bookings(gap=3.0), []
    for _ in range(3):
        state, wait = booking.booked(state, T)
        waits.append(wait)
    assert waits == [SOONEST + 3 / SLACK * count for count in (1, 2, 3)]


def test_bookings_of_the_past_are_no_reason_to_wait() -> None:
    state, _ = booking.booked(Bookings(gap=30.0), T)
    _, wait = booking.booked(state, T + 1000)
    assert wait == SOONEST + 30 / SLACK


def test_after_an_idle_place_bookings_begin_anew() -> None:
    state, first = booking.booked(Bookings(gap=3.0), T)
    assert booking.booked(booking.idle(state), T)[1] == first


def test_the_gap_follows_what_is_finished() -> None:
    state, now = Bookings(), T
    for _ in range(100):
        now += 0.1
        state = booking.finished(state, now)
    assert state.gap == pytest.approx(0.1, rel=0.05)
    assert booking.expected(state, 5) == pytest.approx(0.5, rel=0.05)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1000)), max_size=60))
def test_nobody_stays_away_for_longer_than_the_latest(events: list[tuple[bool, float]]) -> None:
    state, now = Bookings(), T
    for finishes, seconds in events:
        now += seconds
        if finishes:
            state = booking.finished(state, now)
        else:
            state, wait = booking.booked(state, now)
            assert SOONEST <= wait <= LATEST + 1e-6


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, SOONEST), (0.5, 5.5), (1.0, BLIND)])
def test_where_others_have_all_places_nobody_knows_how_long(jitter: float, wait: float) -> None:
    assert booking.unknown(jitter) == wait


def test_who_waits_in_vain_takes_the_site_for_slower() -> None:
    assert booking.in_vain(Bookings(gap=0.1), T, 5).gap == 1
    assert booking.in_vain(Bookings(gap=0.1, finished_at=T - 6), T, 5).gap == 1
    assert booking.in_vain(Bookings(gap=3.0), T, 5).gap == 3
    busy = Bookings(gap=0.1, finished_at=T - 1)
    assert booking.in_vain(busy, T, 5) == busy
