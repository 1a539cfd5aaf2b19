"""Against guessing: what failed attempts cost the address and the account they were made from and for. Pure.

Failures are counted in three ledgers: of the client's address (IPv6 by /64), of the account, known or not, and of the
pair. Each failure delays its own reply twice as long as the one before; from the limit on, every further failure
locks the key, each time twice as long. While one of the keys is locked the password is not even looked at.

An address from which an account has authenticated before is known for that account. Such a pair answers only for
itself: a stranger's failures, for the account or from behind the same address, never lock it out, and its own
never lock the account or the address for others. A success forgives only what the pair itself has failed, so
nobody can wipe out guesses at other accounts by authenticating as oneself.

All of it lives in memory, in one process, with room for so many keys. When a ledger is full the key with the fewest
failures goes, and a locked key never: to push out one lock takes as many failures on each of all the other keys.
Where every key is locked, the new ones share one.
"""

from collections import OrderedDict
from typing import NamedTuple

MAX_DELAY = 30.0
"""Seconds that a reply is held back at most."""
MAX_DOUBLINGS = 6
"""A lock grows to 64 times the first."""
FORGOTTEN_AFTER = 4
"""Lock-out times without a failure after which a key starts afresh."""
KNOWN_ADDRESSES = 32
"""Addresses remembered for an account; more of one account's never push out another's."""


class Limits(NamedTuple):
    """What the configuration says."""

    per_address: int
    per_account: int
    delay: float
    """Seconds the reply to a first failure is held back."""
    lockout: float
    """Seconds of a first lock."""


class Failures(NamedTuple):
    """What a ledger knows of one key."""

    times: int
    last: float
    locked_until: float


_OTHERS = "\0others"
"""The key that all share for which there is no room."""


class Ledger:
    """Failures by key; `limit` of them lock."""

    def __init__(self, limit: int, lockout: float, capacity: int) -> None:
        self._limit = limit
        self._lockout = lockout
        self._capacity = capacity
        self._keys: dict[str, Failures] = {}
        # The same keys by their count, each level in the order of its last failures: the first is the oldest.
        self._levels: dict[int, OrderedDict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def count(self, now: float, key: str) -> int:
        """Return how many failures the key answers for."""
        found = self._find(now, key)
        return found.times if found else 0

    def locked_until(self, now: float, key: str) -> float:
        """Return until when the key is locked; a time that is past if it is not."""
        found = self._find(now, key) or self._overflow(now)
        return found.locked_until if found else 0.0

    def fail(self, now: float, key: str) -> Failures:
        """Count a failure."""
        found = self._find(now, key)
        if found is None and len(self._keys) >= self._capacity and not self._make_room(now):
            key = _OTHERS
            found = self._find(now, key)
        count = found.times + 1 if found else 1
        beyond = count - self._limit
        until = now + self._lockout * 2 ** min(beyond, MAX_DOUBLINGS) if beyond >= 0 else 0.0
        self._put(key, Failures(count, now, until))
        return self._keys[key]

    def forgive(self, now: float, key: str, count: int) -> None:
        """Take back so many failures. What is locked stays locked."""
        found = self._find(now, key)
        if found is None or found.locked_until > now:
            return
        if count >= found.times:
            self._drop(key)
        else:
            self._put(key, found._replace(times=found.times - count))

    def _find(self, now: float, key: str) -> Failures | None:
        found = self._keys.get(key)
        if found is not None and self._is_over(now, found):
            self._drop(key)
            return None
        return found

    def _overflow(self, now: float) -> Failures | None:
        """Return what a key answers for that would find no room."""
        return self._find(now, _OTHERS) if len(self._keys) >= self._capacity else None

    def _is_over(self, now: float, failures: Failures) -> bool:
        return now > max(failures.last, failures.locked_until) + FORGOTTEN_AFTER * self._lockout

    def _make_room(self, now: float) -> bool:
        """Remove the oldest of those with the fewest failures; False if all that is left is locked."""
        for level in sorted(self._levels):
            key = next((key for key in self._levels[level] if key != _OTHERS), None)
            if key is not None and self._keys[key].locked_until <= now:
                self._drop(key)
                return True
        return False

    def _put(self, key: str, failures: Failures) -> None:
        if key in self._keys:
            self._drop(key)
        self._keys[key] = failures
        self._levels.setdefault(failures.times, OrderedDict())[key] = None

    def _drop(self, key: str) -> None:
        count = self._keys.pop(key).times
        level = self._levels[count]
        del level[key]
        if not level:
            del self._levels[count]


class Failed(NamedTuple):
    """What a failure leads to."""

    delay: float
    """Seconds to wait before saying so."""
    locked: tuple[str, ...] = ()
    """Which keys it has locked: "address", "account" or both; for the log."""


class Attempts:
    """All failed attempts one process knows of. `address` is a client key, `account` a canonical name."""

    def __init__(self, limits: Limits, capacity: int = 65_536) -> None:
        self._limits = limits
        self._addresses = Ledger(limits.per_address, limits.lockout, capacity)
        self._accounts = Ledger(limits.per_account, limits.lockout, capacity)
        self._pairs = Ledger(limits.per_address, limits.lockout, capacity)
        self._known: dict[str, OrderedDict[str, None]] = {}

    def locked_for(self, now: float, address: str, account: str) -> float:
        """Return for how many seconds an attempt will not be looked at; 0 if it will be now.

        `account` "" is none in particular, as for a token that cannot be read.
        """
        until = self._pairs.locked_until(now, _pair(address, account))
        if not self.knows(address, account):
            until = max(until, self._addresses.locked_until(now, address))
            if account:
                until = max(until, self._accounts.locked_until(now, account))
        return max(0.0, until - now)

    def failed(self, now: float, address: str, account: str) -> Failed:
        """Count a failure."""
        pair = self._pairs.fail(now, _pair(address, account))
        counted = [("address", pair)]
        if not self.knows(address, account):
            counted.append(("address", self._addresses.fail(now, address)))
            if account:
                counted.append(("account", self._accounts.fail(now, account)))
        worst = max(failures.times for _, failures in counted)
        delay = min(MAX_DELAY, self._limits.delay * 2 ** min(worst - 1, 16))
        locked = dict.fromkeys(what for what, failures in counted if failures.locked_until > now)
        return Failed(delay, tuple(locked))

    def succeeded(self, now: float, address: str, account: str) -> None:
        """Forgive what this pair has failed, and know it from now on."""
        pair = _pair(address, account)
        own = self._pairs.count(now, pair)
        self._pairs.forgive(now, pair, own)
        if own and not self.knows(address, account):
            self._addresses.forgive(now, address, own)
            self._accounts.forgive(now, account, own)
        known = self._known.setdefault(account, OrderedDict())
        known[address] = None
        known.move_to_end(address)
        if len(known) > KNOWN_ADDRESSES:
            known.popitem(last=False)

    def knows(self, address: str, account: str) -> bool:
        """Return whether the account has authenticated from there."""
        return address in self._known.get(account, ())


def _pair(address: str, account: str) -> str:
    return f"{address} {account}"
