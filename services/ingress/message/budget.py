"""How many octets one process holds for all its sessions together."""

from shared.window import Window

MESSAGES = 10_000
"""On their way to the broker at a time."""


def content_limit(buffer: int) -> int:
    """Return how many octets of content may be held, of a buffer of so many octets.

    A quarter is for the copies that are made of a message on its way to the broker, two of each: an eighth of the
    buffer may be on that way at a time, or one message. Another eighth is for what the allocator cannot use.
    """
    return buffer // 8 * 5


class Budget:
    """Octets of message content in flight across all sessions. The limit may be changed."""

    def __init__(self, buffer: int) -> None:
        self.used = 0
        self.leaving = Window(MESSAGES, 0)
        """Messages on their way to the broker."""
        self.resize(buffer)

    def resize(self, buffer: int) -> None:
        """Hold a buffer of so many octets from now on; what is held already stays."""
        self._limit = content_limit(buffer)
        self.leaving.octets = buffer // 8

    @property
    def room(self) -> int:
        """Octets that may still be taken."""
        return max(0, self._limit - self.used)


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
