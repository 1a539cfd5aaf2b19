"""How many octets of content one process holds for all its sessions together."""


class Budget:
    """Octets of message content in flight across all sessions. The limit may be changed."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    @property
    def room(self) -> int:
        """Octets that may still be taken."""
        return max(0, self.limit - self.used)


class Share:
    """One transaction's part of the budget: reserved by its declared size, grown as data comes, closed at its end."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
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

    def close(self) -> None:
        """Give everything back."""
        self._budget.used -= self._held
        self._held = 0
