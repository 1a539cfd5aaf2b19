"""What looking into one attachment may cost: members, depth, octets unpacked (SCREENING 58, 60)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.screener.containers.member import ContainerError, Sign


class Limits(NamedTuple):
    """Caps for one attachment, everything nested in it included."""

    depth: int = 5
    """Containers inside containers."""
    members: int = 3000
    expansion: int = 200 * 1024 * 1024
    """Octets unpacked, or said to unpack."""
    ratio: int = 200
    """Octets unpacked for each octet of the attachment."""
    always: int = 16 * 1024 * 1024
    """Octets that may be unpacked whatever the ratio: a small text packs well."""


class Budget:
    """What is left of the limits; raises ContainerError when something runs out."""

    def __init__(self, limits: Limits, octets: int) -> None:
        self.limits = limits
        self._members = limits.members
        self._octets = min(limits.expansion, max(limits.ratio * octets, limits.always))
        self._declared = self._octets

    def member(self, declared: int) -> None:
        """Count a member and the size it says it has."""
        self._members -= 1
        self._declared -= max(0, declared)
        if self._members < 0 or self._declared < 0:
            raise ContainerError(Sign.OVER_LIMIT)

    def take(self, stream: Iterator[bytes], most: int) -> tuple[bytes, Sign | None]:
        """Return `most` octets of a stream or a chunk more, paid for, and what broke it off, if anything did."""
        pieces: list[bytes] = []
        have = 0
        try:
            while have < most and (chunk := next(stream, None)) is not None:
                self._pay(len(chunk))
                pieces.append(chunk)
                have += len(chunk)
        except ContainerError as error:
            return b"".join(pieces), error.sign
        return b"".join(pieces), None

    def drain(
        self, stream: Iterator[bytes], marks: Sequence[bytes], before: bytes = b""
    ) -> tuple[int, bool, Sign | None]:
        """Return how many octets a stream still gives, paid for but not kept; if a mark is in it; what broke it off.

        A mark has eight octets at most. `before` is what the stream has already given.
        """
        octets, told, seam = 0, any(mark in before for mark in marks), before
        try:
            for chunk in stream:
                self._pay(len(chunk))
                octets += len(chunk)
                seam = seam[-7:] + chunk
                told = told or any(mark in seam for mark in marks)
        except ContainerError as error:
            return octets, told, error.sign
        return octets, told, None

    def _pay(self, octets: int) -> None:
        self._octets -= max(1, octets)
        if self._octets < 0:
            raise ContainerError(Sign.OVER_LIMIT)
