"""The values: what cannot be built, and the small rules they carry."""

import msgspec
import pytest

from shared.model import Action, Attempt, Direction, Envelope, Item, Origin, Recipient, Release, Verdict
from tests.support.messages import make_item


def test_an_envelope_without_recipients_cannot_be_built() -> None:
    """Nor decoded: see test_wire."""
    with pytest.raises(ValueError, match="at least one recipient"):
        Envelope(sender="a@x", recipients=())


def test_values_are_frozen() -> None:
    """What a stage learns it puts into a new item."""
    with pytest.raises(AttributeError):
        make_item().split = 1  # type: ignore[misc]  # the error is what is tested


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("a@x.example", "x.example"),
        ('"a@b"@x.example', "x.example"),
        ("postmaster@", ""),
        ("a@[192.0.2.1]", "[192.0.2.1]"),
    ],
)
def test_domain_is_after_the_last_at(address: str, domain: str) -> None:
    """A quoted local part may hold others."""
    assert Recipient(address=address).domain == domain


@pytest.mark.parametrize(
    ("origin", "direction"),
    [
        (Origin.AUTHENTICATED, Direction.OUTBOUND),
        (Origin.TRUSTED, Direction.OUTBOUND),
        (Origin.INBOUND, Direction.INBOUND),
        (Origin.GENERATED, Direction.INBOUND),
    ],
)
def test_direction_follows_from_the_origin(origin: Origin, direction: Direction) -> None:
    """Mail of our own people leaves, everything else arrives."""
    assert origin.direction is direction


VERDICT = Verdict(action=Action.PASS, at=1.0)
RELEASE = Release(at=1.0, by="root")


@pytest.mark.parametrize(
    ("verdict", "release", "origin", "may"),
    [
        (None, None, Origin.INBOUND, False),
        (None, None, Origin.AUTHENTICATED, False),
        (None, None, Origin.TRUSTED, False),
        (None, None, Origin.GENERATED, True),
        (VERDICT, None, Origin.INBOUND, True),
        (None, RELEASE, Origin.INBOUND, True),
        (VERDICT, RELEASE, Origin.TRUSTED, True),
    ],
)
def test_no_path_around_the_screener(
    verdict: Verdict | None, release: Release | None, origin: Origin, *, may: bool
) -> None:
    """DESIGN section 4: a verdict, a release record or the mark `generated`."""
    item = msgspec.structs.replace(make_item(), verdict=verdict, release=release, origin=origin)
    assert item.may_be_delivered is may


@pytest.mark.parametrize(
    ("tries", "kept"),
    [(0, []), (1, [1]), (3, [1, 2, 3]), (4, [1, 2, 3, 4]), (5, [1, 3, 4, 5]), (100, [1, 98, 99, 100])],
)
def test_history_keeps_the_first_and_the_last_three(tries: int, kept: list[int]) -> None:
    """An item that is retried for days does not grow."""
    item: Item = make_item()
    for number in range(1, tries + 1):
        item = item.tried(Attempt(at=float(number), stage="deliver", text=str(number)))
    assert [int(attempt.at) for attempt in item.history] == kept
    assert item.attempt == tries


def test_a_try_that_ended_clears_the_failures() -> None:
    """They count exceptions in a row."""
    item = msgspec.structs.replace(make_item(), failures=7)
    assert item.tried(Attempt(at=1.0, stage="deliver", text="450")).failures == 0
