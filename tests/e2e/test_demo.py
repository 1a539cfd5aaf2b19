"""`sluice demo`: what a newcomer sees first works, and would not hide that something does not."""

import os
import shutil
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from services.demo.cases import CASES
from services.demo.run import run_demo
from tests.support.processes import ROOT, SLUICE


def demo(directory: Path, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SLUICE, "demo"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, "SLUICE_HOSTNAME": "must-not-matter.example"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(shutil.which("openssl") is None and not os.environ.get("CI"), reason="openssl is not installed")
def test_every_case_comes_out_as_expected(tmp_path: Path) -> None:
    done = demo(tmp_path, os.environ["PATH"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CASES)} of {len(CASES)} cases as expected" in done.stdout
    assert " NO " not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_case_that_differs_is_shown_and_is_exit_status_1() -> None:
    shown = StringIO()
    wrong = CASES[0]._replace(expected="lost")
    assert run_demo(Console(file=shown, width=200), [wrong, CASES[1]]) == 1
    assert "NO" in shown.getvalue()
    assert "1 of 2 cases as expected" in shown.getvalue()


def test_without_openssl_the_remedy_is_named(tmp_path: Path) -> None:
    done = demo(tmp_path, str(tmp_path))
    assert done.returncode == 1
    assert "openssl is not installed; install it: apt-get install openssl" in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout + done.stderr
