"""What one process gives to all its sessions together: connections and octets."""

from collections import Counter
from typing import Self

from services.ingress import replies
from services.ingress.replies import Refuse
from services.ingress.rules import plain_address


def client_key(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 an IPv6 host has to itself."""
    ip = plain_address(address)
    if ip is None or ip.version == 4:
        return str(ip or address)
    return f"{ip.exploded[:19]}::/64"


class Connections:
    """Counts open connections. Every `enter` that returned None needs its `leave`."""

    def __init__(self, limit: int, limit_per_client: int) -> None:
        self._limit = limit
        self._limit_per_client = limit_per_client
        self._clients: Counter[str] = Counter()
        self.open = 0

    def enter(self, address: str) -> Refuse | None:
        """Count a new connection, or return why it is one too many."""
        key = client_key(address)
        if self.open >= self._limit:
            return replies.TOO_MANY_CONNECTIONS
        if self._clients[key] >= self._limit_per_client:
            return replies.TOO_MANY_FROM_CLIENT
        self.open += 1
        self._clients[key] += 1
        return None

    def leave(self, address: str) -> None:
        """Forget a connection that was counted."""
        key = client_key(address)
        self.open -= 1
        self._clients[key] -= 1
        if not self._clients[key]:
            del self._clients[key]


class Budget:
    """Octets of message content in flight across all sessions."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0

    @property
    def room(self) -> int:
        """Octets that may still be taken."""
        return max(0, self._limit - self.used)


class Share:
    """One transaction's part of the budget: reserved by its declared size, grown as data comes, given back at its end.

    Use as a context manager.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.used -= self._held
        self._held = 0

    def hold(self, octets: int) -> bool:
        """Hold at least so many octets; False, and nothing changes, if the budget has no room for them."""
        more = octets - self._held
        if more > self._budget.room:
            return False
        if more > 0:
            self._budget.used += more
            self._held = octets
        return True
