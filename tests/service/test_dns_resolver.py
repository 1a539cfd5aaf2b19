"""The dnspython adapter against a real server on UDP and TCP."""

import asyncio
from collections.abc import Iterator

import pytest

from shared.dns.port import Mx, Status
from shared.dns.resolver import DnsResolver
from tests.support.dns_server import DnsServer, Fault

ZONE = {
    "example.org": {"MX": ["20 MX2.example.org.", "10 mx1.example.org."], "A": ["192.0.2.9"]},
    "mx1.example.org": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
    "bare.example.org": {"A": ["192.0.2.3"]},
    "null.example.org": {"MX": ["0 ."]},
    "alias.example.org": {"CNAME": ["mx1.example.org."]},
    "empty.example.org": {},
    "text.example.org": {"TXT": ['"v=spf1 " "-all"', '"two"', '"\\195\\188"']},
    "1.2.0.192.in-addr.arpa": {"PTR": ["MX1.example.org.", "other.example.org."]},
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": {"PTR": ["mx1.example.org."]},
}


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer({name: dict(records) for name, records in ZONE.items()}) as server:
        yield server


@pytest.fixture
def resolver(server: DnsServer) -> DnsResolver:
    return DnsResolver((server.address,), lifetime=10)


async def test_mx_records_come_as_values_in_lower_case(resolver: DnsResolver) -> None:
    answer = await resolver.mx("Example.ORG")
    assert answer.status is Status.FOUND
    assert sorted(answer.records) == [Mx(10, "mx1.example.org"), Mx(20, "mx2.example.org")]


async def test_the_null_mx_is_an_empty_host(resolver: DnsResolver) -> None:
    assert (await resolver.mx("null.example.org")).records == (Mx(0, ""),)


async def test_addresses_of_both_families(resolver: DnsResolver) -> None:
    assert (await resolver.addresses("mx1.example.org")).addresses == ("2001:db8::1", "192.0.2.1")
    assert (await resolver.addresses("bare.example.org")).addresses == ("192.0.2.3",)
    assert (await resolver.addresses("alias.example.org")).addresses == ("2001:db8::1", "192.0.2.1")


async def test_addresses_of_one_family_alone(server: DnsServer, resolver: DnsResolver) -> None:
    assert (await resolver.ipv6("mx1.example.org")).addresses == ("2001:db8::1",)
    assert (await resolver.ipv6("bare.example.org")).status is Status.NO_DATA
    assert server.asked("mx1.example.org", "A") == 0
    server.seen.clear()
    assert (await resolver.ipv4("mx1.example.org")).addresses == ("192.0.2.1",)
    assert server.asked("mx1.example.org", "AAAA") == 0
    assert (await resolver.ipv4("absent.example.org")).status is Status.NO_NAME


async def test_the_strings_of_a_txt_record_are_joined(resolver: DnsResolver) -> None:
    answer = await resolver.txt("text.example.org")
    assert answer.status is Status.FOUND
    assert sorted(answer.records) == sorted((b"v=spf1 -all", b"two", "ü".encode()))
    assert (await resolver.txt("bare.example.org")).status is Status.NO_DATA


@pytest.mark.parametrize(
    ("address", "status", "names"),
    [
        ("192.0.2.1", Status.FOUND, ["mx1.example.org", "other.example.org"]),
        ("2001:db8::1", Status.FOUND, ["mx1.example.org"]),
        ("192.0.2.2", Status.NO_NAME, []),
        ("unknown", Status.NO_NAME, []),
        ("", Status.NO_NAME, []),
    ],
)
async def test_the_names_of_an_address(resolver: DnsResolver, address: str, status: Status, names: list[str]) -> None:
    answer = await resolver.ptr(address)
    assert (answer.status, sorted(answer.names)) == (status, names)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("absent.example.org", Status.NO_NAME),
        ("empty.example.org", Status.NO_DATA),
        ("bare.example.org", Status.NO_DATA),
        ("a" * 64 + ".example.org", Status.NO_NAME),
        ("two..dots.example.org", Status.NO_NAME),
        ("bücher.example.org", Status.NO_NAME),
        ("back\\slash.example.org", Status.NO_NAME),
        ("", Status.NO_NAME),
        ("x." * 130 + "org", Status.NO_NAME),
    ],
)
async def test_absence_is_permanent_and_told_apart(resolver: DnsResolver, name: str, status: Status) -> None:
    assert (await resolver.mx(name)).status is status


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED, Fault.SILENT, Fault.GARBAGE])
async def test_trouble_is_temporary_and_not_cached(server: DnsServer, fault: Fault) -> None:
    resolver = DnsResolver((server.address,), lifetime=0.5)
    server.fail("example.org", fault)
    answer = await resolver.mx("example.org")
    assert answer.status is Status.FAILED
    assert "example.org" in answer.detail
    server.heal("example.org")
    patient = DnsResolver((server.address,))
    assert (await patient.mx("example.org")).status is Status.FOUND


async def test_a_failure_is_asked_again(server: DnsServer, resolver: DnsResolver) -> None:
    server.fail("example.org", Fault.SERVFAIL, times=1)
    assert (await resolver.mx("example.org")).status is Status.FAILED
    assert (await resolver.mx("example.org")).status is Status.FOUND


async def test_a_truncated_answer_is_fetched_over_tcp(server: DnsServer, resolver: DnsResolver) -> None:
    server.zone["big.example.org"] = {"MX": [f"10 mx{number}.big.example.org." for number in range(200)]}
    server.fail("big.example.org", Fault.TRUNCATED)
    assert len((await resolver.mx("big.example.org")).records) == 200
    assert server.asked("big.example.org", "MX", "tcp") == 1


async def test_answers_are_cached(server: DnsServer, resolver: DnsResolver) -> None:
    for _ in range(3):
        await resolver.mx("example.org")
    assert server.asked("example.org", "MX") == 1


async def test_identical_questions_in_flight_are_one(server: DnsServer, resolver: DnsResolver) -> None:
    answers = await asyncio.gather(*(resolver.mx("example.org") for _ in range(50)))
    assert len({answer.status for answer in answers}) == 1
    assert server.asked("example.org", "MX") == 1


async def test_one_askers_cancellation_is_not_the_others(server: DnsServer, resolver: DnsResolver) -> None:
    first = asyncio.create_task(resolver.mx("example.org"))
    second = asyncio.create_task(resolver.mx("example.org"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).status is Status.FOUND
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_the_next_name_server_is_asked_when_one_refuses(server: DnsServer) -> None:
    with DnsServer() as broken:
        broken.fail("example.org", Fault.SERVFAIL)
        resolver = DnsResolver((broken.address, server.address))
        assert (await resolver.mx("example.org")).status is Status.FOUND
        assert broken.asked("example.org") == 1
