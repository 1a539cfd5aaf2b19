"""Programs of the system that some tests need."""

import os
import shutil
import subprocess

import pytest


def needed(program: str, package: str = "") -> None:
    """Skip the test that asks where a program is not installed; fail it where the suite must be complete."""
    if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
        _missing(program, package or program)


def needed_in_perl(module: str, package: str) -> None:
    """Do the same where Perl has no such module."""
    if subprocess.run(["perl", f"-M{module}", "-e", "1"], capture_output=True, check=False).returncode != 0:
        _missing(module, package)


def _missing(what: str, package: str) -> None:
    reason = f"{what} is not installed: apt-get install {package}"
    assert not os.environ.get("CI"), reason
    pytest.skip(reason)
