"""Programs of the system that some tests need."""

import os
import shutil

import pytest


def needed(program: str, package: str = "") -> None:
    """Skip the test that asks where a program is not installed; fail it where the suite must be complete."""
    if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
        reason = f"{program} is not installed: apt-get install {package or program}"
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
