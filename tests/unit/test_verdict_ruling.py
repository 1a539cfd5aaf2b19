"""From findings to what becomes of the message."""

import pytest

from services.screener.mime.anomaly import Anomaly
from services.screener.mime.part import Part
from services.screener.mime.tree import parse
from services.screener.rules import Finding, RuleSet, compile_rules
from services.screener.verdict import decide
from shared.config.model import Rules
from shared.model import Action, Direction
from tests.support import mail_samples as samples

EXE = Finding(Action.STRIP, "extension:exe")
PARTIAL = Finding(Action.BLOCK, "type:message/partial")
KEEP = Finding(Action.QUARANTINE, "extension:exe")
DOUBT = frozenset({Anomaly.TWO_TYPES})


def rules(direction: Direction = Direction.INBOUND, ambiguous: str = "quarantine") -> RuleSet:
    return compile_rules(Rules(ambiguous=ambiguous), direction)


PLAIN = parse(samples.with_exe()).parts
SIGNED = parse(samples.SIGNED_EXE).parts
FORWARDED = parse(samples.FORWARDED_EXE).parts
NOTHING: frozenset[Anomaly] = frozenset()


@pytest.mark.parametrize(
    ("parts", "findings", "anomalies", "direction", "action", "reasons"),
    [
        (PLAIN, {}, NOTHING, Direction.INBOUND, Action.PASS, ()),
        (PLAIN, {2: EXE}, NOTHING, Direction.INBOUND, Action.STRIP, ("extension:exe",)),
        (PLAIN, {2: EXE}, NOTHING, Direction.OUTBOUND, Action.STRIP, ("extension:exe",)),
        (
            PLAIN,
            {1: PARTIAL, 2: EXE},
            NOTHING,
            Direction.INBOUND,
            Action.BLOCK,
            ("type:message/partial", "extension:exe"),
        ),
        (
            PLAIN,
            {1: PARTIAL, 2: KEEP},
            NOTHING,
            Direction.INBOUND,
            Action.QUARANTINE,
            ("type:message/partial", "extension:exe"),
        ),
        (PLAIN, {}, DOUBT, Direction.INBOUND, Action.QUARANTINE, ("mime:two-content-types",)),
        (PLAIN, {2: EXE}, DOUBT, Direction.INBOUND, Action.QUARANTINE, ("mime:two-content-types", "extension:exe")),
        (PLAIN, {2: EXE}, DOUBT, Direction.OUTBOUND, Action.QUARANTINE, ("mime:two-content-types", "extension:exe")),
        (SIGNED, {3: EXE}, NOTHING, Direction.INBOUND, Action.QUARANTINE, ("extension:exe", "sealed:signed")),
        (SIGNED, {3: EXE}, NOTHING, Direction.OUTBOUND, Action.BLOCK, ("extension:exe", "sealed:signed")),
        (SIGNED, {0: EXE}, NOTHING, Direction.INBOUND, Action.STRIP, ("extension:exe",)),
    ],
)
def test_the_stricter_action_wins_and_sealed_parts_are_never_cut(
    parts: tuple[Part, ...],
    findings: dict[int, Finding],
    anomalies: frozenset[Anomaly],
    direction: Direction,
    action: Action,
    reasons: tuple[str, ...],
) -> None:
    judged = [(part, findings.get(index)) for index, part in enumerate(parts)]
    ruling = decide(judged, anomalies, rules(direction))
    assert (ruling.action, ruling.reasons, ruling.ambiguous) == (action, reasons, bool(anomalies))
    assert bool(ruling.cut) is (action is Action.STRIP)


@pytest.mark.parametrize(
    ("ambiguous", "finding", "action"),
    [
        ("pass", None, Action.PASS),
        ("block", None, Action.BLOCK),
        ("quarantine", None, Action.QUARANTINE),
        ("pass", EXE, Action.QUARANTINE),
        ("block", EXE, Action.QUARANTINE),
    ],
)
def test_an_ambiguous_message_gets_the_configured_action_but_is_never_stripped(
    ambiguous: str, finding: Finding | None, action: Action
) -> None:
    judged = [(PLAIN[0], None), (PLAIN[1], None), (PLAIN[2], finding)]
    ruling = decide(judged, DOUBT, rules(ambiguous=ambiguous))
    assert (ruling.action, ruling.ambiguous, ruling.cut) == (action, True, ())


@pytest.mark.parametrize("anomaly", [Anomaly.LIMIT, Anomaly.TIME])
@pytest.mark.parametrize(
    ("ambiguous", "unreadable", "action"),
    [
        ("pass", "quarantine", Action.QUARANTINE),
        ("pass", "block", Action.BLOCK),
        ("pass", "strip", Action.QUARANTINE),
        ("pass", "allow", Action.PASS),
        ("quarantine", "block", Action.QUARANTINE),
        ("block", "allow", Action.BLOCK),
    ],
)
def test_what_was_left_unread_is_also_unreadable(
    anomaly: Anomaly, ambiguous: str, unreadable: str, action: Action
) -> None:
    compiled = compile_rules(Rules(ambiguous=ambiguous, unreadable=unreadable), Direction.INBOUND)
    assert decide([(PLAIN[0], None)], frozenset({anomaly}), compiled).action is action


@pytest.mark.parametrize(
    ("banned", "cut"),
    [({5}, (5,)), ({2, 5}, (2,)), ({2}, (2,)), ({1, 4, 5}, (1, 4, 5)), ({0, 1, 5}, (0,)), ({3}, (3,))],
)
def test_what_goes_with_an_enclosing_part_is_not_cut_again(banned: set[int], cut: tuple[int, ...]) -> None:
    judged = [(part, EXE if index in banned else None) for index, part in enumerate(FORWARDED)]
    assert decide(judged, NOTHING, rules()).cut == cut
