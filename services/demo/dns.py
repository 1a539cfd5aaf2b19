"""The demonstration's DNS: a zone in a dictionary, answered over UDP on a loopback port."""

import socketserver
import threading
from collections.abc import Mapping
from typing import Self

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], str]
"""(name, type) -> record data. A name of which no type is listed does not exist (NXDOMAIN)."""


def respond(zone: Zone, wire: bytes) -> bytes:
    """Return the answer to one question."""
    query = dns.message.from_wire(wire)
    response = dns.message.make_response(query)
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    kind = dns.rdatatype.to_text(question.rdtype)
    if not any(listed == name for listed, _ in zone):
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif (name, kind) in zone:
        response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, zone[name, kind]))
    return response.to_wire()


class _Handler(socketserver.BaseRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        wire, reply_to = self.request
        reply_to.sendto(respond(self.server.zone, wire), self.client_address)


class _Server(socketserver.ThreadingUDPServer):
    daemon_threads = True

    def __init__(self, zone: Zone) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.zone = zone


class DnsServer:
    """Runs in a thread while the context is open."""

    def __init__(self, zone: Zone) -> None:
        self._server = _Server(zone)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
