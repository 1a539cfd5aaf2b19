"""From DNS answers to addresses, tabled."""

import ipaddress
import random

import pytest

from services.delivery.routing.mx import (
    MAX_ADDRESSES,
    MAX_ADDRESSES_OF_HOST,
    MAX_HOSTS,
    Address,
    Chosen,
    Exchange,
    Rules,
    exchanges,
    is_address,
    is_own,
    is_public,
    literal,
    ordered,
    select,
)
from shared.dns.port import AddressAnswer, Mx, MxAnswer, Status
from shared.smtp.reply import Reply

RULES = Rules("Relay.example.org", frozenset({ipaddress.ip_address("203.0.113.9")}), allow_private=False)
FOUND = Status.FOUND


def hosts(*records: tuple[int, str]) -> MxAnswer:
    """Return an MX answer."""
    return MxAnswer(FOUND, tuple(Mx(*record) for record in records))


def status(answer: object) -> str | None:
    """Return the enhanced code of a reply, or None for anything else."""
    return answer.enhanced if isinstance(answer, Reply) else None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (MxAnswer(Status.NO_NAME), "5.1.2"),
        (MxAnswer(Status.FAILED, detail="SERVFAIL"), "4.4.3"),
        (MxAnswer(FOUND, (Mx(0, ""),)), "5.1.10"),
        (hosts((10, "relay.example.org")), "5.4.6"),
        (hosts((10, "relay.example.org"), (10, "b.test"), (20, "c.test")), "5.4.6"),
        (MxAnswer(FOUND, (Mx(0, ""), Mx(10, ""))), "5.1.10"),
        (hosts((20, "relay.example.org"), (10, "relay.example.org")), "5.4.6"),
    ],
)
def test_why_there_is_no_host(answer: MxAnswer, expected: str) -> None:
    assert status(exchanges("example.net", answer, RULES, random.Random(1))) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (hosts((20, "b.test"), (10, "a.test")), ["a.test", "b.test"]),
        (MxAnswer(Status.NO_DATA), ["example.net"]),
        (hosts((10, "a.test"), (20, "relay.example.org"), (20, "b.test"), (30, "c.test")), ["a.test"]),
        (hosts((0, ""), (10, "a.test")), ["a.test"]),
        (hosts((20, "a.test"), (15, "b.test"), (10, "a.test")), ["a.test", "b.test"]),
        (hosts((10, "a.test"), (10, "a.test")), ["a.test"]),
        (hosts((65535, "a.test"), (0, "b.test")), ["b.test", "a.test"]),
        (hosts((10, "192.0.2.1"), (20, "b.test")), ["192.0.2.1", "b.test"]),
        (hosts((10, "example.net")), ["example.net"]),
        (hosts(*((n, f"h{n}.test") for n in range(5000))), [f"h{n}.test" for n in range(MAX_HOSTS)]),
        (hosts((9, "relay.example.org"), *((n, f"h{n}.test") for n in range(50))), [f"h{n}.test" for n in range(9)]),
        (hosts(*((n, f"h{n}.test") for n in range(50))), [f"h{n}.test" for n in range(MAX_HOSTS)]),
    ],
)
def test_hosts_come_by_preference(answer: MxAnswer, expected: list[str]) -> None:
    found = exchanges("example.net", answer, RULES, random.Random(1))
    assert not isinstance(found, Reply)
    assert [mx.host for mx in found] == expected


def test_the_domain_itself_is_not_its_own_host_if_it_is_us() -> None:
    found = exchanges("relay.example.org", MxAnswer(Status.NO_DATA), RULES, random.Random(1))
    assert status(found) == "5.4.6"


def test_equal_preferences_share_the_load() -> None:
    answer = hosts((10, "a.test"), (10, "b.test"), (10, "c.test"), (5, "first.test"))
    orders = set()
    for seed in range(60):
        found = exchanges("example.net", answer, RULES, random.Random(seed))
        assert not isinstance(found, Reply)
        assert found[0].host == "first.test"
        orders.add(tuple(mx.host for mx in found))
    assert len(orders) == 6


