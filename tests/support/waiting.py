"""Waiting for a condition instead of sleeping for a guess."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], bool], timeout: float = 60, pause: float = 0.02) -> None:
    """Return once `condition` holds. Raise AssertionError after `timeout` seconds."""
    until = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"not within {timeout} s: {condition}")
        time.sleep(pause)
