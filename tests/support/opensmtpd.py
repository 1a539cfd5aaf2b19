"""Debian's OpenSMTPD as a next hop, in a root directory of its own (scripts/opensmtpd): it sends all to one server."""

import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import pytest

from tests.support.ports import free_port
from tests.support.processes import ROOT
from tests.support.waiting import wait_for

UNPACKED = ROOT / ".state/opensmtpd"
USERS = {"root": 0, "opensmtpd": 990, "opensmtpq": 991, "nobody": 65534}
PATIENCE = 30.0

CONFIG = """\
pki {name} cert "/etc/certificate.pem"
pki {name} key "/etc/key.pem"
table later file:/etc/later
table never file:/etc/never
filter later phase rcpt-to match rcpt-to <later> reject "450 4.2.0 greylisted, come again"
filter never phase rcpt-to match rcpt-to <never> reject "550 5.1.1 no such user here"
filter both chain {{ later, never }}
smtp max-message-size "{size}"
listen on 127.0.0.1 port {port} tls pki {name} hostname {name} filter both
action "on" relay host "smtp://127.0.0.1:{relay}"
match from any for any action "on"
"""


class Opensmtpd:
    """Use as a context manager. `certificate` is a folder with certificate.pem and key.pem.

    Recipients whose address begins with `later` are greylisted for ever, those with `never` do not exist.
    """

    def __init__(self, relay: int, name: str, certificate: Path, size: int) -> None:
        self.port = free_port()
        self._temporary = tempfile.TemporaryDirectory(prefix="opensmtpd-")
        self._root = Path(self._temporary.name) / "root"
        self._certificate = certificate
        self._config = CONFIG.format(relay=relay, name=name, port=self.port, size=size)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        shutil.copytree(UNPACKED / "root", self._root, symlinks=True)
        for name in ("var/run", "var/spool", "dev", "tmp"):
            (self._root / name).mkdir(parents=True, exist_ok=True)
        os.mknod(self._root / "dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        etc = self._root / "etc"
        (etc / "passwd").write_text("".join(f"{user}:x:{uid}:{uid}::/:/bin/false\n" for user, uid in USERS.items()))
        (etc / "group").write_text("".join(f"{user}:x:{uid}:\n" for user, uid in USERS.items()))
        (etc / "hosts").write_text("127.0.0.1 localhost\n")
        (etc / "later").write_text("later@example.net\n")
        (etc / "never").write_text("never@example.net\n")
        (etc / "smtpd.conf").write_text(self._config)
        for name in ("certificate.pem", "key.pem"):
            shutil.copy(self._certificate / name, etc)
        (etc / "key.pem").chmod(0o600)
        with (self._root / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["chroot", str(self._root), "/usr/sbin/smtpd", "-dv"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for(lambda: "smtpd: setup done" in self.log() or not self._runs, PATIENCE)
        assert self._runs, self.log()
        return self

    @property
    def speaks_tls(self) -> bool:
        """Whether its handshakes succeed: 6.8, Debian 12's, loses its key to OpenSSL 3 (its issues 1171 and 1239)."""
        version = re.search(r"OpenSMTPD (\d+)", self.log())
        return version is not None and int(version[1]) >= 7

    @property
    def _runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)
        self._temporary.cleanup()

    def log(self) -> str:
        """Return what it has logged."""
        return (self._root / "log").read_text("utf-8", "replace")


def opensmtpd_needed() -> None:
    """Skip the test where OpenSMTPD is not unpacked or cannot be started: it needs root for a root of its own."""
    if not (UNPACKED / "ready").exists():
        reason = "OpenSMTPD is not unpacked: scripts/opensmtpd"
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
    if os.geteuid() != 0:
        pytest.skip("OpenSMTPD can only be started by root")