def exchange(preference: int, host: str, *addresses: str, found: Status = FOUND) -> Exchange:
    """Return a host with its addresses."""
    return Exchange(Mx(preference, host), AddressAnswer(found, addresses))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([exchange(10, "a", "2606::1", "192.88.99.1")], [("a", "2606::1", "192.88.99.1"), ("a", "192.88.99.1", None)]),
        ([exchange(10, "a", "192.88.99.1", "2606::1")], [("a", "2606::1", "192.88.99.1"), ("a", "192.88.99.1", None)]),
        ([exchange(10, "a", "8.8.8.8"), exchange(20, "b", "203.0.113.9")], [("a", "8.8.8.8", None)]),
        ([exchange(10, "a", "10.0.0.1", "8.8.8.8")], [("a", "8.8.8.8", None)]),
        ([exchange(10, "a", "fd00::1", "8.8.8.8")], [("a", "8.8.8.8", None)]),
        ([exchange(10, "a", "2606::1", "127.0.0.1")], [("a", "2606::1", None)]),
        ([exchange(10, "a", "127.0.0.1"), exchange(20, "b", "8.8.8.8")], [("b", "8.8.8.8", None)]),
        ([exchange(10, "a", found=Status.NO_NAME), exchange(20, "b", "8.8.8.8")], [("b", "8.8.8.8", None)]),
        ([exchange(10, "a", found=Status.NO_DATA), exchange(20, "b", "8.8.8.8")], [("b", "8.8.8.8", None)]),
        ([exchange(10, "8.8.8.8", "8.8.8.8")], [("8.8.8.8", "8.8.8.8", None)]),
        ([exchange(10, "a", "8.8.8.8", "8.8.8.8", "8.8.4.4")], [("a", "8.8.8.8", None), ("a", "8.8.4.4", None)]),
        (  # one machine by two names: a certificate or a policy may fit only one of them
            [exchange(10, "a", "8.8.8.8"), exchange(20, "b", "8.8.8.8")],
            [("a", "8.8.8.8", None), ("b", "8.8.8.8", None)],
        ),
        (
            [exchange(10, "a", "8.8.8.8"), exchange(20, "own", "::ffff:203.0.113.9"), exchange(20, "b", "8.8.4.4")],
            [("a", "8.8.8.8", None)],
        ),
        (
            [exchange(10, "a", "8.8.8.8"), exchange(20, "own", "8.8.1.1", "203.0.113.9"), exchange(30, "b", "8.8.4.4")],
            [("a", "8.8.8.8", None)],
        ),
    ],
)
def test_addresses_to_try(found: list[Exchange], expected: list[tuple[str, str, str | None]]) -> None:
    chosen = select("example.net", found, RULES)
    assert isinstance(chosen, Chosen)
    assert [(each.host, each.address, each.fallback) for each in chosen.addresses] == expected
    assert [each.spare for each in chosen.addresses] == [
        any(ex.mx.host == each.host and ex.mx.preference > found[0].mx.preference for ex in found)
        for each in chosen.addresses
    ]


def test_a_host_that_dns_does_not_answer_for_is_not_forgotten() -> None:
    found = [exchange(10, "a", found=Status.FAILED), exchange(20, "b", "8.8.8.8")]
    chosen = select("example.net", found, RULES)
    assert isinstance(chosen, Chosen)
    assert chosen.addresses == (Address("b", "8.8.8.8", spare=True),)
    assert status(chosen.missing) == "4.4.3"


@pytest.mark.parametrize(
    ("addresses", "turns"),
    [
        ([], []),
        (["1.1.1.1"], [("1.1.1.1", None)]),
        (["::1", "1.1.1.1"], [("::1", "1.1.1.1"), ("1.1.1.1", None)]),
        (["1.1.1.1", "1.1.1.2", "::1"], [("::1", "1.1.1.1"), ("1.1.1.1", None), ("1.1.1.2", None)]),
        (["::1", "::2", "1.1.1.1"], [("::1", "1.1.1.1"), ("1.1.1.1", None), ("::2", None)]),
        (
            ["::2", "::1", "1.1.1.2", "1.1.1.1"],
            [("::2", "1.1.1.2"), ("1.1.1.2", None), ("::1", "1.1.1.1"), ("1.1.1.1", None)],
        ),
        (["::1", "::1", "1.1.1.1", "1.1.1.1"], [("::1", "1.1.1.1"), ("1.1.1.1", None)]),
    ],
)
def test_the_families_of_a_host_take_turns(addresses: list[str], turns: list[tuple[str, str | None]]) -> None:
    assert ordered(addresses) == turns


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([exchange(10, "own", "203.0.113.9")], "5.4.6"),
        ([exchange(10, "own", "203.0.113.9"), exchange(20, "b", "8.8.8.8")], "5.4.6"),
        ([exchange(10, "a", found=Status.NO_NAME)], "5.4.4"),
        ([exchange(10, "a", found=Status.NO_DATA)], "5.4.4"),
        ([exchange(10, "a", "127.0.0.1")], "5.4.4"),
        ([exchange(10, "a", found=Status.NO_NAME), exchange(20, "b", found=Status.FAILED)], "4.4.3"),
        ([exchange(10, "a", "127.0.0.1"), exchange(20, "b", found=Status.FAILED)], "4.4.3"),
    ],
)
def test_why_there_is_no_address(found: list[Exchange], expected: str) -> None:
    assert status(select("example.net", found, RULES)) == expected


