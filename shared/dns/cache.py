"""What DNS has answered, for as long as it holds, and in no more memory than given."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

V = TypeVar("V")


class _Entry(NamedTuple, Generic[V]):
    value: V
    until: float
    weight: int


class Cache(Generic[V]):
    """Values that weigh `limit` together; whoever was not asked for longest goes first. The clock is the caller's."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._weight = 0
        self._entries: OrderedDict[Hashable, _Entry[V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, now: float) -> V | None:
        """Return the value that still holds, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.until <= now:
            self._remove(key)
            return None
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: Hashable, value: V, until: float, weight: int) -> None:
        """Keep a value; one that weighs more than all of the limit is not kept."""
        if key in self._entries:
            self._remove(key)
        if weight > self._limit:
            return
        self._entries[key] = _Entry(value, until, weight)
        self._weight += weight
        while self._weight > self._limit:
            self._remove(next(iter(self._entries)))

    def _remove(self, key: Hashable) -> None:
        self._weight -= self._entries.pop(key).weight
