"""Debian's Postfix as the peer: a private instance in a directory of its own that relays everything to the sink."""

import re
import shutil
import subprocess
from pathlib import Path

MAIN = """\
compatibility_level = 3.6
queue_directory = {directory}/spool
data_directory = {directory}/lib
maillog_file = {directory}/log/mail.log
maillog_file_prefixes = {directory}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.bench.example
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
"""
"""Only where things are, and who may send; the rest is Postfix's default."""


def set_up(directory: Path, port: int, settings: str) -> Path:
    """Write the configuration of an instance that listens on `port`; return its folder, for `postfix -c`."""
    for name in ("etc", "spool", "lib", "log"):
        (directory / name).mkdir(parents=True)
    for name in ("lib", "log"):
        shutil.chown(directory / name, "postfix")
    etc = directory / "etc"
    (etc / "main.cf").write_text(MAIN.format(directory=directory) + settings)
    shipped = Path("/etc/postfix/master.cf.proto").read_text()
    services = re.sub(r"^smtp +inet .*$", f"{port} inet n - n - - smtpd", shipped, flags=re.MULTILINE)
    services = re.sub(r"^(\S+ +\S+ +\S+ +\S+ +)y", r"\1n", services, flags=re.MULTILINE)  # no chroot
    (etc / "master.cf").write_text(services)
    return etc


class Postfix:
    """Everything else is Postfix's default: one fsynced queue file a message, 20 deliveries at a time."""

    name = "Postfix"

    def __init__(self, directory: Path, port: int, sink_port: int, settings: str = "") -> None:
        self.port = port
        self.sink_port = sink_port
        self._directory = directory
        self._etc = directory / "etc"
        self._settings = settings

    def start(self) -> None:
        """Write the configuration and start the master."""
        set_up(self._directory, self.port, f"relayhost = [127.0.0.1]:{self.sink_port}\n{self._settings}")
        self._control("start")

    def stop(self) -> None:
        """Stop the master and everything it started."""
        self._control("stop")

    def roots(self) -> tuple[list[int], list[int]]:
        """Return the master's process id; it has no broker."""
        return [int((self._directory / "spool/pid/master.pid").read_text())], []

    def version(self) -> str:
        """Return such as `3.7.11`."""
        shown = subprocess.run(["postconf", "-h", "-d", "mail_version"], check=True, capture_output=True, text=True)
        return shown.stdout.strip()

    def _control(self, verb: str) -> None:
        subprocess.run(["postfix", "-c", str(self._etc), verb], check=True, capture_output=True)
