"""Running `sluice` commands as a user does."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.processes import ROOT

SLUICE = (sys.executable, "-m", "services.cli")


class Done(NamedTuple):
    """What a command left."""

    status: int
    out: str
    err: str


def sluice(*args: str, cwd: Path, given: bytes = b"", terminal: int | None = None, **env: str) -> Done:
    """Run a command to its end in `cwd`, without the SLUICE_ variables of this process.

    `terminal` is its standard error, if it is to have one: a descriptor.
    """
    plain = {key: value for key, value in os.environ.items() if not key.startswith("SLUICE_")}
    done = subprocess.run(
        [*SLUICE, *args],
        cwd=cwd,
        env={**plain, "PYTHONPATH": str(ROOT), **env},
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if terminal is None else terminal,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), (done.stderr or b"").decode())


def configured(folder: Path, text: str = "") -> Path:
    """Write a small valid sluice.toml with `text` at its end; return the folder."""
    (folder / "sluice.toml").write_text(
        'hostname = "relay.example.net"\nbroker = "sqlite:///queue.db"\n'
        '[relay]\npostmaster = "postmaster@example.org"\nhosted = { "example.org" = "127.0.0.1:25" }\n' + text
    )
    return folder
