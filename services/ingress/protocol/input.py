"""What a client has sent and nobody has read yet: by line for commands, all at once for content. No I/O."""

KNOWN_BY = 4
"""Octets of a verb."""


class LineTooLong(Exception):  # noqa: N818  (what the client did, not a fault of ours)
    """A line over the limit was read to its end and thrown away, but for how it began."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__()
        self.beginning = beginning
        """Its first octets, enough to know the command by."""


class Input:
    """Octets in the order of their arrival."""

    __slots__ = ("_at", "_beginning", "_octets")

    def __init__(self) -> None:
        self._octets = b""
        self._at = 0
        """Where the unread ones begin."""
        self._beginning: bytes | None = None
        """Of the line that is over the limit already and has not ended; None if there is none."""

    def __len__(self) -> int:
        return len(self._octets) - self._at

    def feed(self, octets: bytes) -> None:
        """Add what has arrived."""
        self._octets = self._octets[self._at :] + octets if self else octets
        self._at = 0

    def line(self, limit: int) -> bytes | None:
        """Return the next line without its CRLF or LF, None if it has not come to its end yet.

        Raise LineTooLong in its place if it has more than `limit` octets; no more than those are kept meanwhile.
        """
        start = self._at
        end = self._octets.find(b"\n", start)
        if end < 0:
            if len(self) > limit:
                self._beginning = self._beginning or self._octets[start : start + KNOWN_BY]
                self.discard()
            return None
        self._at = end + 1
        if self._beginning is not None or end - start > limit:
            beginning, self._beginning = self._beginning, None
            raise LineTooLong(beginning or self._octets[start : start + KNOWN_BY])
        return self._octets[start:end].removesuffix(b"\r")

    def peek(self) -> bytes:
        """Return everything unread, and leave it there."""
        return self._octets[self._at :]

    def take(self, count: int | None = None) -> bytes:
        """Return everything unread, or its first `count` octets, as read."""
        stop = len(self._octets) if count is None else self._at + count
        octets = self._octets[self._at : stop]
        if stop < len(self._octets):
            self._at = stop
        else:
            self.discard()
        return octets

    def put_back(self, octets: bytes) -> None:
        """Make octets the next to be read."""
        self._octets = octets + self.peek()
        self._at = 0

    def discard(self) -> None:
        """Forget what is unread: after STARTTLS it is plain text that anybody may have put there (RFC 3207)."""
        self._octets = b""
        self._at = 0
