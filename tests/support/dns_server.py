"""A real DNS server on 127.0.0.1, UDP and TCP on one port, whose zone and faults a test sets and changes.

    with DnsServer({"example.org": {"MX": ["10 mx.example.org."]}, "mx.example.org": {"A": ["127.0.0.1"]}}) as dns:
        config = ...nameservers=(dns.address,)

Runs in threads, so it serves tests with and without an event loop, and processes they start.
"""

import contextlib
import socket
import socketserver
import struct
import threading
from collections import Counter
from enum import StrEnum
from typing import Any, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = dict[str, dict[str, list[str]]]
"""Name without trailing dot -> type -> records in zone file form. A name that is absent is NXDOMAIN, a type NODATA."""


class Fault(StrEnum):
    """What goes wrong with the questions about a name."""

    SERVFAIL = "servfail"
    REFUSED = "refused"
    SILENT = "silent"
    """No answer over UDP or TCP."""
    TRUNCATED = "truncated"
    """TC over UDP, the whole answer over TCP."""
    GARBAGE = "garbage"
    """Octets that are no DNS message."""


class DnsServer:
    """Answers from `zone`; `seen` counts questions by (name, type, transport)."""

    def __init__(self, zone: Zone | None = None, port: int = 0) -> None:
        self.zone: Zone = zone if zone is not None else {}
        self.seen: Counter[tuple[str, str, str]] = Counter()
        self.ttl = 60
        self.vouched: set[str] = set()
        """Names whose records it calls validated (AD), as a validating resolver would; "*" is all of them."""
        self._faults: dict[str, tuple[Fault, int | None]] = {}
        self._lock = threading.Lock()
        self._udp, self._tcp = _bind(self, port)
        self.port: int = self._udp.server_address[1]
        self.address = f"127.0.0.1:{self.port}"

    def fail(self, name: str, fault: Fault, times: int | None = None) -> None:
        """Spoil the next `times` answers about `name` (None: all of them)."""
        self._faults[name.lower()] = (fault, times)

    def heal(self, name: str) -> None:
        """Answer properly again."""
        self._faults.pop(name.lower(), None)

    def asked(self, name: str, kind: str | None = None, transport: str | None = None) -> int:
        """Return how often `name` was asked for."""
        with self._lock:
            return sum(
                count
                for (n, k, t), count in self.seen.items()
                if n == name and kind in {None, k} and transport in {None, t}
            )

    def respond(self, wire: bytes, transport: str) -> bytes | None:
        """Return the answer to one question, or None for silence."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        with self._lock:
            self.seen[name, kind, transport] += 1
            fault = self._take_fault(name)
        if fault is Fault.SILENT:
            return None
        if fault is Fault.GARBAGE:
            return wire[:2] + b"\xff\xff not DNS"
        response = dns.message.make_response(query)
        if fault in {Fault.SERVFAIL, Fault.REFUSED}:
            response.set_rcode(dns.rcode.from_text(fault.value.upper()))
        elif fault is Fault.TRUNCATED and transport == "udp":
            response.flags |= dns.flags.TC
        else:
            self._answer(response, name, kind)
        return response.to_wire(max_size=65535)

    def _take_fault(self, name: str) -> Fault | None:
        fault, left = self._faults.get(name, (None, None))
        if fault is not None and left is not None:
            if left <= 1:
                del self._faults[name]
            else:
                self._faults[name] = (fault, left - 1)
        return fault

    def _answer(self, response: dns.message.Message, name: str, kind: str) -> None:
        names = set()
        for _ in range(8):  # CNAME chains
            names.add(name)
            records = self.zone.get(name)
            found = kind if records and kind in records else "CNAME" if records and "CNAME" in records else None
            if records is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
            if records is None or found is None or not records[found]:
                self._deny(response, name)
                break
            response.answer.append(dns.rrset.from_text(name + ".", self.ttl, "IN", found, *records[found]))
            if found == kind:
                break
            name = records["CNAME"][0].rstrip(".").lower()
        if "*" in self.vouched or names <= self.vouched:
            response.flags |= dns.flags.AD

    def _deny(self, response: dns.message.Message, name: str) -> None:
        """Add the SOA record of the zone, if there is one (RFC 2308 section 2)."""
        labels = name.split(".")
        for zone in (".".join(labels[at:]) for at in range(len(labels))):
            if records := self.zone.get(zone, {}).get("SOA"):
                response.authority.append(dns.rrset.from_text(zone + ".", self.ttl, "IN", "SOA", *records))
                return

    def __enter__(self) -> Self:
        for server in (self._udp, self._tcp):
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    owner: DnsServer


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    owner: DnsServer


class _UdpHandler(socketserver.BaseRequestHandler):
    server: _Udp

    def handle(self) -> None:
        wire: bytes
        reply_to: Any
        wire, reply_to = self.request
        answer = self.server.owner.respond(wire, "udp")
        if answer is not None:
            with contextlib.suppress(OSError):
                reply_to.sendto(answer, self.client_address)


class _TcpHandler(socketserver.StreamRequestHandler):
    server: _Tcp
    timeout = 30

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while len(head := self.rfile.read(2)) == 2:
                answer = self.server.owner.respond(self.rfile.read(struct.unpack("!H", head)[0]), "tcp")
                if answer is None:
                    self.rfile.read(1)  # silence until the client gives up
                    return
                self.wfile.write(struct.pack("!H", len(answer)) + answer)


def _bind(owner: DnsServer, port: int) -> tuple[_Udp, _Tcp]:
    for _ in range(50):
        udp = _Udp(("127.0.0.1", port), _UdpHandler)
        try:
            tcp = _Tcp(("127.0.0.1", udp.server_address[1]), _TcpHandler)
        except OSError:
            udp.server_close()
            if port:
                raise
            continue
        udp.owner = tcp.owner = owner
        udp.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return udp, tcp
    raise OSError("no port is free for UDP and TCP alike")
