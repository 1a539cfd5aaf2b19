"""Debian's Postfix, as a client or a next hop: an instance in a directory of its own that sends all to one relay."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pytest

from tests.support.ports import free_port
from tests.support.programs import needed
from tests.support.waiting import wait_for

PATIENCE = 60.0

TIMES = ("minimal_backoff_time", "maximal_backoff_time", "queue_run_delay")
PROMPT = {"defer_transports": "", **dict.fromkeys(TIMES, "1s")}
"""Settings with which it sends at once, and again after a second."""
HOLDING = {"defer_transports": "smtp", **dict.fromkeys(TIMES, "1h")}
"""Settings with which it puts everything aside and leaves it there."""


class Postfix:
    """Use as a context manager. It takes mail on `port`, holds it until `release`, and then sends it as it does."""

    def __init__(self, relay: int, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        # Its processes run as a user who may not enter the folders of the tests.
        self._temporary = tempfile.TemporaryDirectory(prefix="postfix-")
        directory = self._directory = Path(self._temporary.name)
        self._etc = directory / "etc"
        self.settings = {
            "compatibility_level": "3.6",
            "queue_directory": f"{directory}/spool",
            "data_directory": f"{directory}/lib",
            "maillog_file": f"{directory}/log/mail.log",
            "maillog_file_prefixes": str(directory),
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "myhostname": "postfix.client.example",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "relayhost": f"[127.0.0.1]:{relay}",
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            **HOLDING,
            **settings,
        }

    def __enter__(self) -> Self:
        self._directory.chmod(0o755)
        for name in ("etc", "spool", "lib", "log"):
            (self._directory / name).mkdir(parents=True)
        for name in ("lib", "log"):
            shutil.chown(self._directory / name, "postfix")
        (self._etc / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in self.settings.items()))
        shipped = Path("/etc/postfix/master.cf.proto").read_text()
        services = re.sub(r"^smtp +inet .*$", f"{self.port} inet n - n - - smtpd", shipped, flags=re.MULTILINE)
        services = re.sub(r"^(\S+ +\S+ +\S+ +\S+ +)y", r"\1n", services, flags=re.MULTILINE)  # no chroot
        (self._etc / "master.cf").write_text(services)
        self._run("postfix", "start")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("postfix", "stop")
        self._temporary.cleanup()

    def release(self) -> None:
        """Let it send what it holds, and everything that comes after that.

        It is told when it has put everything aside: a message in its hands when it begins anew is skipped as "still
        being delivered", goes back to `incoming` and is looked at by the master's clock, five minutes later.
        """
        wait_for(lambda: all(json.loads(line)["queue_name"] == "deferred" for line in self.queued()), PATIENCE, 0.1)
        self._run("postconf", "-e", *(f"{key}={value}" for key, value in PROMPT.items()))
        self._run("postfix", "reload")
        self.flush()

    def flush(self) -> None:
        """Have it try everything again now."""
        self._run("postqueue", "-f")

    def queued(self) -> list[str]:
        """Return what it still has to send: one JSON object a message."""
        return self._run("postqueue", "-j").splitlines()

    def wait_empty(self) -> None:
        """Return once it has sent everything; AssertionError with its log if it does not."""
        try:
            wait_for(lambda: not self.queued(), PATIENCE, 0.1)
        except AssertionError as error:
            raise AssertionError("\n".join(self.log()[-40:])) from error

    def log(self) -> list[str]:
        """Return its log's lines."""
        return (self._directory / "log/mail.log").read_text().splitlines()

    def sent(self) -> list[str]:
        """Return the log lines about deliveries to the relay, one for each recipient and attempt."""
        return [line for line in self.log() if "/smtp[" in line and " status=" in line]

    def map(self, name: str, text: str) -> str:
        """Write a look-up table for one of its settings and return what to set."""
        path = self._directory / name
        path.write_text(text)
        path.chmod(0o600)
        return f"texthash:{path}"

    def _run(self, program: str, *args: str) -> str:
        done = subprocess.run(
            [program, "-c", str(self._etc), *args],
            env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (program, args, done.stdout, done.stderr)
        return done.stdout


def postfix_needed() -> None:
    """Skip the test where Postfix is not installed or cannot be started: it does nothing without root."""
    needed("postfix")
    if os.geteuid() != 0:
        pytest.skip("Postfix can only be started by root")
