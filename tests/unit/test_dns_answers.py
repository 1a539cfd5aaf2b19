"""The pure parts of the DNS adapter, tabled."""

import contextlib
import errno
from typing import Any, cast

import dns.exception
import dns.message
import dns.rdatatype
import dns.resolver
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.dns.exchange import NotRecursive, checked, mended, parse, unreadable
from shared.dns.failures import reason
from shared.dns.nameservers import parse_nameserver, vouches
from shared.dns.port import AddressAnswer, Status
from shared.dns.records import combine
from shared.errors import ConfigError

V6 = AddressAnswer(Status.FOUND, ("2001:db8::1",))
V4 = AddressAnswer(Status.FOUND, ("192.0.2.1",))
TIMEOUT: Any = dns.exception.Timeout
NO_RECURSION: Any = NotRecursive
BOTH_SECURE = AddressAnswer(Status.FOUND, ("2001:db8::1", "192.0.2.1"), secure=True)
NO_DATA = AddressAnswer(Status.NO_DATA)
NO_NAME = AddressAnswer(Status.NO_NAME)
FAILED = AddressAnswer(Status.FAILED, detail="timed out")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("[::1]:5353", ("::1", 5353)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("2001:db8::1", ("2001:db8::1", 53)),
    ],
)
def test_a_name_server_is_an_address_and_a_port(text: str, expected: tuple[str, int]) -> None:
    assert parse_nameserver(text) == expected


@pytest.mark.parametrize(
    "text", ["", "ns.example.org", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:70000", "[::1", "1.2.3"]
)
def test_a_wrong_name_server_is_named_with_the_remedy(text: str) -> None:
    with pytest.raises(ConfigError, match=r'nameservers: ".*write'):
        parse_nameserver(text)


@pytest.mark.parametrize(
    ("v6", "v4", "expected"),
    [
        (V6, V4, AddressAnswer(Status.FOUND, ("2001:db8::1", "192.0.2.1"))),
        (NO_DATA, V4, V4),
        (FAILED, V4, V4),
        (NO_NAME, V4, V4),
        (V6, NO_NAME, V6),
        (V6, FAILED, V6),
        (NO_DATA, NO_DATA, NO_DATA),
        (NO_DATA, FAILED, FAILED),
        (FAILED, NO_DATA, FAILED),
        (NO_NAME, FAILED, FAILED),
        (NO_NAME, NO_NAME, NO_NAME),
        (NO_NAME, NO_DATA, NO_DATA),
        (V6._replace(secure=True), V4, AddressAnswer(Status.FOUND, ("2001:db8::1", "192.0.2.1"))),
        (V6._replace(secure=True), V4._replace(secure=True), BOTH_SECURE),
        (NO_DATA, V4._replace(secure=True), V4._replace(secure=True)),
    ],
)
def test_both_families_make_one_answer(v6: AddressAnswer, v4: AddressAnswer, expected: AddressAnswer) -> None:
    assert combine(v6, v4) == expected


@pytest.mark.parametrize(
    ("address", "dnssec", "expected"),
    [
        ("127.0.0.1", "loopback", True),
        ("127.0.0.53", "loopback", True),
        ("::1", "loopback", True),
        ("127.0.0.11", "loopback", False),
        ("192.0.2.1", "loopback", False),
        ("fe80::1%eth0", "loopback", False),
        ("192.0.2.1", "always", True),
        ("127.0.0.11", "always", True),
        ("127.0.0.1", "never", False),
    ],
)
def test_who_is_believed_that_it_validates(address: str, dnssec: str, expected: bool) -> None:
    assert vouches(address, dnssec) is expected


def tries(*ends: object) -> list[tuple[object, ...]]:
    return [("Do53:127.0.0.1@53", False, 53, end, None) for end in ends]


def refused(*ends: object) -> Exception:
    error: Any = dns.resolver.NoNameservers
    return cast("Exception", error(request=dns.message.make_query("example.org.", "MX"), errors=tries(*ends)))


def late(*ends: object) -> Exception:
    error: Any = dns.resolver.LifetimeTimeout
    return cast("Exception", error(timeout=10, errors=tries(*ends)))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refused("SERVFAIL"), "SERVFAIL"),
        (refused("SERVFAIL", "REFUSED", "SERVFAIL"), "SERVFAIL, REFUSED"),
        (refused(EOFError("EOF")), "connection closed"),
        (refused(OSError(errno.ECONNREFUSED, "x")), "Connection refused"),
        (refused(IndexError()), "malformed answer (IndexError)"),
        (refused(NO_RECURSION(), "REFUSED"), "the name server does not recurse, REFUSED"),
        (late(TIMEOUT(timeout=2), "REFUSED"), "timed out, REFUSED"),
        (late(), "timed out"),
        (OSError(errno.ENETUNREACH, "x"), "Network is unreachable"),
    ],
)
def test_why_there_is_no_answer(error: Exception, words: str) -> None:
    assert reason(error) == words


