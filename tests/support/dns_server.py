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
import time
from collections import Counter
from enum import StrEnum
from typing import Any, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

LATE_SECONDS = 1.5

Zone = dict[str, dict[str, list[str]]]
"""Name without trailing dot -> type -> records in zone file form. A name that is absent is NXDOMAIN, a type NODATA.

A record in the form of RFC 3597, `\\# 2 0a0b`, is sent as these octets, whatever its type."""


class Fault(StrEnum):
    """What goes wrong with the questions about a name."""

    SERVFAIL = "servfail"
    REFUSED = "refused"
    NXDOMAIN = "nxdomain"
    """As some that balance load say for types they know nothing of (RFC 4074 section 4.2)."""
    SILENT = "silent"
    """No answer over UDP or TCP."""
    TRUNCATED = "truncated"
    """TC over UDP, the whole answer over TCP."""
    GARBAGE = "garbage"
    """Octets that are no DNS message."""
    STRAY = "stray"
    """Over UDP garbage, an answer with a wrong id and one to another question come before the right one."""
    LATE = "late"
    """An answer after `LATE_SECONDS`."""
    CUT = "cut"
    """TC over UDP; over TCP half the answer and the end."""
    HALF = "half"
    """TC over UDP; over TCP half the answer and silence."""
    CLOSED = "closed"
    """TC over UDP; over TCP the end."""
    CROSSED = "crossed"
    """TC over UDP; over TCP an answer with a wrong id."""
    ALWAYS_TRUNCATED = "always truncated"
    """TC and nothing else over UDP and TCP."""
    REFERRAL = "referral"
    """The name servers of the zone, as one says that looks nothing up."""
    OTHER_NAME = "other name"
    """The records, but of another name."""


