"""`python -m tests.fuzz CORPUS ...`, with libFuzzer's arguments. Needs atheris; see scripts/fuzz."""

import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["services.ingress", "shared.smtp"]):
    from tests.fuzz.target import MAX_LENGTH, run
    from tests.support.lobby import Lobby, papers


def main() -> None:
    """Fuzz until libFuzzer has had enough; it exits by itself."""
    with tempfile.TemporaryDirectory() as folder, Lobby(papers(Path(folder))) as lobby:
        # libFuzzer starts this by its first argument when it merges corpora.
        program = os.environ.get("FUZZ_TARGET", sys.argv[0])
        atheris.Setup([program, *sys.argv[1:], f"-max_len={MAX_LENGTH}"], lambda data: run(lobby, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
