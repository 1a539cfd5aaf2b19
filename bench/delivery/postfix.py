"""Debian's Postfix with its defaults: it takes the mail and holds it, then is told to send it."""

import smtplib
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.delivery.names import address, domain
from bench.delivery.neighbours import Mail, Neighbours
from bench.relay.load import descendants
from bench.relay.postfix import set_up
from tests.support.ports import free_port

SETTINGS = """\
transport_maps = texthash:{etc}/transport
smtpd_client_restrictions = check_client_access static:HOLD
"""
"""Where each domain's server is: its resolver is the system's, and not ours to set."""

CLIENTS = 10


class Postfix:
    """A private instance."""

    name = "Postfix"

    def __init__(self, directory: Path, options: Mapping[str, Any]) -> None:
        self._directory = directory
        self._etc = directory / "etc"
        self._port = free_port()
        self._options = options

    def set_up(self) -> None:
        """Write the configuration and start the master."""
        options = "".join(f"{key} = {value}\n" for key, value in self._options.items())
        set_up(self._directory, self._port, SETTINGS.format(etc=self._etc) + options)
        (self._etc / "transport").touch()
        self._run("postfix", "start")

    def fill(self, mail: Sequence[Mail], neighbours: Neighbours) -> None:
        """Hand it the mail, which it may not send yet."""
        hosts = {each.recipient.partition("@")[2] for each in mail}
        where = {domain(number): address(number) for number in range(len(hosts))}
        (self._etc / "transport").write_text(self.route(where, neighbours.port))
        self._run("postfix", "reload")
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(self._send, [mail[number::CLIENTS] for number in range(CLIENTS)]))

    def _send(self, mail: Sequence[Mail]) -> None:
        with smtplib.SMTP("127.0.0.1", self._port, "load.bench.example", 60) as client:
            for each in mail:
                client.sendmail("list@bench.example", [each.recipient], each.content)

    def route(self, hosts: Mapping[str, str], port: int) -> str:
        """Return the transport map: domain by domain to where `hosts` says."""
        return "".join(f"{name} smtp:[{host}]:{port}\n" for name, host in hosts.items())

    def release(self) -> None:
        """Let it send."""
        self._run("postsuper", "-H", "ALL")
        self._run("postqueue", "-f")

    def roots(self) -> list[int]:
        """Return the process ids of the master and whatever it started."""
        return descendants([int((self._directory / "spool/pid/master.pid").read_text())])

    def broker_roots(self) -> list[int]:
        """It has none."""
        return []

    def settled(self) -> None:
        """Do nothing: it has removed what the servers have taken."""

    def tear_down(self) -> None:
        """Stop the master and everything it started."""
        self._run("postfix", "stop")

    def _run(self, program: str, *args: str) -> None:
        subprocess.run([program, "-c", str(self._etc), *args], check=True, capture_output=True)


class ThroughOneHop(Postfix):
    """The same with all domains behind one next hop, as behind a `relayhost`: one destination to it, 20 at a time."""

    name = "Postfix, one next hop"

    def route(self, hosts: Mapping[str, str], port: int) -> str:
        """Return the transport map: everything to the first host."""
        return f"* smtp:[{next(iter(hosts.values()))}]:{port}\n"
