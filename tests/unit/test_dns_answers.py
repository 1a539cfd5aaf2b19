"""The pure parts of the DNS adapter, tabled."""

import errno
from typing import Any, cast

import dns.exception
import dns.message
import dns.resolver
import pytest

from shared.dns.failures import reason
from shared.dns.nameservers import parse_nameserver, vouches
from shared.dns.port import AddressAnswer, Status
from shared.dns.records import combine
from shared.errors import ConfigError

V6 = AddressAnswer(Status.FOUND, ("2001:db8::1",))
V4 = AddressAnswer(Status.FOUND, ("192.0.2.1",))
TIMEOUT: Any = dns.exception.Timeout
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
        (late(TIMEOUT(timeout=2), "REFUSED"), "timed out, REFUSED"),
        (late(), "timed out"),
        (OSError(errno.ENETUNREACH, "x"), "Network is unreachable"),
    ],
)
def test_why_there_is_no_answer(error: Exception, words: str) -> None:
    assert reason(error) == words
