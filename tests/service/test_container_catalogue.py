"""The catalogue's archives and documents through the real worker processes: the same verdicts as without them."""

from collections.abc import Iterator

import pytest

from services.screener.assess import House, Means, assess
from services.screener.containers.pool import Pool
from services.screener.rules import compile_rules
from shared.config.model import Rules
from shared.model import Action, Direction
from tests.catalogue import containers, documents
from tests.catalogue.case import Case

RULES = compile_rules(Rules(), Direction.INBOUND)
HOUSE = House("Example Org", "help@example.org", 86400)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool(2)
    yield pool
    pool.close()


@pytest.mark.parametrize("case", [*containers.CASES, *documents.CASES], ids=lambda case: f"{case.row} {case.name}")
def test_the_verdict_that_workers_bring_about(pool: Pool, case: Case) -> None:
    verdict = assess(case.raw(), RULES, HOUSE, "reference", 0.0, Means(pool.for_message())).verdict
    if case.rule is None:
        assert (verdict.action, verdict.reasons) == (Action.PASS, ())
    else:
        assert verdict.action in {Action.STRIP, Action.QUARANTINE}
        assert case.rule in verdict.reasons
        assert "strip:result-not-clean" not in verdict.reasons
