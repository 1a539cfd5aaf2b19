"""The relay under demonstration: `sluice up` as a child process, configured in a temporary directory."""

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from string import Template

from services.demo.destination import HOST, free_port
from shared.errors import SluiceError

OUTSIDER = "127.0.0.3"
TRUSTED = "127.0.0.2"
USER = "alice@hosted.example"
PASSWORD = "demonstration"  # noqa: S105  (guards nothing: made and thrown away with the temporary directory)
START_SECONDS = 60.0

CONFIG = Template("""\
hostname = "relay.hosted.example"
broker = "sqlite:///queue.db"

[relay]
postmaster = "postmaster@hosted.example"
trusted_networks = ["$trusted/32"]
denied_destinations = ["denied.example"]
[relay.hosted]
"hosted.example" = "$host:$destination"

[[ingress.listener]]
address = "$host:$smtp"
mode = "relay"
[[ingress.listener]]
address = "$host:$submission"
mode = "submission"

[auth]
users_file = "users"

[tls]
certificate = "certificate.pem"
key = "key.pem"

[delivery]
nameservers = ["$nameserver"]
port = $destination
retry = ["1s", "1s", "2s"]
allow_private_destinations = true

[ops]
address = "$host:$ops"
""")


class Relay:
    """Start, kill and start again; its log is `relay.log` in the directory."""

    def __init__(self, directory: Path, destination: int, nameserver: str) -> None:
        self.smtp = free_port()
        self.submission = free_port()
        self._ops = free_port()
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        ports = {"smtp": self.smtp, "submission": self.submission, "ops": self._ops, "destination": destination}
        text = CONFIG.substitute(ports, host=HOST, trusted=TRUSTED, nameserver=nameserver)
        (directory / "sluice.toml").write_text(text, encoding="utf-8")

    def prepare(self) -> None:
        """Make a certificate and a user. Raise SluiceError if a tool for it fails."""
        self._make_certificate()
        self._run([*_sluice("user", "add", USER, "--password-stdin"), *self._config()], given=PASSWORD + "\n")

    def start(self) -> None:
        """Start `sluice up`; return once it is ready. Raise SluiceError with the log's tail if it is not."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  (our own command line)
                [*_sluice("up"), *self._config()],
                cwd=self._directory,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SluiceError(f"demo: the relay did not start; its log ends:\n{self.log_tail()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of its log."""
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-lines:])

    @property
    def _log(self) -> Path:
        return self._directory / "relay.log"

    def _config(self) -> list[str]:
        return ["--config", str(self._directory / "sluice.toml")]

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self._ops, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def _make_certificate(self) -> None:
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem"]
        names = ["-subj", "/CN=relay.hosted.example", "-days", "2", "-out", "certificate.pem"]
        self._run(["openssl", "req", "-x509", *key, *names])

    def _run(self, command: list[str], given: str = "") -> None:
        try:
            done = subprocess.run(  # noqa: S603  (fixed command lines)
                command,
                cwd=self._directory,
                env=_environment(),
                input=given,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        except FileNotFoundError as error:
            raise SluiceError(
                f"demo: {command[0]} is not installed; install it: apt-get install {command[0]}"
            ) from error
        if done.returncode != 0:
            raise SluiceError(f"demo: {' '.join(command)}: exit status {done.returncode}: {done.stderr.strip()}")


def _sluice(*args: str) -> list[str]:
    return [sys.executable, "-m", "services.cli", *args]


def _environment() -> dict[str, str]:
    """Return our environment without what would change the demonstration's configuration."""
    return {key: value for key, value in os.environ.items() if not key.startswith("SLUICE_")}
