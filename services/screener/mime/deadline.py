"""CPU time that one message may take, and nothing that tells it but the clock that is handed in (SCREENING 73)."""

from collections.abc import Callable

CPU = 10.0
"""Seconds of CPU time for one message, of this process; what workers look into has a cap of its own."""

OutOfTime = Callable[[], bool]
"""Asked at every part and now and then within a header; once true it stays so."""


def deadline(clock: Callable[[], float], seconds: float = CPU) -> OutOfTime:
    """Return what says whether `seconds` have passed from now on by `clock`, which only counts up."""
    until = clock() + seconds
    return lambda: clock() >= until


def never() -> bool:
    """Say that there is time: where the process itself is capped, and in tests."""
    return False
