"""The cache of answers: what it keeps, and for how long."""

import pytest

from shared.dns.cache import Cache


def test_a_value_holds_until_its_time() -> None:
    cache: Cache[str] = Cache(100)
    cache.put("a", "1", until=10, weight=1)
    assert [cache.get("a", now) for now in (0, 9.9, 10)] == ["1", "1", None]
    assert len(cache) == 0


def test_the_newest_value_counts() -> None:
    cache: Cache[str] = Cache(100)
    cache.put("a", "1", until=10, weight=60)
    cache.put("a", "2", until=20, weight=60)
    assert (cache.get("a", 15), len(cache)) == ("2", 1)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [("", "bcd"), ("a", "acd"), ("ab", "abd")],
)
def test_what_was_not_asked_for_longest_goes_first(asked: str, kept: str) -> None:
    cache: Cache[str] = Cache(30)
    for key in "abc":
        cache.put(key, key, until=10, weight=10)
    for key in asked:
        cache.get(key, 0)
    cache.put("d", "d", until=10, weight=10)
    assert [key for key in "abcd" if cache.get(key, 0)] == list(kept)


def test_weights_add_up() -> None:
    cache: Cache[str] = Cache(30)
    cache.put("big", "x", until=10, weight=31)
    assert len(cache) == 0
    for number in range(100):
        cache.put(number, "x", until=10, weight=10)
    assert len(cache) == 3
    cache.put("big", "x", until=10, weight=25)
    assert (len(cache), cache.get("big", 0)) == (1, "x")
    cache.put("big", "y", until=10, weight=31)  # what no longer fits leaves nothing old behind
    assert cache.get("big", 0) is None
    for number in range(3):
        cache.put(number, "x", until=10, weight=10)
    assert len(cache) == 3
