"""The product as its users run it: real `sluice` processes on a generated sluice.toml, killed, drained, restarted."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
SLUICE = (sys.executable, "-m", "services.cli")
READY_SECONDS = 60.0


def toml(value: Any) -> str:
    """Return a value as TOML writes it; tables are inline."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return json.dumps(value)


def write_config(path: Path, config: Mapping[str, Any]) -> Path:
    """Write a sluice.toml, one line for each top-level key."""
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in config.items()))
    return path


class Process:
    """One process of ours; its output goes to `<name>.log` in `directory`, every start appended."""

    def __init__(self, name: str, argv: Sequence[str], directory: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._argv = list(argv)
        self._directory = directory
        self._ops_port = free_port()
        self._env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("SLUICE_")},
            "PYTHONPATH": str(ROOT),
            "SLUICE_OPS__ADDRESS": f"127.0.0.1:{self._ops_port}",
            **(env or {}),
        }
        self._log = directory / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; return once /readyz answers 200."""
        self.spawn()
        self.wait_ready()
        return self

    def spawn(self) -> None:
        """Start it and do not wait."""
        assert not self.running, f"{self.name} runs already"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                cwd=self._directory,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self, timeout: float = READY_SECONDS) -> None:
        """Return once /readyz answers 200; raise AssertionError with the log's tail if it exits or takes too long."""
        deadline = time.monotonic() + timeout
        while self.readiness()[0] != 200:
            assert self.running, f"{self.name} exited with {self.exit_status}:\n{self.tail()}"
            assert time.monotonic() < deadline, f"{self.name} not ready: {self.readiness()}\n{self.tail()}"
            time.sleep(0.05)

    def readiness(self) -> tuple[int, str]:
        """Return status and body of /readyz; (0, reason) if nobody answers."""
        return self.ops("/readyz")

    def ops(self, path: str) -> tuple[int, str]:
        """Return status and body of a page of the [ops] server; (0, reason) if nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self._ops_port, timeout=5)
        with contextlib.closing(connection):
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                return response.status, response.read().decode("utf-8", "replace")
            except (OSError, http.client.HTTPException) as error:
                return 0, str(error)

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    @property
    def pid(self) -> int:
        """The process id of the present run."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """`kill -9`, children included, and wait for the end."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)

    def signal_term(self) -> None:
        """SIGTERM, and do not wait."""
        assert self._process is not None
        self._process.terminate()

    def wait(self, timeout: float = 90.0) -> int:
        """Return the exit status once it has ended. Raise TimeoutExpired if it does not end."""
        assert self._process is not None
        return self._process.wait(timeout)

    def terminate(self, timeout: float = 90.0) -> int:
        """SIGTERM; return the exit status. Raise TimeoutExpired if it does not end."""
        self.signal_term()
        return self.wait(timeout)

    def log(self) -> str:
        """Return everything it has printed, over all starts."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return every line of its log about one event."""
        parsed = [json.loads(line) for line in self.log().splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in parsed if line["event"] == event]

    def tail(self, lines: int = 30) -> str:
        """Return the last lines of its log."""
        return "\n".join(self.log().splitlines()[-lines:])


class Relay:
    """A running product: its processes by name ("up", or the three stages), its ports and its command line."""

    def __init__(self, directory: Path, config: Mapping[str, Any], stages: Sequence[str]) -> None:
        self.directory = directory
        self.config_file = write_config(directory / "sluice.toml", config)
        self.processes = {name: self.process(name, [name]) for name in stages}

    def process(self, name: str, args: Sequence[str], env: Mapping[str, str] | None = None) -> Process:
        """Return a further `sluice` process on the same configuration, not started."""
        return Process(name, [*SLUICE, *args, "--config", str(self.config_file)], self.directory, env)

    def __getitem__(self, name: str) -> Process:
        """Return one process; "up" stands for every stage where all run in one."""
        return self.processes.get(name) or self.processes["up"]

    def start(self) -> Self:
        """Start every process side by side and wait until all are ready."""
        for process in self.processes.values():
            process.spawn()
        for process in self.processes.values():
            process.wait_ready()
        return self

    def stop(self) -> None:
        """Kill what still runs."""
        for process in self.processes.values():
            process.kill()

    def cli(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a `sluice` command on the same configuration; with `check`, its exit status must be 0."""
        done = subprocess.run(
            [*SLUICE, *args, "--config", str(self.config_file)],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, (
            f"sluice {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done

    def log(self) -> str:
        """Return the logs of every process."""
        return "\n".join(f"== {process.name}\n{process.log()}" for process in self.processes.values())
