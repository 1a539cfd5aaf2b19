"""A real clamd with one signature of our own: it finds EICAR, and needs no network."""

import socket
import subprocess
import time
from pathlib import Path

from tests.support.ports import free_port
from tests.support.programs import needed

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
STREAM_MAX = 2 * 1024 * 1024
"""Octets that it takes in one stream."""


class RealClamd:
    """One process, started and stopped as a test likes; its addresses stay."""

    def __init__(self, folder: Path) -> None:
        needed("clamd", "clamav-daemon")
        self.port = free_port()
        self.folder = folder
        self.socket = folder / "clamd.sock"
        self._process: subprocess.Popen[bytes] | None = None
        database = folder / "db"
        database.mkdir()
        (database / "own.ndb").write_text(f"Own.Eicar:0:*:{EICAR.hex()}\n")
        self._config = folder / "clamd.conf"
        self._config.write_text(
            f"Foreground yes\nDatabaseDirectory {database}\nTemporaryDirectory {folder}\nLocalSocket {self.socket}\n"
            f"TCPAddr 127.0.0.1\nTCPSocket {self.port}\nFixStaleSocket yes\nAlertExceedsMax yes\nAlertEncrypted yes\n"
            f"StreamMaxLength {STREAM_MAX}\nMaxFileSize 1M\nMaxScanSize 1500K\nMaxThreads 4\n"
        )

    @property
    def tcp(self) -> str:
        return f"clamd://127.0.0.1:{self.port}"

    @property
    def unix(self) -> str:
        return f"clamd://{self.socket}"

    def start(self) -> None:
        """Start it; return when it answers."""
        with (self.folder / "clamd.log").open("ab") as log:
            self._process = subprocess.Popen(["clamd", "--config-file", str(self._config)], stdout=log, stderr=log)
        for _ in range(1200):
            assert self._process.poll() is None, (self.folder / "clamd.log").read_text()
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                    connection.sendall(b"zPING\0")
                    if connection.recv(10).startswith(b"PONG"):
                        return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("clamd does not answer")

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
