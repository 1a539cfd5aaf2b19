"""Every input that fuzzing has kept (tests/fuzz/corpus), replayed: what reached new code once, or broke a promise."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.target import MAX_LENGTH, run
from tests.support.lobby import Lobby, papers

CORPUS = sorted((Path(__file__).resolve().parents[1] / "fuzz/corpus").iterdir())


@pytest.fixture(scope="module")
def lobby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lobby]:
    with Lobby(papers(tmp_path_factory.mktemp("fuzz"))) as running:
        yield running


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_a_kept_input(lobby: Lobby, path: Path) -> None:
    run(lobby, path.read_bytes())


def test_the_corpus_is_kept_and_small() -> None:
    assert 20 <= len(CORPUS) <= 250
    assert max(path.stat().st_size for path in CORPUS) <= MAX_LENGTH
