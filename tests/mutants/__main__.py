"""`make mutants`: take out each rule of the screener by itself, and see a test fail.

Arguments choose folders or files under services/screener ("mime", "identity/names.py"); without any, all are tried.
Every mutant runs in a process of its own, forked from this one, which has read everything but our own code; processes
that it starts read the changed module as well. Printed is what no test notices; the exit status is 1 if
anything is that tests/mutants/equivalent.py does not explain, and 2 if a test fails without any change.
"""

import importlib
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.mutants.equivalent import EQUIVALENT
from tests.mutants.making import Mutant, mutants_of

ROOT = Path(__file__).parents[2]
SCREENER = ROOT / "services/screener"
CATALOGUE = "tests/catalogue/test_catalogue.py"
RULES = [
    "tests/unit/test_rules_defaults.py",
    "tests/unit/test_rules_judging.py",
    "tests/unit/test_rules_own.py",
    "tests/unit/test_rules_flawed.py",
    "tests/unit/test_rules_words.py",
    "tests/unit/test_verdict_ruling.py",
]
TESTS = {
    "identity": [
        "tests/unit/test_types_detected.py",
        "tests/unit/test_parts_recognised.py",
        "tests/unit/test_names_reading.py",
        CATALOGUE,
    ],
    "rules": [*RULES, "tests/service/test_screener_splits.py", CATALOGUE],
    "antivirus": [
        "tests/unit/test_antivirus_answers.py",
        "tests/service/test_antivirus_sessions.py",
        "tests/service/test_antivirus.py",
    ],
    "mime": [
        "tests/unit/test_mime_values.py",
        "tests/unit/test_mime_describe.py",
        "tests/unit/test_mime_header.py",
        "tests/unit/test_types_detected.py",
        "tests/unit/test_names_reading.py",
        CATALOGUE,
        "tests/unit/test_mime_tree.py",
        "tests/unit/test_screener_readings.py",
        "tests/unit/test_mime_deadline.py",
        "tests/unit/test_mime_quick.py",
        "tests/unit/test_mime_addresses.py",
        "tests/unit/test_mime_saved.py",
        "tests/unit/test_verdict_ruling.py",
        "tests/ordinary",
    ],
    "containers/documents": [
        "tests/unit/test_container_documents.py",
        "tests/unit/test_container_applefile.py",
        "tests/unit/test_container_cms.py",
        "tests/unit/test_container_compound.py",
        "tests/unit/test_container_ole.py",
        "tests/unit/test_container_office.py",
        "tests/unit/test_container_pages.py",
        "tests/unit/test_container_pgp.py",
        "tests/unit/test_container_rtf.py",
        "tests/unit/test_container_tnef.py",
        "tests/unit/test_container_pdf.py",
        "tests/unit/test_container_pdf_password.py",
        "tests/unit/test_encrypted_mail.py",
        CATALOGUE,
    ],
    "containers": [
        "tests/unit/test_container_judging.py",
        "tests/unit/test_container_walk.py",
        "tests/unit/test_container_budget.py",
        "tests/unit/test_container_formats.py",
        "tests/unit/test_container_disk_image.py",
        "tests/unit/test_container_cabinet.py",
        "tests/unit/test_container_streams.py",
        "tests/unit/test_container_zip_records.py",
        "tests/unit/test_container_zip_members.py",
        "tests/unit/test_container_tar.py",
        "tests/unit/test_container_rar.py",
        "tests/unit/test_container_sevenzip.py",
        "tests/unit/test_container_sevenzip_header.py",
        "tests/unit/test_rules_own.py",
        "tests/unit/test_container_contents.py",
        "tests/unit/test_container_zstd.py",
        "tests/unit/test_container_bombs.py",
        "tests/service/test_container_pool.py",
        CATALOGUE,
    ],
}
"""Folders, a narrower one before one that it is in, and the tests that must notice what goes from them, the quickest
first."""
LIBRARIES = ("msgspec", "pybase64", "pytest_asyncio", "pytest_timeout", "structlog", "prometheus_client", "trustme")
LONGEST = 300.0
"""Seconds after which a mutant that hangs counts as noticed."""

