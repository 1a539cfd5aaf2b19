"""Time as a value: seconds since the epoch, UTC. Adapters read it once and pass it on; pure functions never do."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds since the epoch. Tests pass their own."""

wall_clock: Clock = time.time
