"""A message while it is being received, after DATA or by BDAT, and its share of the budget."""

from typing import Self

from services.ingress import replies
from services.ingress.message.budget import Budget, Share
from services.ingress.message.content import Stored
from services.ingress.replies import Refuse


class Incoming:
    """Holds its share of the budget until it is closed. Use as a context manager once it is complete."""

    __slots__ = ("_content", "_share", "began", "octets")

    wanted = None
    """After DATA nobody knows how many octets will follow."""

    def __init__(self, content: Stored, budget: Budget, began: float) -> None:
        self._content = content
        self._share = Share(budget)
        self.began = began
        """When the client was told, or said itself, that the content begins; by the event loop's clock."""
        self.octets = 0
        """As they came, stuffing included."""

    def reserve(self, size: int) -> bool:
        """Hold what MAIL declared; False if there is no room for it."""
        return self._share.hold(max(size, 1))

    def feed(self, octets: bytes) -> bytes | None:
        """Take octets. Return those behind the final dot once that is reached, None before."""
        self.octets += len(octets)
        rest = self._content.feed(octets)
        if not self._share.hold(self._content.size):
            self._content.spoil(replies.NO_ROOM)
        return rest

    def finish(self) -> None:
        """Take the end of the message, which by BDAT is what the client says it is."""
        self._content.finish()

    def spoil(self, fault: Refuse) -> None:
        """Read the rest of it only to throw it away: the message will be refused."""
        self._content.spoil(fault)

    @property
    def fault(self) -> Refuse | None:
        """Why the message is refused, known at its end."""
        return self._content.fault

    @property
    def chunks(self) -> list[bytes]:
        """The content."""
        return self._content.chunks

    def close(self) -> None:
        """Give back the share of the budget."""
        self._share.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ChunkOf:
    """One chunk of a message by BDAT: so many octets, whatever they are (RFC 3030 section 2)."""

    __slots__ = ("incoming", "last", "octets", "wanted")

    def __init__(self, incoming: Incoming, octets: int, *, last: bool) -> None:
        self.incoming = incoming
        self.octets = octets
        self.last = last
        self.wanted = octets
        """So many have not come yet."""

    def feed(self, octets: bytes) -> bytes | None:
        """Take octets, at most as many as are wanted. Return b"" once all have come, None before."""
        self.wanted -= len(octets)
        self.incoming.feed(octets)
        return None if self.wanted else b""