def test_addresses_are_bounded() -> None:
    found = [exchange(10, f"h{host}", *(f"8.8.{host}.{n}" for n in range(100))) for host in range(10)]
    chosen = select("example.net", found, RULES)
    assert isinstance(chosen, Chosen)
    assert len(chosen.addresses) == MAX_ADDRESSES
    assert [address.host for address in chosen.addresses[: MAX_ADDRESSES_OF_HOST + 1]] == [
        "h0"
    ] * MAX_ADDRESSES_OF_HOST + ["h1"]


def test_one_family_does_not_crowd_the_other_out() -> None:
    chosen = select("example.net", [exchange(10, "a", *(f"2606::{n}" for n in range(100)), "8.8.8.8")], RULES)
    assert isinstance(chosen, Chosen)
    assert chosen.addresses[0] == Address("a", "2606::0", (), "8.8.8.8")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::8.8.8.8", True),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::127.0.0.1", False),
        ("64:ff9b:1::8.8.8.8", False),
        ("2002:808:808::1", True),
        ("2002:a00:1::1", False),
        ("2002:7f00:1::1", False),
        ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("2001::1", False),
        ("2001:db8::1", False),
        ("fec0::1", False),
        ("4000::1", False),
        ("1fff::1", False),
    ],
)
def test_which_addresses_are_the_internets(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("203.0.113.9", True),
        ("::ffff:203.0.113.9", True),
        ("64:ff9b::203.0.113.9", True),
        ("64:ff9b::8.8.8.8", False),
        ("8.8.8.8", False),
    ],
)
def test_which_addresses_are_ours(address: str, own: bool) -> None:
    assert is_own(address, RULES) is own


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("[8.8.8.8]", "8.8.8.8"),
        ("[IPv6:2606::1]", "2606::1"),
        ("[ipv6:2606:0::1]", "2606::1"),
    ],
)
def test_a_literal_is_its_address(domain: str, expected: str) -> None:
    assert literal(domain, RULES) == Chosen((Address(expected, expected, named=True),))


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("[127.0.0.1]", "5.4.4"),
        ("[203.0.113.9]", "5.4.6"),
        ("[x-tag:what]", "5.1.2"),
        ("[]", "5.1.2"),
        ("[1.2.3]", "5.1.2"),
        ("[IPv6:2606::1%1]", "5.1.2"),
        ("[IPv6:]", "5.1.2"),
        ("[IPv6:1:2:3:4:5:6:7:8:9]", "5.1.2"),
        ("[IPv6:::1]", "5.4.4"),
        ("[IPv6:::ffff:203.0.113.9]", "5.4.6"),
        ("[010.8.8.8]", "5.1.2"),
        ("[0x8080808]", "5.1.2"),
        ("[134744072]", "5.1.2"),
    ],
)
def test_why_a_literal_is_none(domain: str, expected: str) -> None:
    assert status(literal(domain, RULES)) == expected


@pytest.mark.parametrize(
    ("host", "yes"),
    [("192.0.2.1", True), ("::1", True), ("2606::1%1", False), ("1.2.3", False), ("mx.test", False), ("", False)],
)
def test_addresses_are_told_from_names(host: str, yes: bool) -> None:
    assert is_address(host) is yes


@pytest.mark.parametrize(("secure", "bases"), [(True, ("a",)), (False, ())])
def test_dane_needs_every_step_to_be_secure(secure: bool, bases: tuple[str, ...]) -> None:
    answer = AddressAnswer(FOUND, ("8.8.8.8",), secure=True, bases=("a",))
    found = select("example.net", [Exchange(Mx(10, "a"), answer)], RULES, secure=secure)
    assert found == Chosen((Address("a", "8.8.8.8", bases, named=secure),))
