"""Time-outs: of a command, of a block of content, and a message's rate (RFC 5321 section 4.5.3.2)."""

import pytest

from services.ingress import replies
from services.ingress.protocol.pace import Pace, Progress, command_deadline, content_deadline
from services.ingress.replies import Refuse

PACE = Pace(command=300, block=180, rate=1000, grace=60)

CONTENT = [
    # octets, seconds since the latest, seconds since the first -> outcome at time 1000
    (0, 0, 0, 1180),
    (0, 0, 59, 1180),
    (0, 10, 60, replies.TOO_SLOW),
    (59_999, 1, 60, replies.TOO_SLOW),
    (60_000, 1, 60, 1179),
    (999_999, 0, 1000, replies.TOO_SLOW),
    (1_000_000, 0, 1000, 1180),
    (9_000_000, 179, 179, 1001),
    (9_000_000, 180, 180, replies.DATA_TIMED_OUT),
    (0, 180, 180, replies.DATA_TIMED_OUT),
]


@pytest.mark.parametrize(("octets", "idle", "age", "outcome"), CONTENT)
def test_content(octets: int, idle: float, age: float, outcome: Refuse | float) -> None:
    assert content_deadline(PACE, Progress(1000 - age, 1000 - idle, octets), 1000) == outcome


def test_no_rate_expects_nothing() -> None:
    pace = PACE._replace(rate=0)
    assert content_deadline(pace, Progress(0, 1000, 1), 1000) == 1180


@pytest.mark.parametrize(("waited", "outcome"), [(0, 1300), (299, 1001), (300, replies.TIMED_OUT)])
def test_a_command(waited: float, outcome: Refuse | float) -> None:
    assert command_deadline(PACE, 1000 - waited, 1000) == outcome


@pytest.mark.parametrize(
    ("pace", "look"),
    [(PACE, 30), (PACE._replace(command=5), 5), (PACE._replace(block=2), 2), (PACE._replace(grace=0.5), 0.5)],
)
def test_no_time_out_is_overlooked(pace: Pace, look: float) -> None:
    assert pace.look == look