# A finder that gives the changed source for one module; also what a process started by a test runs first.
HOOK = """
import importlib.abc, importlib.util, sys
class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self, origin={path!r}) if name == {module!r} else None
    def exec_module(self, module):
        module.__file__ = {path!r}
        exec(compile({source!r}, {path!r}, "exec"), module.__dict__)
sys.meta_path.insert(0, _Changed())
"""


def folder_of(path: str) -> str:
    """Return the folder by which a module's tests are chosen."""
    return next(folder for folder in TESTS if path.startswith(f"{folder}/"))


def found(chosen: Sequence[str]) -> Iterator[Mutant]:
    """Yield the mutants of what was chosen."""
    for folder in TESTS:
        for file in sorted((SCREENER / folder).rglob("*.py")):
            path = file.relative_to(SCREENER).as_posix()
            if (
                folder_of(path) == folder
                and file.name != "__init__.py"
                and (not chosen or any(path.startswith(one) for one in chosen))
            ):
                yield from mutants_of(path, file.read_text())


def start(mutant: Mutant | None, tests: Sequence[str]) -> int:
    """Fork a process that runs the tests with a change made, and return its number; its status is that of pytest."""
    process = os.fork()
    if process:
        return process
    os.setsid()
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silent, stream)
    status = 3
    try:
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            if mutant is not None:
                path = SCREENER / mutant.path
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                hook = HOOK.format(module=module, path=str(path), source=mutant.source)
                Path(folder, "sitecustomize.py").write_text(hook)
                exec(hook, {})  # our own text, in a process that is nothing but this change
            os.environ["PYTHONPATH"] = f"{folder}:{ROOT}"
            settings.register_profile(
                "mutants", derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
            )
            options = [
                "-x",
                "-q",
                "-W",
                "ignore::pytest.PytestAssertRewriteWarning",
                "--noconftest",
                "-p",
                "tests.support.rabbitmq_fixtures",
            ]
            status = int(pytest.main([*options, "--hypothesis-profile=mutants", *tests]))
    finally:
        os._exit(status)


def noticed(found: Sequence[Mutant]) -> Iterator[tuple[Mutant, bool]]:
    """Yield every mutant and whether a test failed, as they end; as many at a time as there are processors."""
    waiting = list(reversed(found))
    running: dict[int, tuple[Mutant, float]] = {}
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            mutant = waiting.pop()
            running[start(mutant, TESTS[folder_of(mutant.path)])] = mutant, time.monotonic()
        ended, status = os.waitpid(-1, os.WNOHANG)
        for process, (_, since) in running.items():
            if not ended and time.monotonic() - since > LONGEST:
                os.killpg(process, signal.SIGKILL)
        if not ended:
            time.sleep(0.02)
        elif ended in running:
            mutant, _ = running.pop(ended)
            yield mutant, status != 0


def main(chosen: Sequence[str]) -> int:
    """Try every mutant of what was chosen."""
    console = Console()
    for library in LIBRARIES:
        importlib.import_module(library)
    all_of_them = list(found(chosen))
    for folder in dict.fromkeys(folder_of(mutant.path) for mutant in all_of_them):
        if os.waitpid(start(None, TESTS[folder]), 0)[1]:
            console.print(f"the tests of {folder} fail as it is")
            return 2
    total, killed, explained = Counter[str](), Counter[str](), Counter[str]()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    missed: list[Mutant] = []
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        task = progress.add_task("mutants", total=len(all_of_them))
        for mutant, was_noticed in noticed(all_of_them):
            folder = folder_of(mutant.path)
            total[folder] += 1
            killed[folder] += was_noticed
            if not was_noticed and (mutant.path, mutant.what) in EQUIVALENT:
                explained[folder] += 1
            elif not was_noticed:
                missed.append(mutant)
                progress.console.print(str(mutant), markup=False, soft_wrap=True)
            progress.update(task, advance=1, description=f"{len(missed)} not noticed", refresh=True)
    for folder in total:
        console.print(f"{folder}: {killed[folder]} of {total[folder]} noticed, {explained[folder]} change nothing")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
