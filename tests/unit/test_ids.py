"""Message ids: sorted by time, safe anywhere, derived ones always the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ids import ALPHABET, LENGTH, derive_id, new_id

_TIME = st.floats(min_value=0, max_value=(2**48 - 1) / 1000)


@given(_TIME, st.binary(min_size=10, max_size=10))
def test_an_id_is_26_characters_of_the_alphabet(now: float, entropy: bytes) -> None:
    """It stands in SMTP replies, header fields, log lines and file names."""
    made = new_id(now, entropy)
    assert len(made) == LENGTH
    assert set(made) <= set(ALPHABET)


@given(_TIME, _TIME, st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_ids_sort_by_their_millisecond(one: float, other: float, a: bytes, b: bytes) -> None:
    """A listing by id is a listing by time, whatever the random part."""
    if int(one * 1000) < int(other * 1000):
        assert new_id(one, a) < new_id(other, b)


@pytest.mark.parametrize(
    ("now", "entropy", "expected"),
    [
        (0.0, bytes(10), "0" * 26),
        (0.001, bytes(9) + b"\x01", "00000000010000000000000001"),
        ((2**48 - 1) / 1000, b"\xff" * 10, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"),
        (1_469_918_176.385, bytes(10), "01ARYZ6S410000000000000000"),  # the time of the ULID specification's example
    ],
)
def test_known_ids(now: float, entropy: bytes, expected: str) -> None:
    """The layout is ULID's, 48 bits of milliseconds and 80 bits of entropy, so tools that know it read ours."""
    assert new_id(now, entropy) == expected


def test_no_two_of_a_millisecond_are_alike() -> None:
    """80 bits from the system each time."""
    assert len({new_id(1.0) for _ in range(10_000)}) == 10_000


def test_derived_ids_depend_on_parent_purpose_and_time_only() -> None:
    """Work that is done again after a crash gives recognisable duplicates."""
    first = derive_id("PARENT", "dsn.1", 1_700_000_000.0)
    assert first == derive_id("PARENT", "dsn.1", 1_700_000_000.0)
    others = [
        derive_id("PARENT", "dsn.2", 1_700_000_000.0),
        derive_id("OTHER", "dsn.1", 1_700_000_000.0),
        derive_id("PARENTd", "sn.1", 1_700_000_000.0),
        derive_id("PARENT", "dsn.1", 1_700_000_000.5),
    ]
    assert len({first, *others}) == 5
    assert {len(each) for each in (first, *others)} == {LENGTH}
