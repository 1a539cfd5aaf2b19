"""The header in which a balancer says who its client is: PROXY protocol, version 1 and 2. No I/O.

Written after proxy-protocol.txt of HAProxy. Version 1 is a line of text, at most 107 octets; version 2 is binary:
twelve octets of signature, version and command, family and transport, a length, the addresses, and TLVs.
"""

import ipaddress
import re
from typing import NamedTuple

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
"""Of version 2. To an SMTP server that expects no header it reads as two empty lines, a broken one and QUIT."""
TEXT_LIMIT = 107
"""Octets of a version 1 header with its CRLF."""

_TEXT = b"PROXY "
_FIXED = 16
"""Octets of a version 2 header before its addresses."""
_PORT = re.compile(r"0|[1-9][0-9]{0,4}")
_LOCAL, _PROXY = 0x20, 0x21
_UNSPECIFIED, _TCP4, _TCP6, _UNIX = 0x00, 0x11, 0x21, 0x31
_ADDRESSES = {_TCP4: 12, _TCP6: 36, _UNIX: 216}
"""Octets of source and destination together."""


class Header(NamedTuple):
    """A whole header. `client` is None where the balancer speaks for itself (LOCAL) or names no IP address."""

    client: str | None


class Wanted(NamedTuple):
    """No whole header yet: so many octets may be read without taking any of what follows it."""

    octets: int


class Malformed(NamedTuple):
    """No header, and none whatever follows."""

    reason: str


def parse_header(octets: bytes) -> Header | Wanted | Malformed:
    """Read what a balancer has sent so far: at first nothing, then never more than was wanted."""
    if octets.startswith(SIGNATURE):
        return _parse_binary(octets)
    if octets.startswith(_TEXT):
        return _parse_text(octets)
    if SIGNATURE.startswith(octets) or _TEXT.startswith(octets):
        return Wanted(len(SIGNATURE) - len(octets))
    return Malformed("no PROXY header")


def _parse_text(octets: bytes) -> Header | Wanted | Malformed:
    """Read version 1; its end is known only by the CRLF, so it is read by one or two octets."""
    line, crlf, _ = octets.partition(b"\r\n")
    half_end = not crlf and line.endswith(b"\r")
    line = line[:-1] if half_end else line
    if len(line) + 2 > TEXT_LIMIT:
        return Malformed("version 1 header too long")
    if b"\r" in line or b"\n" in line:
        return Malformed("bare CR or LF in a version 1 header")
    if not crlf:
        return Wanted(1 if half_end else 2)
    words = line.decode("latin-1").split(" ")
    match words[1:]:
        case ["UNKNOWN", *_]:
            return Header(None)
        case ["TCP4" | "TCP6" as family, source, destination, *ports] if len(ports) == 2:
            version = int(family[-1])
            good = _is_address(source, version) and _is_address(destination, version) and all(map(_is_port, ports))
            return Header(source) if good else Malformed("version 1 header with a bad address or port")
    return Malformed("version 1 header of unknown form")


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version and "%" not in text
    except ValueError:
        return False


def _is_port(text: str) -> bool:
    return _PORT.fullmatch(text) is not None and int(text) <= 65535


def _parse_binary(octets: bytes) -> Header | Wanted | Malformed:
    """Read version 2."""
    if len(octets) < _FIXED:
        return Wanted(_FIXED - len(octets))
    command, family = octets[12], octets[13]
    if command not in {_LOCAL, _PROXY}:
        return Malformed("version 2 header with an unknown version or command")
    length = int.from_bytes(octets[14:16])
    block = octets[_FIXED:]
    if len(block) < length:
        return Wanted(length - len(block))
    # Of LOCAL the receiver discards the block, whatever it is.
    return Header(None) if command == _LOCAL or family == _UNSPECIFIED else _parse_block(family, block[:length])


def _parse_block(family: int, block: bytes) -> Header | Malformed:
    """Read version 2's addresses: source, destination, source port, destination port."""
    needed = _ADDRESSES.get(family)
    if needed is None:
        return Malformed("version 2 header of an unknown family or transport")
    if len(block) < needed or not _are_tlvs(block[needed:]):
        return Malformed("version 2 header with a bad length")
    return Header(None if family == _UNIX else str(ipaddress.ip_address(block[: (needed - 4) // 2])))


def _are_tlvs(octets: bytes) -> bool:
    """Return whether octets are nothing but TLVs: type, length of two octets, value. What they say is not used."""
    at = 0
    while at + 3 <= len(octets):
        at += 3 + int.from_bytes(octets[at + 1 : at + 3])
    return at == len(octets)
