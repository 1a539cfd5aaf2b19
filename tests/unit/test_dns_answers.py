"""The pure parts of the DNS adapter, tabled."""

import dns.exception
import dns.name
import dns.resolver
import pytest

from shared.dns.port import AddressAnswer, Status
from shared.dns.resolver import classify, combine, parse_nameserver
from shared.errors import ConfigError

V6 = AddressAnswer(Status.FOUND, ("2001:db8::1",))
V4 = AddressAnswer(Status.FOUND, ("192.0.2.1",))
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
    ("error", "status"),
    [
        (dns.resolver.NXDOMAIN, Status.NO_NAME),
        (dns.resolver.NoAnswer, Status.NO_DATA),
        (dns.resolver.NoNameservers, Status.FAILED),
        (dns.resolver.LifetimeTimeout, Status.FAILED),
        (dns.resolver.YXDOMAIN, Status.FAILED),
        (dns.exception.DNSException, Status.FAILED),
    ],
)
def test_only_a_name_servers_word_is_permanent(error: type[dns.exception.DNSException], status: Status) -> None:
    assert classify(error) is status


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
    ],
)
def test_both_families_make_one_answer(v6: AddressAnswer, v4: AddressAnswer, expected: AddressAnswer) -> None:
    assert combine(v6, v4) == expected
