"""What may be unpacked: paid for octet by octet, taken as far as asked, counted where it is not kept."""

from collections.abc import Iterator

import pytest

from services.screener.containers.budget import Budget, Limits
from services.screener.containers.member import ContainerError, Sign

SMALL = Limits(expansion=100, members=2)


def chunks(*sizes: int, broken: Sign | None = None) -> Iterator[bytes]:
    yield from (bytes(size) for size in sizes)
    if broken is not None:
        raise ContainerError(broken)


def test_no_more_than_asked_is_taken_but_for_the_last_chunk() -> None:
    stream = chunks(10, 10, 10)
    assert Budget(SMALL, 1).take(stream, 15) == (bytes(20), None)
    assert Budget(SMALL, 1).take(stream, 15) == (bytes(10), None)


@pytest.mark.parametrize(
    ("stream", "taken", "sign"),
    [
        (chunks(60, 40), 100, None),
        (chunks(60, 41), 60, Sign.OVER_LIMIT),
        (chunks(*[0] * 101), 0, Sign.OVER_LIMIT),
        (chunks(60, broken=Sign.MALFORMED), 60, Sign.MALFORMED),
    ],
)
def test_what_is_taken_is_paid_for(stream: Iterator[bytes], taken: int, sign: Sign | None) -> None:
    assert Budget(SMALL, 1).take(stream, 1000) == (bytes(taken), sign)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (chunks(60, 40), (100, False, None)),
        (chunks(60, 41), (60, False, Sign.OVER_LIMIT)),
        (chunks(60, broken=Sign.MALFORMED), (60, False, Sign.MALFORMED)),
        (iter((b"..MARK..", b"..")), (10, True, None)),
        (iter((b"..MA", b"R", b"K.")), (7, True, None)),
        (iter((b"MARK", b"........", b"..")), (14, True, None)),
        (iter((b"..MA", b"....", b"....", b"RK")), (14, False, None)),
    ],
)
def test_what_is_not_kept_is_counted_and_looked_at(
    stream: Iterator[bytes], expected: tuple[int, bool, Sign | None]
) -> None:
    assert Budget(SMALL, 1).drain(stream, (b"none", b"MARK")) == expected


@pytest.mark.parametrize(("before", "told"), [(b"..MARK..", True), (b"..MA", True), (b"..M", False)])
def test_a_mark_may_stand_before_what_is_counted(before: bytes, told: bool) -> None:
    assert Budget(SMALL, 1).drain(iter((b"RK",)), (b"MARK",), before) == (2, told, None)


def test_members_and_what_they_declare_are_limited() -> None:
    budget = Budget(SMALL, 1)
    budget.member(-5)
    budget.member(100)
    with pytest.raises(ContainerError) as raised:
        budget.member(0)
    assert raised.value.sign is Sign.OVER_LIMIT
    with pytest.raises(ContainerError):
        Budget(SMALL, 1).member(101)


@pytest.mark.parametrize(("octets", "most"), [(1, 16), (100, 200), (1000, 300)])
def test_more_may_come_out_of_more_and_never_too_much(octets: int, most: int) -> None:
    """Of the three limits the ratio gives way to what is always allowed, and the whole to neither."""
    limits = Limits(always=16, ratio=2, expansion=300)
    Budget(limits, octets).member(most)
    with pytest.raises(ContainerError):
        Budget(limits, octets).member(most + 1)
