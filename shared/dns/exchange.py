"""One question and its answer, over UDP or TCP. A record that cannot be read costs nothing but itself."""

import asyncio
import socket
import struct

import dns.asyncbackend
import dns.exception
import dns.flags
import dns.inet
import dns.message
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.wire

_UNREADABLE = 65280
"""The first type of those for private use (RFC 6895 section 3.1): nobody asks for them."""
_LAST = 254


class NotRecursive(dns.exception.FormError):
    """The server sent us on to others, as one that looks nothing up for its clients does."""


def unreadable(kind: int) -> dns.rdatatype.RdataType:
    """Return the type that a record of type `kind` that cannot be read is given; those above 253 share one."""
    return dns.rdatatype.RdataType.make(_UNREADABLE + min(kind, _LAST))


def parse(wire: bytes) -> dns.message.Message:
    """Return a message with the records that can be read; the others have the type `unreadable` says, their octets raw.

    A zone may hold anything: RFC 7672 section 2.1 has a TLSA record of a wrong length be unusable, not all beside it.
    Raise DNSException if it is no message, Truncated if there is more.
    """
    try:
        return dns.message.from_wire(wire, raise_on_truncation=True)
    except dns.exception.FormError:
        return dns.message.from_wire(mended(wire), raise_on_truncation=True)


def mended(wire: bytes) -> bytes:
    """Return a message in which no record that cannot be read keeps its type; none is longer or shorter for it."""
    parser, result = dns.wire.Parser(wire), bytearray(wire)
    try:
        _, _, questions, *records = parser.get_struct("!HHHHHH")
        for _ in range(questions):
            parser.get_name(decompress=True)
            parser.get_struct("!HH")
        for _ in range(sum(records)):
            parser.get_name(decompress=True)
            at = parser.current
            kind, family, _, length = parser.get_struct("!HHIH")
            start = parser.current
            if kind != dns.rdatatype.OPT and not _reads(parser, kind, family, length):
                struct.pack_into("!H", result, at, unreadable(kind))
            parser.seek(start + length)
    except dns.exception.FormError:  # where one record ends and the next begins nobody can tell
        return wire
    return bytes(result)


def _reads(parser: dns.wire.Parser, kind: int, family: int, length: int) -> bool:
    try:
        with parser.restrict_to(length):
            dns.rdata.from_wire_parser(
                dns.rdataclass.RdataClass.make(family), dns.rdatatype.RdataType.make(kind), parser
            )
    except dns.exception.FormError:
        return False
    return True


def checked(answer: dns.message.Message) -> dns.message.Message:
    """Return the answer of a server that recurses.

    A referral to others (RFC 2308 section 2.2) says nothing about whether there are records.
    """
    if answer.rcode() == dns.rcode.NOERROR and not answer.answer and not answer.flags & dns.flags.AA:
        kinds = {rrset.rdtype for rrset in answer.authority}
        if dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds:
            raise NotRecursive
    return answer


async def over_udp(request: dns.message.Message, address: str, port: int, seconds: float) -> dns.message.Message:
    """Ask in a datagram; what is no answer to it is passed over, whoever sent it.

    Raise DNSException or OSError: Timeout without an answer, Truncated if it did not fit.
    """
    family = dns.inet.af_for_address(address)
    to = dns.inet.low_level_address_tuple((address, port), family)
    try:
        async with asyncio.timeout(seconds):
            backend = dns.asyncbackend.get_default_backend()
            async with await backend.make_socket(family, socket.SOCK_DGRAM) as sock:  # type: ignore[no-untyped-call]
                await sock.sendto(request.to_wire(), to, None)
                while True:
                    wire, sender = await sock.recvfrom(65535, None)
                    if _is_same(family, sender, to) and (answer := _answer(request, wire)):
                        return checked(answer)
    except TimeoutError as error:
        raise dns.exception.Timeout(timeout=seconds) from error  # type: ignore[no-untyped-call]


def _is_same(family: int, one: tuple[str, int], other: tuple[str, int]) -> bool:
    """Tell whether two ends are one; how an IPv6 address is written does not count."""
    addresses = {dns.inet.inet_pton(family, end[0].partition("%")[0]) for end in (one, other)}
    return len(addresses) == 1 and one[1] == other[1]


def _answer(request: dns.message.Message, wire: bytes) -> dns.message.Message | None:
    try:
        answer = parse(wire)
    except dns.message.Truncated as error:
        if request.is_response(error.message()):  # type: ignore[no-untyped-call]
            raise
        return None
    except dns.exception.DNSException:
        return None
    return answer if request.is_response(answer) else None


async def over_tcp(request: dns.message.Message, address: str, port: int, seconds: float) -> dns.message.Message:
    """Ask over a connection of its own. Raise DNSException, OSError or EOFError; Truncated even here, if TC is set."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                writer.write(request.to_wire(prepend_length=True))
                await writer.drain()
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = parse(await reader.readexactly(length))
            finally:
                writer.close()
    except TimeoutError as error:
        raise dns.exception.Timeout(timeout=seconds) from error  # type: ignore[no-untyped-call]
    if not request.is_response(answer):
        raise dns.query.BadResponse
    return checked(answer)
