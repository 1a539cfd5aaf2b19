"""HAProxy as a process: a balancer we did not write, in front of listeners on this machine."""

import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from tests.support.ports import free_port
from tests.support.waiting import wait_for

ADDRESS = "127.0.0.9"
"""From which it connects to the servers."""

_HEAD = """
global
    log stdout format raw local0 warning
    maxconn 500
defaults
    mode tcp
    log global
    balance roundrobin
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout check 2s
    retries 3
    option redispatch 1
"""


class Service(NamedTuple):
    """Servers behind one port, and how each is told who the client is: send-proxy-v2, send-proxy, or nothing."""

    servers: Sequence[int]
    option: str


class HAProxy:
    """Use as a context manager; `ports` are those of the services, in order."""

    def __init__(self, directory: Path, services: Sequence[Service]) -> None:
        self.ports = [free_port() for _ in services]
        self._file = directory / "haproxy.cfg"
        self._log = directory / "haproxy.log"
        self._process: subprocess.Popen[bytes]
        text = _HEAD
        for number, (port, service) in enumerate(zip(self.ports, services, strict=True)):
            text += f"listen service{number}\n    bind 127.0.0.1:{port}\n"
            for at, server in enumerate(service.servers):
                # Without a header a check is a connection like any other, and logged as such.
                check = "check inter 100ms fall 1 rise 1" if service.option else ""
                text += f"    server s{at} 127.0.0.1:{server} {service.option} source {ADDRESS} {check}\n"
        self._file.write_text(text)

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["haproxy", "-db", "-f", str(self._file)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for(
            lambda: _answers(self.ports[0]) or self._process.poll() is not None
        )  # it binds all before it serves one
        assert self._process.poll() is None, self.log()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(30)

    def log(self) -> str:
        """Return what it has printed: servers going up and down, above all."""
        return self._log.read_text()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(5)
        return client.connect_ex(("127.0.0.1", port)) == 0
