"""A Publisher that keeps what is published in a list, and fails, hangs or reports trouble when told to."""

import asyncio
import threading
from collections.abc import Sequence

from shared.model import Message, Send


class Recorder:
    """Implements shared.broker.port.Publisher. Used from one event loop; a test may look from another thread."""

    def __init__(self) -> None:
        self.sends: list[Send] = []
        self.error: BaseException | None = None
        """Raised by each publish instead of recording it."""
        self.reason: str | None = None
        """What `trouble` returns."""
        self.calls = 0
        self.gate = threading.Event()
        """While clear, publishes wait."""
        self.gate.set()

    @property
    def messages(self) -> list[Message]:
        """What was published, in order."""
        return [send.message for send in self.sends]

    async def publish(self, sends: Sequence[Send]) -> None:
        """Record, or do as told."""
        self.calls += 1
        while not self.gate.is_set():
            await asyncio.sleep(0.005)
        if self.error is not None:
            raise self.error
        self.sends += sends

    async def park(self, body: bytes, reason: str) -> None:
        """Ingress parks nothing."""
        raise AssertionError(f"parked {len(body)} octets: {reason}")

    def trouble(self) -> str | None:
        """Return the reason set by the test."""
        return self.reason
