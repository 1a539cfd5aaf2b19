"""A compose project of its own for the tests: compose.yaml as shipped, plus the sink of override.yaml."""

import contextlib
import json
import os
import secrets
import smtplib
import socket
import subprocess
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[2]
TAG = f"test-{os.getpid()}"
IMAGES = [f"sluice-{name}:{TAG}" for name in ("all", "balancer", "ingress", "screener", "delivery")]
SERVICES = ("ingress", "screener", "delivery")


class Project:
    """One `docker compose` project under a name of its own, on ports that Docker chooses."""

    def __init__(self, sink: Path, **environment: str) -> None:
        self.name = f"sluice-test-{secrets.token_hex(4)}"
        self.sink = sink
        self._environment = os.environ | {"TAG": TAG, "SMTP_PORT": "0", "RABBITMQ_UI_PORT": "0", "SINK_DIR": str(sink)}
        self._environment |= environment

    def compose(self, *arguments: str, stdin: str | None = None, timeout: float = 240) -> str:
        """Run `docker compose` and return its standard output; AssertionError with both outputs if it fails."""
        files = ("-f", str(ROOT / "compose.yaml"), "-f", str(ROOT / "tests/compose/override.yaml"))
        done = subprocess.run(
            ["docker", "compose", "-p", self.name, *files, *arguments],
            input=stdin or "",
            capture_output=True,
            text=True,
            check=False,
            env=self._environment,
            timeout=timeout,
        )
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def up(self, *arguments: str) -> None:
        """Start what is not running, and return once every long-running container is healthy."""
        self.compose("up", "-d", *arguments)
        wait_for(self._healthy, timeout=120, pause=0.5)

    def down(self, *arguments: str) -> None:
        """Stop and remove the containers and networks; `-v` the volumes too."""
        self.compose("down", *arguments)

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's running containers."""
        return self.compose("ps", "-q", "--status", "running", service).split()

    def inspect(self, *containers: str) -> list[dict[str, Any]]:
        """Return what Docker knows of containers."""
        done = subprocess.run(["docker", "inspect", *containers], capture_output=True, check=True)
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def left_over(self) -> list[str]:
        """Return the containers, networks and volumes that still carry the project's label."""
        found = []
        for kind in (["container", "-a"], ["network"], ["volume"]):
            command = [
                "docker",
                kind[0],
                "ls",
                *kind[1:],
                "-q",
                "--filter",
                f"label=com.docker.compose.project={self.name}",
            ]
            found += subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        return found

    def _healthy(self) -> bool:
        running = [self.containers(service) for service in (*SERVICES, "balancer", "rabbitmq")]
        return all(running) and all(
            container["State"].get("Health", {}).get("Status") == "healthy"
            for container in self.inspect(*(one for containers in running for one in containers))
        )

    def port(self, service: str, inside: int) -> tuple[str, int]:
        """Return the address and port of the host under which a container's port is published."""
        host, _, port = self.compose("port", service, str(inside)).strip().rpartition(":")
        return host, int(port)

    def password(self, user: str) -> str:
        """Return a broker user's password, as the set-up made it."""
        return self.compose(
            "run", "--rm", "-T", "--no-deps", "--entrypoint", "cat", "cli", f"/run/sluice/{user}"
        ).strip()

    def api(self, path: str, password: str, body: dict[str, Any] | None = None) -> Any:
        """Ask RabbitMQ's HTTP API as the administrator; POST where there is a body."""
        host, port = self.port("rabbitmq", 15672)
        request = urllib.request.Request(
            f"http://{host}:{port}/api/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Basic " + b64encode(f"admin:{password}".encode()).decode(),
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def queue(self, name: str, password: str) -> dict[str, Any]:
        """Return one queue as RabbitMQ's HTTP API describes it."""
        found: dict[str, Any] = self.api(f"queues/%2F/{quote(name, safe='')}", password)
        return found

    def send(self, tokens: list[str]) -> None:
        """Send a message for each token from outside, on one connection; every one is answered 250."""
        host, port = self.port("balancer", 2525)
        with smtplib.SMTP(host, port, timeout=60) as client:
            for token in tokens:
                client.sendmail("ann@elsewhere.example", ["bob@example.org"], message(token))

    def arrived(self) -> set[str]:
        """Return the tokens of the messages that have reached the sink."""
        found = set()
        for path in self.sink.glob("[!.]*"):
            with contextlib.suppress(FileNotFoundError):
                found.add(str(message_from_bytes(path.read_bytes())["X-Token"]))
        return found


def message(token: str) -> bytes:
    """Return a message that carries `token`."""
    return (
        "From: Ann <ann@elsewhere.example>\r\nTo: Bob <bob@example.org>\r\n"
        f"Subject: compose {token}\r\nX-Token: {token}\r\n"
        "Date: Tue, 24 Nov 2026 04:00:00 +0000\r\n"
        f"Message-ID: <{token}@elsewhere.example>\r\n\r\nHello Bob.\r\n"
    ).encode()


def tokens(count: int) -> list[str]:
    """Return names for messages, new in every call."""
    batch = secrets.token_hex(4)
    return [f"{batch}-{number}" for number in range(count)]


@contextlib.contextmanager
def project(sink: Path, **environment: str) -> Iterator[Project]:
    """Yield a project that is gone afterwards, volumes included."""
    sink.mkdir()
    sink.chmod(0o777)  # the sink's container runs as another user
    made = Project(sink, **environment)
    try:
        yield made
    finally:
        made.down("-v", "--remove-orphans")


def refuses_connections(address: str, port: int) -> bool:
    """Return whether nothing answers at an address of this machine."""
    with socket.socket() as client:
        client.settimeout(5)
        return client.connect_ex((address, port)) != 0