def octets(*records: str, section: str = "ANSWER", flags: str = "QR RD RA") -> bytes:
    """Return an answer with these records."""
    text = f"id 1\nopcode QUERY\nrcode NOERROR\nflags {flags}\n;QUESTION\na.test. IN MX\n;{section}\n"
    return dns.message.from_text(text + "\n".join(records)).to_wire()


def ip6(wire: bytes) -> bytes:
    """Make a record of 4 octets an AAAA record, of which it is none."""
    return wire.replace(b"\0\1\0\1\0\0\0\x3c\0\4", b"\0\x1c\0\1\0\0\0\x3c\0\4")


MX, ADDRESS = "a.test. 60 IN MX 10 b.test.", "b.test. 60 IN A 192.0.2.1"


@pytest.mark.parametrize("section", ["ANSWER", "AUTHORITY", "ADDITIONAL"])
def test_a_record_that_cannot_be_read_is_of_no_type_that_is_asked_for(section: str) -> None:
    wire = ip6(octets(MX, ADDRESS, MX.replace("b.", "c."), section=section))
    message = parse(wire)
    (records, bad) = message.section_from_number(dns.message.MessageSection[section])
    assert {str(record) for record in records} == {"10 b.test.", "10 c.test."}
    assert (bad.rdtype, str(bad[0])) == (unreadable(dns.rdatatype.AAAA), "\\# 4 c0000201")


def test_what_says_how_to_read_the_rest_must_be_readable() -> None:
    """Without its OPT record an answer would have another response code (RFC 6891 section 6.1.3)."""
    wire = bytearray(octets(MX) + b"\0\0\x29\4\xd0\1\0\0\0\0\2\0\1")
    wire[11] = 1
    with pytest.raises(dns.exception.FormError):
        parse(bytes(wire))


def test_what_can_be_read_stays_as_it_is() -> None:
    wire = octets(MX, ADDRESS)
    assert mended(wire) == wire


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_octets_are_a_message_or_none(data: st.DataObject) -> None:
    wire = bytearray(data.draw(st.sampled_from([octets(MX, ADDRESS), ip6(octets(ADDRESS, MX)), b""])))
    for at in data.draw(st.lists(st.integers(0, max(len(wire) - 1, 0)), max_size=4)):
        wire[at : at + 1] = data.draw(st.binary(max_size=2))
    assert len(mended(bytes(wire))) == len(wire)
    with contextlib.suppress(dns.exception.DNSException):
        parse(bytes(wire))


NS, SOA = "test. 60 IN NS ns.test.", "test. 60 IN SOA ns.test. h.test. 1 2 3 4 5"


@pytest.mark.parametrize(
    ("wire", "answers"),
    [
        (octets(NS, section="AUTHORITY"), False),
        (octets(NS, SOA, section="AUTHORITY"), True),
        (octets(SOA, section="AUTHORITY"), True),
        (octets(NS, section="AUTHORITY", flags="QR AA"), True),
        (octets(section="AUTHORITY"), True),
        (octets(MX, ";AUTHORITY", NS), True),
        (octets(NS, section="AUTHORITY").replace(b"\x81\x80", b"\x81\x82", 1), True),  # SERVFAIL says so itself
    ],
)
def test_a_referral_is_no_answer(wire: bytes, answers: bool) -> None:
    message = parse(wire)
    if answers:
        assert checked(message) is message
    else:
        with pytest.raises(NotRecursive):
            checked(message)
