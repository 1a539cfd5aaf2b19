"""Replies out of octets, without I/O: strict, bounded, however they are cut into segments (RFC 5321 section 4.2).

    reader.receive(octets)
    while (reply := reader.next()) is not None: ...

After Garbage nothing means anything.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from services.delivery.outcome import garbage, remote_reply
from shared.smtp.reply import Reply

MAX_LINE = 4096
"""Octets of one line. RFC 5321 section 4.5.3.1.5 allows 512; what hosts write for people is longer."""
MAX_REPLY = 32 * 1024
"""Octets of one reply, all of its lines."""

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\n]*)|\r?)\n")
"""A line ends by LF, which some hosts write alone: in replies that smuggles nothing."""
_SHORT = 64


class Garbage(NamedTuple):
    """Not a reply; `reply` says so in our words, as a temporary failure."""

    reply: Reply


class Reader:
    """What one host says in one session."""

    def __init__(self) -> None:
        self._octets = b""
        self._at = 0
        self._begun: list[re.Match[bytes]] = []
        """The lines of a reply that has not ended."""
        self._size = 0

    def receive(self, octets: bytes) -> None:
        """Take what has arrived."""
        self._octets = octets if self._at == len(self._octets) else self._octets[self._at :] + octets
        self._at = 0

    @property
    def empty(self) -> bool:
        """True if nothing is left, not even the beginning of a reply."""
        return self._at == len(self._octets) and not self._begun

    def next(self) -> Reply | Garbage | None:
        """Return the next whole reply, or None if there is none yet."""
        while (line := _LINE.match(self._octets, self._at)) is not None:
            self._size += line.end() - self._at
            if line.end() - self._at > MAX_LINE or self._size > MAX_REPLY:
                return self._garbage()
            if self._begun and line[1] != self._begun[0][1]:
                return self._garbage()
            self._at = line.end()
            if line[2] != b"-":
                return self._whole(line)
            self._begun.append(line)
        unfinished = self._octets.find(b"\n", self._at) < 0 and len(self._octets) - self._at < MAX_LINE
        return None if unfinished else self._garbage()

    def _whole(self, last: re.Match[bytes]) -> Reply:
        text = (last[3] or b"").rstrip()
        if self._begun:
            text = b"\n".join((*((line[3] or b"").rstrip() for line in self._begun), text))
            self._begun.clear()
        self._size = 0
        code = int(last[1])
        return _known(code, text) if len(text) <= _SHORT else _read(code, text)

    def _garbage(self) -> Garbage:
        return Garbage(garbage(self._octets[self._at : self._at + 200].decode("utf-8", "replace")))


def _read(code: int, text: bytes) -> Reply:
    return remote_reply(code, text.decode("utf-8", "replace"))


_known = lru_cache(1024)(_read)
"""Nearly all replies are a few that come again and again."""
