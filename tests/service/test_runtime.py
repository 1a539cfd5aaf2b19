"""shared.runtime as a real process: signals, readiness, exit status."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.support.ports import free_port
from tests.support.waiting import wait_for

PROGRAM = """
import asyncio, sys
from contextlib import asynccontextmanager
from shared.config.load import Loaded
from shared.config.model import Config, Ops
from shared.config.units import Duration
from shared.errors import ConfigError, SluiceError
from shared.runtime import run_app

kind, port = sys.argv[1:]

class App:
    async def start(self):
        if kind == "slow-start":
            await asyncio.sleep(3600)
        if kind == "no-start":
            raise SluiceError("here: no reason; do this")
        if kind == "bad-config":
            raise ConfigError("sluice.toml: key: no good")
        if kind == "bug":
            raise ZeroDivisionError("a bug")
    def trouble(self):
        return "the broker is away" if kind == "troubled" else None
    def failure(self):
        return {
            "breaks": SluiceError("queue.db: in use; stop the other"),
            "breaks-in-a-group": ExceptionGroup("tasks", [SluiceError("queue.db: in use; stop the other")]),
        }.get(kind)
    async def drain(self, grace):
        print("draining", grace, flush=True)
        if kind == "slow-drain":
            await asyncio.sleep(3600)

@asynccontextmanager
async def open_app(config):
    print("opened", flush=True)
    try:
        yield App()
    finally:
        print("closed", flush=True)

config = Config(ops=Ops(address=f"127.0.0.1:{port}", drain_timeout=Duration(0.2 if kind == "slow-drain" else 50)))
sys.exit(run_app(Loaded(config), "test", open_app))
"""


class Running:
    def __init__(self, kind: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, kind, str(self.port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )

    def get(self, path: str) -> tuple[int, str] | None:
        """Return status and body; None while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return None

    def end(self) -> tuple[int, str, str]:
        """Wait for the end; return status, standard output, standard error."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out.decode(), err.decode()


@contextmanager
def running(kind: str) -> Iterator[Running]:
    run = Running(kind)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.wait()
        for stream in (run.process.stdout, run.process.stderr):
            close(stream)


def close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()


def events(err: str) -> list[str]:
    """Return the names of the events in JSON log lines."""
    return [json.loads(line)["event"] for line in err.splitlines()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_drains_and_exits_0(number: signal.Signals) -> None:
    """A signal drains with the configured grace, closes what was opened, and the status is 0."""
    with running("good") as run:
        wait_for(lambda: run.get("/readyz") == (200, "ok\n"))
        run.process.send_signal(number)
        status, out, err = run.end()
    assert status == 0
    assert out.splitlines() == ["opened", "draining 50.0", "closed"]
    assert events(err) == ["started", "stopping", "stopped"]


def test_second_signal_ends_at_once() -> None:
    with running("slow-drain") as run:
        wait_for(lambda: run.get("/readyz") == (200, "ok\n"))
        run.process.send_signal(signal.SIGTERM)
        wait_for(lambda: run.get("/readyz") == (503, "draining\n") or run.process.poll() is not None)
        run.process.send_signal(signal.SIGTERM)
        status, _, err = run.end()
    assert status == 1
    assert events(err)[-1] == "stopped at once"


def test_a_drain_that_does_not_end_is_cut() -> None:
    """An app that ignores its grace does not keep the process until the supervisor kills it."""
    with running("slow-drain") as run:
        wait_for(lambda: run.get("/readyz") == (200, "ok\n"))
        run.process.send_signal(signal.SIGTERM)
        status, out, err = run.end()
    assert status == 1
    assert "closed" in out
    assert events(err)[-1] == "stopped before the drain had ended"


def test_signal_while_starting_exits_0() -> None:
    """A service that still waits for its broker stops like any other."""
    with running("slow-start") as run:
        wait_for(lambda: run.get("/readyz") == (503, "starting\n"))
        run.process.send_signal(signal.SIGTERM)
        status, out, _ = run.end()
    assert status == 0
    assert out.splitlines() == ["opened", "closed"]


@pytest.mark.parametrize(
    ("kind", "status", "line"),
    [
        ("no-start", 1, "sluice: here: no reason; do this\n"),
        ("bad-config", 2, "sluice: sluice.toml: key: no good\n"),
    ],
)
def test_failure_to_start_is_one_line(kind: str, status: int, line: str) -> None:
    with running(kind) as run:
        assert run.end() == (status, "opened\nclosed\n", line)


def test_a_bug_is_one_structured_line() -> None:
    with running("bug") as run:
        status, _, err = run.end()
    assert status == 1
    assert events(err) == ["crashed"]
    assert "ZeroDivisionError" in err


@pytest.mark.parametrize("kind", ["breaks", "breaks-in-a-group"])
def test_an_app_that_breaks_ends_its_process(kind: str) -> None:
    """It drains what it can, and its supervisor sees status 1 and the reason."""
    with running(kind) as run:
        status, out, err = run.end()
    assert status == 1
    assert out.splitlines() == ["opened", "draining 50.0", "closed"]
    assert err.splitlines()[-1] == "sluice: queue.db: in use; stop the other"


def test_trouble_turns_readiness_red_and_is_logged() -> None:
    """/readyz gives the app's own reason, /livez stays green, the change is logged once."""
    with running("troubled") as run:
        wait_for(lambda: run.get("/readyz") == (503, "the broker is away\n"))
        assert run.get("/livez") == (200, "ok\n")
        metrics = run.get("/metrics")
        assert metrics is not None
        assert "sluice_items_settled_total" in metrics[1]
        assert run.get("/else") == (404, "known here: /livez /readyz /metrics\n")
        run.process.send_signal(signal.SIGTERM)
        status, _, err = run.end()
    assert status == 0
    assert events(err) == ["started", "not ready", "stopping", "stopped"]


def test_ops_port_in_use_is_one_line() -> None:
    with running("good") as first:
        wait_for(lambda: first.get("/readyz") == (200, "ok\n"))
        second = subprocess.run(
            [sys.executable, "-c", PROGRAM, "good", str(first.port)],
            capture_output=True,
            cwd=Path(__file__).parents[2],
            check=False,
        )
    assert second.returncode == 1
    assert second.stderr.decode() == (
        f"sluice: ops.address: cannot listen on 127.0.0.1:{first.port}: Address already in use;"
        " stop what uses it or choose another\n"
    )
