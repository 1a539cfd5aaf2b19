"""The CPU deadline of one message: asked often enough, never an exception, never taken for clean."""

from collections.abc import Callable
from itertools import count

import pytest

from services.screener.assess import House, Means, assess
from services.screener.mime.anomaly import Anomaly, Limits
from services.screener.mime.deadline import deadline
from services.screener.mime.tree import parse
from services.screener.rules import compile_rules
from services.screener.screening import screen
from shared.config.model import Rules, Screener
from shared.model import Action, Direction
from tests.support import mail_samples as samples
from tests.support.mail_samples import PNG, TEXT, attachment, crlf, multipart

RULES = compile_rules(Screener().inbound, Direction.INBOUND)
HOUSE = House("Example Org", "help@example.org", 86400)


def ticking() -> Callable[[], float]:
    """Return a clock that is a second further each time it is asked."""
    seconds = count()
    return lambda: float(next(seconds))


def within(seconds: float) -> Limits:
    return Limits(out_of_time=deadline(ticking(), seconds))


def asked(raw: bytes) -> int:
    """Return how often reading a message asks for the time."""
    times = 0

    def out_of_time() -> bool:
        nonlocal times
        times += 1
        return False

    assert Anomaly.TIME not in parse(raw, Limits(out_of_time=out_of_time)).anomalies
    return times


def test_a_deadline_is_so_many_seconds_from_now_and_stays_passed() -> None:
    times = iter([5.0, 6.9, 7.0, 100.0])
    out_of_time = deadline(lambda: next(times), 2.0)
    told = [out_of_time() for _ in range(3)]
    assert told == [False, True, True]


@pytest.mark.parametrize(
    ("raw", "least"),
    [
        (b"A: b\r\n" * 900 + b"\r\n", 900 // 64),
        (b"no field\r\n" * 10_000 + b"\r\n", 10_000 // 64),
        (multipart([TEXT] * 300), 300),
        (
            multipart([f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n\nx\n--b{n}--" for n in range(100)]),
            300,
        ),
        (b"Content-Type: message/rfc822\r\n\r\n" * 8 + b"A: b\r\n\r\nx", 8),
    ],
)
def test_the_time_is_asked_for_at_every_part_and_within_a_header(raw: bytes, least: int) -> None:
    assert asked(raw) >= least


@pytest.mark.parametrize("raw", [samples.FORWARDED_EXE, samples.SIGNED_EXE, multipart([TEXT] * 3)])
def test_wherever_time_runs_out_the_message_is_ambiguous(raw: bytes) -> None:
    enough = asked(raw) + len(parse(raw).parts) + 1
    for seconds in range(1, enough):
        assert Anomaly.TIME in screen(raw, RULES, within(seconds)).ruling.reasons
    assert Anomaly.TIME not in screen(raw, RULES, within(enough)).ruling.reasons


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("ambiguous", ["pass", "block", "quarantine"])
def test_what_no_time_was_left_for_never_passes(direction: Direction, ambiguous: str) -> None:
    raw = multipart([TEXT, attachment("a.png", PNG, "image/png")])
    rules = compile_rules(Rules(ambiguous=ambiguous, unreadable="quarantine"), direction)
    assert assess(raw, rules, HOUSE, "reference", 0.0).verdict.action is Action.PASS
    for seconds in range(1, 10):
        assessed = assess(raw, rules, HOUSE, "reference", 0.0, Means(limits=within(seconds)))
        assert assessed.verdict.action in {Action.BLOCK, Action.QUARANTINE}
        assert assessed.verdict.ambiguous
        assert assessed.content is raw


def test_where_no_time_is_left_for_the_second_look_the_message_is_kept() -> None:
    raw = crlf(samples.HEAD + attachment("a.exe", samples.EXE))
    ruled = [
        assess(raw, RULES, HOUSE, "reference", 0.0, Means(limits=within(seconds))).verdict for seconds in range(1, 20)
    ]
    assert {"mime:over-cpu-time", "strip:result-not-clean"} <= {reason for each in ruled for reason in each.reasons}
    assert ruled[-1].action is Action.STRIP
    kept = [each for each in ruled if each.action is not Action.STRIP]
    assert {each.action for each in kept} == {Action.QUARANTINE}


def test_an_encoded_multipart_read_again_says_that_time_ran_out() -> None:
    raw = multipart([TEXT]).replace(b"MIME-Version: 1.0", b"Content-Transfer-Encoding: quoted-printable")
    raw = raw.replace(b"anbei", b"anbei=20")
    enough = asked(raw)
    assert all(Anomaly.TIME in parse(raw, within(seconds)).anomalies for seconds in range(1, enough + 1))
    assert Anomaly.TIME not in parse(raw, within(enough + 1)).anomalies
