"""Running an app as a process: event loop, signals, health, two-phase drain. The same for every service."""

from typing import Protocol


class App(Protocol):
    """A stage, or several, that can be started, asked and drained."""

    async def start(self) -> None:
        """Begin to work; return once it does. Raise SluiceError with place, reason and remedy if it cannot."""
        ...

    def trouble(self) -> str | None:
        """Return why it is not ready, in one line, or None."""
        ...

    async def drain(self, grace: float) -> None:
        """Take nothing new, finish what is in hand for `grace` seconds, hand the rest back."""
        ...
