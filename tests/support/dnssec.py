"""A zone that BIND signs and serves, behind an unbound that validates: both from Debian, private, without the network.

    with Dnssec({"example.net": {"MX": ["10 mx.example.net."]}, "mx.example.net": {"A": ["127.0.0.2"]}}) as dns:
        config = ...nameservers=(dns.address,)

Names at or below one of `signed` are in a zone of that name whose DS record unbound trusts. All others are in zones
without signatures, of the last two labels of their names: what they say is insecure. `forged` are records as a liar
on the way would put them in the place of signed ones: unbound answers SERVFAIL.
"""

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import dns.exception
import dns.message
import dns.query
import dns.rcode

from tests.support.dns_server import Zone
from tests.support.ports import free_port
from tests.support.programs import needed
from tests.support.waiting import wait_for

SOA = "ns.invalid. hostmaster.invalid. 1 3600 600 86400 60"

_NAMED = """
options {{
    directory "{folder}"; pid-file none; session-keyfile none; lock-file none;
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; notify no; allow-transfer {{ none; }};
}};
controls {{ }};
"""
_UNBOUND = """
server:
    directory: "{folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    verbosity: 1
    num-threads: 1
    interface: 127.0.0.1
    port: {port}
    access-control: 127.0.0.0/8 allow
    do-ip6: no
    do-not-query-localhost: no
    module-config: "validator iterator"
    val-log-level: 2
    local-zone: "test." nodefault
    local-zone: "invalid." nodefault
{anchors}
remote-control:
    control-enable: no
"""
_STUB = 'stub-zone:\n    name: "{zone}"\n    stub-addr: 127.0.0.1@{port}\n'


class Dnssec:
    """Use as a context manager; the records do not change while it runs."""

    def __init__(self, records: Zone, *, signed: Iterable[str] = ("example.net",), forged: Zone | None = None) -> None:
        for program, package in (("named", "bind9"), ("dnssec-signzone", "bind9-utils"), ("unbound", "unbound")):
            needed(program, package)
        self.address = ""
        self._signed = tuple(signed)
        self._zones: dict[str, Zone] = {zone: {zone: {}} for zone in self._signed}
        for name, types in records.items():
            zone = self._zone_of(name)
            self._zones.setdefault(zone, {zone: {}})[name] = types
        self._forged = forged or {}
        self._temporary = tempfile.TemporaryDirectory(prefix="dnssec-")
        self._folder = Path(self._temporary.name)
        self._processes: list[subprocess.Popen[bytes]] = []

    def _zone_of(self, name: str) -> str:
        signed = [zone for zone in self._signed if name == zone or name.endswith(f".{zone}")]
        return max(signed, key=len, default=".".join(name.split(".")[-2:]))

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._temporary.cleanup()

    def _start(self) -> None:
        authority, resolver = free_port(), free_port()
        config = _NAMED.format(folder=self._folder, port=authority)
        anchors, stubs = [], [_STUB.format(zone=".", port=authority)]
        for zone, records in self._zones.items():
            file = self._folder / f"{zone}.zone"
            file.write_text(self._text(zone, records))
            if zone in self._signed:
                anchors += [f'    trust-anchor: "{record}"\n' for record in self._sign(zone, file)]
            config += f'zone "{zone}" {{ type primary; file "{file}"; }};\n'
            stubs.append(_STUB.format(zone=zone, port=authority))
        (self._folder / "named.conf").write_text(config)
        text = _UNBOUND.format(folder=self._folder, port=resolver, anchors="".join(anchors)) + "".join(stubs)
        (self._folder / "unbound.conf").write_text(text)
        self._run("named", "-g", "-n", "1", "-c", f"{self._folder}/named.conf", port=authority)
        self._run("unbound", "-d", "-p", "-c", f"{self._folder}/unbound.conf", port=resolver)
        self.address = f"127.0.0.1:{resolver}"

    def _text(self, zone: str, records: Zone) -> str:
        lines = [f"{zone}. 60 IN SOA {SOA}", f"{zone}. 60 IN NS ns.invalid."]
        for name, types in records.items():
            lines += [f"{name}. 60 IN {kind} {text}" for kind, texts in types.items() for text in texts]
        return "\n".join(lines) + "\n"

    def _sign(self, zone: str, file: Path) -> list[str]:
        """Sign a zone's file and return its DS records; then put in what is forged."""
        self._do("dnssec-keygen", "-q", "-K", str(self._folder), "-a", "ECDSAP256SHA256", "-f", "KSK", zone)
        options = ("-q", "-S", "-z", "-O", "full", "-K", str(self._folder), "-d", str(self._folder))
        self._do("dnssec-signzone", *options, "-o", zone, "-f", str(file), str(file))
        lines = file.read_text().splitlines()
        for name, types in self._forged.items():
            for kind, texts in types.items():
                true = [line for line in lines if line.split()[:1] + line.split()[3:4] == [f"{name}.", kind]]
                lines = [line for line in lines if line not in true] + [
                    f"{name}. 60 IN {kind} {text}" for text in texts
                ]
        file.write_text("\n".join(lines) + "\n")
        return (self._folder / f"dsset-{zone}.").read_text().splitlines()

    def _do(self, *command: str) -> None:
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)

    def _run(self, *command: str, port: int) -> None:
        """Start a server and return once it answers."""
        log = self._folder / f"{command[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self._processes.append(process)
        question = dns.message.make_query(f"{next(iter(self._zones))}.", "SOA")

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return dns.query.udp(question, "127.0.0.1", 1, port).rcode() == dns.rcode.NOERROR
            except (OSError, dns.exception.DNSException):
                return False

        try:
            wait_for(answers)
        except AssertionError as error:
            raise AssertionError(log.read_text()) from error