class DnsServer:
    """Answers from `zone`; `seen` counts questions by (name, type, transport)."""

    def __init__(self, zone: Zone | None = None, port: int = 0) -> None:
        self.zone: Zone = zone if zone is not None else {}
        self.seen: Counter[tuple[str, str, str]] = Counter()
        self.ttl = 60
        self.vouched: set[str] = set()
        """Names whose records it calls validated (AD), as a validating resolver would; "*" is all of them."""
        self._faults: dict[tuple[str, str | None], tuple[Fault, int | None]] = {}
        self._lock = threading.Lock()
        self._udp, self._tcp = _bind(self, port)
        self.port: int = self._udp.server_address[1]
        self.address = f"127.0.0.1:{self.port}"

    def fail(self, name: str, fault: Fault, times: int | None = None, *, kind: str | None = None) -> None:
        """Spoil the next `times` answers about `name` (None: all of them), those of one type or of every type."""
        self._faults[name.lower(), kind] = (fault, times)

    def heal(self, name: str) -> None:
        """Answer properly again."""
        self._faults = {key: fault for key, fault in self._faults.items() if key[0] != name.lower()}

    def asked(self, name: str, kind: str | None = None, transport: str | None = None) -> int:
        """Return how often `name` was asked for."""
        with self._lock:
            return sum(
                count
                for (n, k, t), count in self.seen.items()
                if n == name and kind in {None, k} and transport in {None, t}
            )

    def respond(self, wire: bytes, transport: str) -> list[bytes | None]:
        """Return what to send upon one question; over TCP with its length in front, and None for the end."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return []
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        with self._lock:
            self.seen[name, kind, transport] += 1
            fault = self._take_fault(name, kind)
        if fault is Fault.SILENT:
            return []
        if fault is Fault.GARBAGE:
            return [_framed(wire[:2] + b"\xff\xff not DNS", transport)]
        if fault is Fault.LATE:
            time.sleep(LATE_SECONDS)
        response = dns.message.make_response(query)
        if fault in {Fault.SERVFAIL, Fault.REFUSED, Fault.NXDOMAIN}:
            response.set_rcode(dns.rcode.from_text(fault.value.upper()))
        elif fault is Fault.ALWAYS_TRUNCATED or (fault in _TRUNCATING and transport == "udp"):
            response.flags |= dns.flags.TC
        elif fault is Fault.REFERRAL:
            response.authority.append(dns.rrset.from_text(question.name, self.ttl, "IN", "NS", "ns.example."))
        else:
            self._answer(response, name, kind)
        if fault is Fault.OTHER_NAME:
            response.answer = [_renamed(rrset) for rrset in response.answer]
        if transport == "udp":
            answer = _datagram(response, query)
            return [b"garbage", *_forged(query), answer] if fault is Fault.STRAY else [answer]
        answer = _framed(response.to_wire(max_size=65535), transport)
        half = answer[: len(answer) // 2]
        cut: dict[Fault | None, list[bytes | None]] = {
            Fault.CUT: [half, None],
            Fault.HALF: [half],
            Fault.CLOSED: [None],
            Fault.CROSSED: [_framed(_forged(query)[0], transport)],
        }
        return cut.get(fault, [answer])

    def _take_fault(self, name: str, kind: str) -> Fault | None:
        key = (name, kind) if (name, kind) in self._faults else (name, None)
        fault, left = self._faults.get(key, (None, None))
        if fault is not None and left is not None:
            if left <= 1:
                del self._faults[key]
            else:
                self._faults[key] = (fault, left - 1)
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
            response.answer.append(_rrset(name, self.ttl, found, records[found]))
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


def _rrset(name: str, ttl: int, kind: str, records: list[str]) -> dns.rrset.RRset:
    """Return records, those with octets of their own among them in their places."""
    rrset = dns.rrset.RRset(dns.name.from_text(name), dns.rdataclass.IN, dns.rdatatype.from_text(kind))
    for text in records:
        if text.startswith("\\# "):
            octets = bytes.fromhex("".join(text.split()[2:]))
            rrset.add(dns.rdata.GenericRdata(rrset.rdclass, rrset.rdtype, octets), ttl)
        else:
            rrset.add(dns.rdata.from_text("IN", kind, text), ttl)
    return rrset


def _renamed(rrset: dns.rrset.RRset) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(dns.name.from_text("other.example"), rrset.ttl, list(rrset))


_TRUNCATING = {Fault.TRUNCATED, Fault.CUT, Fault.HALF, Fault.CLOSED, Fault.CROSSED}


def _framed(answer: bytes, transport: str) -> bytes:
    return struct.pack("!H", len(answer)) + answer if transport == "tcp" else answer


def _datagram(response: dns.message.Message, query: dns.message.Message) -> bytes:
    """Return the answer, or without room for it an empty one with TC (RFC 2181 section 9)."""
    try:
        return response.to_wire(max_size=max(query.payload, 512))
    except dns.exception.TooBig:
        truncated = dns.message.make_response(query)
        truncated.flags |= dns.flags.TC
        return truncated.to_wire()


def _forged(query: dns.message.Message) -> tuple[bytes, bytes]:
    """Return a lie with a wrong id, and one with the right id to another question."""
    lies = []
    for name, number in ((query.question[0].name, query.id ^ 0xFF), (dns.name.from_text("forged.example"), query.id)):
        response = dns.message.make_response(dns.message.make_query(name, "MX", id=number))
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "MX", "1 forged.example."))
        lies.append(response.to_wire())
    return lies[0], lies[1]


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
        for answer in self.server.owner.respond(wire, "udp"):
            with contextlib.suppress(OSError):
                reply_to.sendto(answer, self.client_address)


class _TcpHandler(socketserver.StreamRequestHandler):
    server: _Tcp
    timeout = 30

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while len(head := self.rfile.read(2)) == 2:
                answers = self.server.owner.respond(self.rfile.read(struct.unpack("!H", head)[0]), "tcp")
                for answer in answers:
                    if answer is None:
                        return
                    self.wfile.write(answer)


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
