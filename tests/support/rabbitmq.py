"""A RabbitMQ node of our own for tests: Debian's package, private ports, directories and epmd; works as root.

Boot takes some five seconds, so there is one node for a test session and a vhost for each test.
"""

import base64
import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from urllib.parse import quote

SERVER = Path("/usr/lib/rabbitmq/bin")
"""The scripts themselves: the wrappers in /usr/sbin change user."""
CONF = Path(__file__).parents[2] / "deploy" / "rabbitmq.conf"
BOOT = 120.0
"""Seconds that a boot may take on a busy machine."""


def free_port() -> int:
    """Return a TCP port that nothing listens on now, below the range of outgoing connections.

    A node keeps its ports while it is down, and none of the many connections of a test run may take one meanwhile.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def settings(**overrides: str | int) -> str:
    """Return deploy/rabbitmq.conf with some keys (`_` for `.`: write `a__b` for a.b) set otherwise or added."""
    chosen = {key.replace("__", "."): str(value) for key, value in overrides.items()}
    kept = [line for line in CONF.read_text().splitlines() if line.split("=")[0].strip() not in chosen]
    return "\n".join([*kept, *(f"{key} = {value}" for key, value in chosen.items()), ""])


class RabbitNode(ABC):
    """One node, however it runs. `amqp_port`, `management_port` and the administrator stay over restarts."""

    def __init__(self) -> None:
        self.amqp_port = free_port()
        self.management_port = free_port()
        self.user = "admin"
        self.password = secrets.token_hex(8)
        self.paused = False

    @property
    def management_url(self) -> str:
        return f"http://127.0.0.1:{self.management_port}"

    def amqp_url(self, vhost: str, user: str | None = None, password: str | None = None) -> str:
        """Return the URL of a vhost for a user, by default the administrator."""
        who = f"{user or self.user}:{password or self.password}"
        return f"amqp://{who}@127.0.0.1:{self.amqp_port}/{quote(vhost, safe='')}"

    @abstractmethod
    def start(self) -> None:
        """Boot, or boot again with the data there is; return when it serves."""

    @abstractmethod
    def stop(self) -> None:
        """Shut down cleanly."""

    @abstractmethod
    def kill(self) -> None:
        """End it this instant (SIGKILL)."""

    @abstractmethod
    def pause(self) -> None:
        """Stop it in its tracks (SIGSTOP): connections stay open, nothing answers."""

    @abstractmethod
    def resume(self) -> None:
        """End what `pause` began."""

    @abstractmethod
    def ctl(self, *args: str) -> str:
        """Run rabbitmqctl and return its standard output."""

    @abstractmethod
    def log(self) -> str:
        """Return the node's log."""

    @abstractmethod
    def running(self) -> bool:
        """Return whether the process is there (paused or not)."""

    @abstractmethod
    def close(self) -> None:
        """Take it away with its data."""

    def api(self, method: str, path: str, body: object = None) -> object:
        """Call the management API; `path` begins after `/api/`. Return the decoded answer, None if empty."""
        connection = http.client.HTTPConnection("127.0.0.1", self.management_port, timeout=30)
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        with contextlib.closing(connection):
            connection.request(method, f"/api/{path}", None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} /api/{path}: {response.status} {text.decode(errors='replace')}")
        return json.loads(text) if text else None

    @property
    def version(self) -> tuple[int, ...]:
        found = self.api("GET", "overview")
        assert isinstance(found, dict)
        return tuple(int(part) for part in found["rabbitmq_version"].split(".")[:3])

    def add_vhost(self, name: str) -> None:
        """Create an empty vhost in which the administrator may do everything."""
        vhost = quote(name, safe="")
        self.api("PUT", f"vhosts/{vhost}")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.api("PUT", f"permissions/{vhost}/{self.user}", everything)

    def delete_vhost(self, name: str) -> None:
        self.api("DELETE", f"vhosts/{quote(name, safe='')}")

    def ensure_running(self) -> None:
        """Make it serve again, whatever a test did to it; free of charge if nothing was done."""
        if self.paused:
            self.resume()
        if not self.running():
            self.start()

    def wait_until_serving(self) -> None:
        """Return once AMQP and the management API answer."""
        deadline = time.monotonic() + BOOT
        while not (self._amqp_answers() and self._api_answers()):
            if not self.running() or time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ did not start:\n{self.log()[-4000:]}")
            time.sleep(0.1)

    def _amqp_answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.amqp_port), timeout=5) as connection:
                connection.sendall(b"AMQP\0\0\x09\x01")
                return len(connection.recv(16)) > 0
        except OSError:
            return False

    def _api_answers(self) -> bool:
        try:
            self.api("GET", "whoami")
        except (OSError, http.client.HTTPException, RuntimeError):
            return False
        return True


class Node(RabbitNode):
    """A node of Debian's rabbitmq-server package."""

    def __init__(self) -> None:
        super().__init__()
        self._base = Path(tempfile.mkdtemp(prefix="rabbitmq-"))
        self._epmd_port = free_port()
        self._epmd: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = self._prepare()

    @staticmethod
    def installed() -> bool:
        return (SERVER / "rabbitmq-server").exists()

    def start(self) -> None:
        if self._epmd is None or self._epmd.poll() is not None:
            command = ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"]
            self._epmd = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with (self._base / "console").open("ab") as console:
            self._process = subprocess.Popen(
                [SERVER / "rabbitmq-server"],
                env=self._environment,
                cwd=self._base,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        self.wait_until_serving()

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)
        self._forget_name()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        self._signal(signal.SIGCONT)
        self.paused = False

    def ctl(self, *args: str) -> str:
        command = [str(SERVER / "rabbitmqctl"), *args]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {' '.join(args)}: {done.stdout}{done.stderr}")
        return done.stdout

    def log(self) -> str:
        files = [self._base / "console", *sorted((self._base / "log").glob("*.log"))]
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        if self.running():
            self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
        shutil.rmtree(self._base, ignore_errors=True)

    def _prepare(self) -> dict[str, str]:
        """Write the configuration and return the environment."""
        config = settings(
            default_user=self.user,
            default_pass=self.password,
            management__tcp__ip="127.0.0.1",
            management__tcp__port=self.management_port,
            prometheus__tcp__ip="127.0.0.1",
            prometheus__tcp__port=free_port(),
            disk_free_limit__absolute="50MB",
        )
        (self._base / "rabbitmq.conf").write_text(config)
        (self._base / "plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].")
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self._base),
            "RABBITMQ_NODENAME": f"{self._base.name.replace('_', '-')}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.amqp_port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._base / "data"),
            "RABBITMQ_LOG_BASE": str(self._base / "log"),
            "RABBITMQ_PID_FILE": str(self._base / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._base / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self._base / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self._base / "none"),
            "RABBITMQ_ALLOW_INPUT": "1",  # the script becomes the Erlang VM, so its pid is the one to signal,
            "RABBITMQ_SERVER_START_ARGS": "-noshell -noinput",  # and yet reads no input
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        if self.running():
            self._signal(number)
        if self.paused and number != signal.SIGKILL:
            self.resume()
        self.paused = False
        self._process.wait(BOOT)

    def _forget_name(self) -> None:
        """Wait until epmd has seen the node go: it refuses the name to a successor before that."""
        name = self._environment["RABBITMQ_NODENAME"].split("@")[0]
        environment = {**os.environ, "ERL_EPMD_PORT": str(self._epmd_port)}
        for _ in range(100):
            names = subprocess.run(["epmd", "-names"], env=environment, capture_output=True, text=True, check=False)
            if f"name {name} " not in names.stdout:
                return
            time.sleep(0.05)
