"""The PROXY protocol's header, versions 1 and 2: who the client is, and how much may be read to know."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress.protocol.proxy import SIGNATURE, Header, Malformed, Wanted, parse_header

LOCAL, PROXY = 0x20, 0x21
UNSPEC, TCP4, UDP4, TCP6, UDP6, UNIX = 0x00, 0x11, 0x12, 0x21, 0x22, 0x31


def binary(command: int, family: int, block: bytes, length: int | None = None) -> bytes:
    size = len(block) if length is None else length
    return SIGNATURE + bytes([command, family]) + size.to_bytes(2) + block


def pair(source: str, destination: str) -> bytes:
    both = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    return both + (40000).to_bytes(2) + (25).to_bytes(2)


FOUR = pair("198.51.100.7", "192.0.2.10")
SIX = pair("2001:db8::7", "2001:db8::25")
TLVS = b"\x02\x00\x05mx.ex" + b"\x04\x00\x00" + b"\x20\x00\x03abc"

GOOD = [
    (b"PROXY TCP4 198.51.100.7 192.0.2.10 40000 25\r\n", "198.51.100.7"),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
    (b"PROXY TCP6 2001:db8::7 2001:db8::25 0 25\r\n", "2001:db8::7"),
    (b"PROXY TCP6 ::ffff:198.51.100.7 ::1 1 25\r\n", "::ffff:198.51.100.7"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None),
    (b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n", None),
    (binary(PROXY, TCP4, FOUR), "198.51.100.7"),
    (binary(PROXY, TCP6, SIX), "2001:db8::7"),
    (binary(PROXY, TCP4, FOUR + TLVS), "198.51.100.7"),
    (binary(PROXY, TCP6, SIX + TLVS), "2001:db8::7"),
    (binary(PROXY, TCP4, FOUR + b"\x20" + (60000).to_bytes(2) + b"x" * 60000), "198.51.100.7"),
    (binary(PROXY, UNIX, b"/run/mail\0".ljust(216, b"\0") + TLVS), None),
    (binary(PROXY, UNSPEC, b""), None),
    (binary(PROXY, UNSPEC, b"\x01\x02"), None),
    (binary(LOCAL, UNSPEC, b""), None),
    (binary(LOCAL, TCP4, FOUR), None),
    (binary(LOCAL, 0xFF, b"anything"), None),
]


@pytest.mark.parametrize(("octets", "client"), GOOD)
def test_a_whole_header(octets: bytes, client: str | None) -> None:
    assert parse_header(octets) == Header(client)


@pytest.mark.parametrize("octets", [octets for octets, _ in GOOD if len(octets) < 1000])
def test_a_header_cut_anywhere_wants_more_and_never_what_follows_it(octets: bytes) -> None:
    for cut in range(len(octets)):
        wanted = parse_header(octets[:cut])
        assert isinstance(wanted, Wanted), cut
        assert 0 < wanted.octets <= len(octets) - cut, cut


@pytest.mark.parametrize(("octets", "client"), GOOD)
def test_reading_what_is_wanted_ends_exactly_at_the_end(octets: bytes, client: str | None) -> None:
    stream = octets + b"EHLO client.example\r\n"
    taken = 0
    while isinstance(step := parse_header(stream[:taken]), Wanted):
        taken += step.octets
    assert (step, taken) == (Header(client), len(octets))


BAD = [
    b"EHLO client.example\r\n",
    b"\x16\x03\x01\x02\x00\x01",
    b"proxy TCP4 198.51.100.7 192.0.2.10 40000 25\r\n",
    b" PROXY UNKNOWN\r\n",
    b"PROXY\r\n",
    b"PROXY \r\n",
    b"PROXY  TCP4 198.51.100.7 192.0.2.10 40000 25\r\n",
    b"PROXY TCP4\r\n",
    b"PROXY TCP5 198.51.100.7 192.0.2.10 40000 25\r\n",
    b"PROXY UDP4 198.51.100.7 192.0.2.10 40000 25\r\n",
    b"PROXY unknown\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.10 40000\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.10 40000 25 \r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.10 40000 25 26\r\n",
    b"PROXY TCP4 198.51.100.7  192.0.2.10 40000 25\r\n",
    b"PROXY TCP4 198.51.100.256 192.0.2.10 40000 25\r\n",
    b"PROXY TCP4 198.51.100.07 192.0.2.10 40000 25\r\n",
    b"PROXY TCP4 198.51.100.7 mx.example 40000 25\r\n",
    b"PROXY TCP4 2001:db8::7 192.0.2.10 40000 25\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::25 40000 25\r\n",
    b"PROXY TCP6 198.51.100.7 192.0.2.10 40000 25\r\n",
    b"PROXY TCP6 fe80::1%eth0 2001:db8::25 40000 25\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.10 65536 25\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.10 -1 25\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.10 040 25\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.10 40000 \xb2\xb5\r\n",
    b"PROXY TCP4\t198.51.100.7 192.0.2.10 40000 25\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.10 40000 25\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.10 40000 25\r\r\n",
    b"PROXY TCP4 198.51.100.7\r192.0.2.10 40000 25\r\n",
    b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    b"PROXY UNKNOWN " + b"x" * 92,
    b"PROXY " + b"x" * 1000,
    SIGNATURE[:11] + b"x",
    binary(0x11, TCP4, FOUR),
    binary(0x31, TCP4, FOUR),
    binary(0x22, TCP4, FOUR),
    binary(PROXY, UDP4, FOUR),
    binary(PROXY, UDP6, SIX),
    binary(PROXY, 0x32, b"\0" * 216),
    binary(PROXY, 0x10, FOUR),
    binary(PROXY, 0x01, FOUR),
    binary(PROXY, 0x41, FOUR),
    binary(PROXY, TCP4, FOUR[:-1]),
    binary(PROXY, TCP6, FOUR),
    binary(PROXY, UNIX, b"\0" * 215),
    binary(PROXY, TCP4, FOUR + b"\x04"),
    binary(PROXY, TCP4, FOUR + b"\x04\x00"),
    binary(PROXY, TCP4, FOUR + b"\x04\x00\x01"),
    binary(PROXY, TCP4, FOUR + b"\x04\x00\x05abcd"),
    binary(PROXY, TCP4, FOUR + b"\x04\x00\x01abc"),
]


@pytest.mark.parametrize("octets", BAD)
def test_what_is_no_header(octets: bytes) -> None:
    assert isinstance(parse_header(octets), Malformed)


@given(st.binary(max_size=300), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]))
def test_whatever_comes_is_judged(rest: bytes, start: bytes) -> None:
    result = parse_header(start + rest)
    assert isinstance(result, (Header, Malformed)) or result.octets > 0
