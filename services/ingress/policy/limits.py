"""How many connections one process takes, altogether and from one client."""

from collections import Counter
from functools import lru_cache

from services.ingress import replies
from services.ingress.policy.lists import plain_address
from services.ingress.replies import Refuse


@lru_cache(maxsize=4096)
def client_key(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 an IPv6 host has to itself."""
    ip = plain_address(address)
    if ip is None or ip.version == 4:
        return str(ip or address)
    return f"{ip.exploded[:19]}::/64"


class Connections:
    """Counts open connections. Every `enter` that returned None needs its `leave`. The limits may be changed."""

    def __init__(self, limit: int, limit_per_client: int) -> None:
        self.limit = limit
        self.limit_per_client = limit_per_client
        self._clients: Counter[str] = Counter()
        self.open = 0

    def enter(self, address: str) -> Refuse | None:
        """Count a new connection, or return why it is one too many."""
        key = client_key(address)
        if self.open >= self.limit:
            return replies.TOO_MANY_CONNECTIONS
        if self._clients[key] >= self.limit_per_client:
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
