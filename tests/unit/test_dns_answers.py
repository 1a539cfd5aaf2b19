"""The pure parts of the DNS adapter, tabled."""

import pytest

from shared.dns.nameservers import parse_nameserver, vouches
from shared.dns.port import AddressAnswer, Status
from shared.dns.records import combine
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
