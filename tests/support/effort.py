"""How hard hypothesis tries: bounded and the same examples each time, unless SLUICE_THOROUGH asks for more."""

import os

from hypothesis import HealthCheck, settings

THOROUGH = int(os.environ.get("SLUICE_THOROUGH", "0"))
"""So many times the examples of an ordinary run, and different ones each time."""


def effort(examples: int, **more: int) -> settings:
    """Return settings for a test that tries so many examples in an ordinary run."""
    return settings(
        max_examples=examples * max(1, THOROUGH),
        derandomize=not THOROUGH,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        stateful_step_count=more.get("steps", 50),
        print_blob=True,
    )
