"""Leaving a host alone that does not answer, and finding out by itself when it does again. Pure.

Closed while all is well; opened by so many failed connections in a row; when its wait is over, one attempt at a time
is let through: a connection closes it, another failure opens it for twice as long.
"""

from typing import NamedTuple

FAILURES = 5
FIRST_WAIT = 30.0
LONGEST_WAIT = 900.0


class Circuit(NamedTuple):
    """The state of one destination."""

    failures: int = 0
    """In a row."""
    wait: float = 0.0
    """How long it was last opened for."""
    until: float = 0.0
    probing: bool = False
    """True while the one attempt is on its way."""
    why: str = ""
    """What the last failure was."""
    failed_at: float = 0.0
    """When that was."""

    @property
    def is_open(self) -> bool:
        """True from the last of the failures to the next connection."""
        return self.failures >= FAILURES


def wait_for(circuit: Circuit, now: float, urged_at: float | None = None) -> float:
    """Return how long to leave the host alone; 0: try now.

    `urged_at`: when an operator wanted it tried, who may know that it is back: one attempt since then is let through.
    """
    if not circuit.is_open:
        return 0.0
    if circuit.probing:
        return FIRST_WAIT
    if urged_at is not None and circuit.failed_at < urged_at:
        return 0.0
    return max(0.0, circuit.until - now)


def tried(circuit: Circuit) -> Circuit:
    """Return the circuit as an attempt begins that `wait_for` has let through."""
    return circuit._replace(probing=circuit.is_open)


def failed(circuit: Circuit, now: float, why: str) -> Circuit:
    """Return the circuit after an attempt that found no host to connect to."""
    failures = circuit.failures + 1
    if failures < FAILURES:
        return Circuit(failures, why=why, failed_at=now)
    if circuit.is_open and now < circuit.until and not circuit.probing:
        return circuit._replace(why=why)  # begun before it was opened: no news
    wait = min(circuit.wait * 2 or FIRST_WAIT, LONGEST_WAIT)
    return Circuit(failures, wait, now + wait, why=why, failed_at=now)


def abandoned(circuit: Circuit) -> Circuit:
    """Return the circuit after an attempt that ended without finding out."""
    return circuit._replace(probing=False)
