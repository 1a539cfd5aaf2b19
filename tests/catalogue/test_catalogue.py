"""Every evasion of the catalogue, in each variant: the file is found or the message is ambiguous, as each row says."""

import pytest

from services.screener.rules import compile_rules
from services.screener.screening import screen
from shared.config.model import Rules
from shared.model import Action, Direction
from tests.catalogue import containers, documents, encodings, headers, messages, names, resources, structure
from tests.catalogue.case import Case

CASES = [
    *headers.CASES,
    *structure.CASES,
    *encodings.CASES,
    *messages.CASES,
    *names.CASES,
    *documents.CASES,
    *containers.CASES,
    *resources.CASES,
]
RULES = compile_rules(Rules(), Direction.INBOUND)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row} {case.name}")
def test_the_catalogue(case: Case) -> None:
    for variant, raw in case.variants():
        screening = screen(raw, RULES)
        ruling = screening.ruling
        found = {seen.finding.rule for seen in screening.seen if seen.finding is not None}
        told = f"{variant}: {sorted(ruling.reasons)} {sorted(found)}\n{raw[:2000]!r}"
        assert set(case.doubt) <= set(ruling.reasons), told
        assert ruling.ambiguous is bool(case.doubt), told
        assert (not found) if case.rule is None else case.rule in found, told
        assert case.remark is None or case.remark in screening.remarks, told
        assert (ruling.action is Action.PASS) is (case.rule is None and not case.doubt), told


def test_every_row_has_a_case() -> None:
    assert {case.row for case in CASES} == {*range(1, 74)}


def test_no_two_cases_are_the_same() -> None:
    assert len({(case.row, case.name) for case in CASES}) == len(CASES)
