"""Archives that pack many files as one stream: each file is a piece of it, and reading them in order costs it once."""

from collections.abc import Callable, Iterator
from functools import partial

from services.screener.containers.member import ContainerError, Sign

_STARTS = 16
"""Times that a stream is read anew; archives of real programs list files in the order of their content."""

Opener = Callable[[], Iterator[bytes]]


class Solid:
    """The stream of several files; a file before the last one read starts it anew."""

    def __init__(self, begin: Opener) -> None:
        self._begin = begin
        self._chunks: Iterator[bytes] = iter(())
        self._rest = b""
        self._at: int | None = None
        self._starts = 0

    def opener(self, start: int, size: int) -> Opener:
        """Return what opens the file of so many octets from an offset in the stream."""
        return partial(self._piece, start, size)

    def _piece(self, start: int, size: int) -> Iterator[bytes]:
        if self._at is None or self._at > start:
            self._starts += 1
            if self._starts > _STARTS:
                raise ContainerError(Sign.OVER_LIMIT)
            self._chunks, self._rest, self._at = self._begin(), b"", 0
        while self._at < start:
            self._at += len(self._next(start - self._at))
        end = start + size
        while self._at < end:
            chunk = self._next(end - self._at)
            self._at += len(chunk)
            yield chunk

    def _next(self, most: int) -> bytes:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise ContainerError(Sign.MALFORMED)
            self._rest = chunk
        taken, self._rest = self._rest[:most], self._rest[most:]
        return taken
