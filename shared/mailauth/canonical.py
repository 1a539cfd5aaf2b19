"""DKIM canonicalization, in linear time and in pieces (RFC 6376 section 3.4). No I/O."""

import re
from collections.abc import Callable

from shared.mailauth.fields import Field

PIECE = 64 * 1024
"""Octets at a time: a thread that hashes lets go of the interpreter between two."""

_FOLD = re.compile(rb"\r\n(?=[ \t])")


def header(field: Field, *, relaxed: bool) -> bytes:
    """Return a field as it is signed, with its final CRLF."""
    if not relaxed:
        return field.raw
    name, _, value = field.raw.partition(b":")
    value = _squeeze(_FOLD.sub(b"", value).removesuffix(b"\r\n")).strip(b" ")
    return name.rstrip(b" \t").lower() + b":" + value + b"\r\n"


class Body:
    """A body on its way into a hash: empty lines at its end do not count, relaxed nor does white space at line ends."""

    def __init__(self, sink: Callable[[bytes], object], *, relaxed: bool) -> None:
        self.octets = 0
        """What has gone into the sink so far."""
        self._sink = sink
        self._relaxed = relaxed
        self._pending = 0
        """Line ends not yet passed on: they count only if a line follows that is not empty."""
        self._space = False
        """The same for one space."""
        self._half = b""
        """A CR whose LF is still to come."""

    def feed(self, octets: bytes) -> None:
        """Take the next octets, however the body is cut."""
        for start in range(0, len(octets), PIECE):
            self._feed(octets[start : start + PIECE])

    def finish(self) -> None:
        """Take note that the body has ended: what is left of it is one line end, for an empty simple body as well."""
        if self._half:
            self._line_ends()
            self._emit(self._half)
        if self.octets or not self._relaxed:
            self._emit(b"\r\n")

    def _feed(self, piece: bytes) -> None:
        piece = self._half + piece
        self._half = piece[-1:] if piece.endswith(b"\r") else b""
        piece = piece[: len(piece) - len(self._half)]
        if self._relaxed:
            piece = self._without_space(piece)
        text = piece.rstrip(b"\r\n") if piece.endswith(b"\r\n") else piece
        count = (len(piece) - len(text)) // 2
        if text:
            self._line_ends()
            self._emit(text)
        self._pending += count

    def _without_space(self, piece: bytes) -> bytes:
        piece = _squeeze(piece)
        if self._space and piece and not piece.startswith((b" ", b"\r\n")):
            piece = b" " + piece
        if piece:
            self._space = piece.endswith(b" ")
        return piece.removesuffix(b" ").replace(b" \r\n", b"\r\n")

    def _line_ends(self) -> None:
        while self._pending:
            count = min(self._pending, PIECE)
            self._emit(b"\r\n" * count)
            self._pending -= count

    def _emit(self, octets: bytes) -> None:
        self.octets += len(octets)
        self._sink(octets)


def _squeeze(octets: bytes) -> bytes:
    """Make each run of spaces and tabs one space, halving the runs as often as it takes."""
    octets = octets.replace(b"\t", b" ")
    while b"  " in octets:
        octets = octets.replace(b"  ", b" ")
    return octets
