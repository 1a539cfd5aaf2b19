"""The dnspython adapter against a real server on UDP and TCP."""

import asyncio
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.dns.nameservers import QUIET_SECONDS, QUIET_TRIES
from shared.dns.port import Mx, Status
from shared.dns.records import LEAST_SECONDS, NEGATIVE_SECONDS, POSITIVE_SECONDS
from shared.dns.resolver import FAILURE_SECONDS, MAX_QUESTIONS, DnsResolver
from tests.support.dns_server import DnsServer, Fault
from tests.support.dns_zone import ZONE, Hands


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer({name: dict(records) for name, records in ZONE.items()}) as server:
        yield server


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def resolver(server: DnsServer, clock: Hands) -> DnsResolver:
    return DnsResolver((server.address,), lifetime=10, clock=clock)


async def test_mx_records_come_as_values_in_lower_case(resolver: DnsResolver) -> None:
    answer = await resolver.mx("Example.ORG")
    assert answer.status is Status.FOUND
    assert sorted(answer.records) == [Mx(10, "mx1.example.org"), Mx(20, "mx2.example.org")]


async def test_u_labels_are_asked_for_as_a_labels(server: DnsServer, resolver: DnsResolver) -> None:
    server.zone["xn--bcher-kva.example.org"] = {"MX": ["10 mx1.example.org."]}
    assert (await resolver.mx("BÜCHER.example.org.")).records == (Mx(10, "mx1.example.org"),)
    assert (await resolver.mx("xn--bcher-kva.example.org")).status is Status.FOUND
    assert server.asked("xn--bcher-kva.example.org") == 1


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
        ("bü\u2028cher.example.org", Status.NO_NAME),
        (".", Status.NO_NAME),
        ("back\\slash.example.org", Status.NO_NAME),
        ("", Status.NO_NAME),
        ("x." * 130 + "org", Status.NO_NAME),
    ],
)
async def test_absence_is_permanent_and_told_apart(resolver: DnsResolver, name: str, status: Status) -> None:
    assert (await resolver.mx(name)).status is status


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED, Fault.SILENT, Fault.GARBAGE])
async def test_trouble_is_temporary(server: DnsServer, fault: Fault) -> None:
    resolver = DnsResolver((server.address,), lifetime=0.5)
    server.fail("example.org", fault)
    answer = await resolver.mx("example.org")
    assert answer.status is Status.FAILED
    assert "example.org" in answer.detail


async def test_a_failure_holds_for_seconds_only(server: DnsServer, resolver: DnsResolver, clock: Hands) -> None:
    server.fail("example.org", Fault.SERVFAIL)
    assert (await resolver.mx("example.org")).status is Status.FAILED
    server.heal("example.org")
    clock.now += FAILURE_SECONDS - 1
    assert (await resolver.mx("example.org")).status is Status.FAILED
    assert server.asked("example.org") == 1
    clock.now += 2
    assert (await resolver.mx("example.org")).status is Status.FOUND


@pytest.mark.parametrize(
    ("name", "soa", "seconds"),
    [
        ("absent.example.org", "300", 60),  # its own TTL is less
        ("absent.example.org", "20", 20),
        ("empty.example.org", "20", 20),
        ("absent.example.org", None, 300),
        ("example.org", "20", 60),  # not a denial
    ],
)
async def test_an_answer_holds_as_long_as_it_says(
    server: DnsServer, resolver: DnsResolver, clock: Hands, name: str, soa: str | None, seconds: float
) -> None:
    if soa is not None:
        server.zone["example.org"]["SOA"] = [f"ns. hostmaster. 1 2 3 4 {soa}"]
    status = (await resolver.mx(name)).status
    clock.now += seconds - 1
    assert (await resolver.mx(name)).status is status
    assert server.asked(name) == 1
    clock.now += 2
    assert (await resolver.mx(name)).status is status
    assert server.asked(name) == 2


@pytest.mark.parametrize(
    ("name", "seconds"), [("example.org", POSITIVE_SECONDS), ("nil.example.org", NEGATIVE_SECONDS)]
)
async def test_no_answer_holds_for_ever(
    server: DnsServer, resolver: DnsResolver, clock: Hands, name: str, seconds: float
) -> None:
    server.ttl = 2**31 - 1
    server.zone["example.org"]["SOA"] = [f"ns. hostmaster. 1 2 3 4 {2**31 - 1}"]
    await resolver.mx(name)
    clock.now += seconds + 1
    await resolver.mx(name)
    assert server.asked(name) == 2


@pytest.mark.parametrize("name", ["example.org", "absent.example.org"])
async def test_an_answer_for_this_moment_holds_for_seconds(
    server: DnsServer, resolver: DnsResolver, clock: Hands, name: str
) -> None:
    server.ttl = 0
    server.zone["example.org"]["SOA"] = ["ns. hostmaster. 1 2 3 4 0"]
    for seconds in (0, LEAST_SECONDS - 1, 2):
        clock.now += seconds
        await resolver.mx(name)
    assert server.asked(name) == 2


async def test_a_truncated_answer_is_fetched_over_tcp(server: DnsServer, resolver: DnsResolver) -> None:
    server.zone["big.example.org"] = {"MX": [f"10 mx{number}.big.example.org." for number in range(200)]}
    assert len((await resolver.mx("big.example.org")).records) == 200
    assert (server.asked("big.example.org", "MX", "udp"), server.asked("big.example.org", "MX", "tcp")) == (1, 1)


async def test_what_fits_in_a_datagram_comes_in_one(server: DnsServer, resolver: DnsResolver) -> None:
    server.zone["more.example.org"] = {"TXT": ['"' + "x" * 250 + f'" "{n}"' for n in range(4)]}  # beyond 512 octets
    assert len((await resolver.txt("more.example.org")).records) == 4
    assert server.asked("more.example.org", transport="tcp") == 0


async def test_the_largest_answer_there_is(server: DnsServer, resolver: DnsResolver) -> None:
    server.zone["big.example.org"] = {"MX": [f"10 {number}.big.example.org." for number in range(2900)]}
    assert len((await resolver.mx("big.example.org")).records) == 2900


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.HALF, Fault.CLOSED, Fault.CROSSED])
async def test_tcp_that_breaks_is_temporary(server: DnsServer, fault: Fault) -> None:
    server.fail("example.org", fault)
    assert (await DnsResolver((server.address,), lifetime=1).mx("example.org")).status is Status.FAILED
    assert server.asked("example.org", transport="tcp") >= 1


async def test_tcp_that_breaks_once_is_tried_again(server: DnsServer) -> None:
    with DnsServer(dict(server.zone)) as broken:
        broken.fail("example.org", Fault.CUT)
        resolver = DnsResolver((broken.address, server.address))
        assert (await resolver.mx("example.org")).status is Status.FOUND


async def test_a_late_answer_is_asked_for_again(server: DnsServer) -> None:
    server.fail("example.org", Fault.LATE, times=1)
    resolver = DnsResolver((server.address,), lifetime=5)
    assert (await resolver.mx("example.org")).status is Status.FOUND
    assert server.asked("example.org") == 2


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED, Fault.SILENT, Fault.GARBAGE])
async def test_the_next_name_server_answers_if_the_first_does_not(server: DnsServer, fault: Fault) -> None:
    with DnsServer() as broken:
        broken.fail("example.org", fault)
        resolver = DnsResolver((broken.address, server.address), lifetime=5)
        assert (await resolver.mx("example.org")).status is Status.FOUND
        assert (broken.asked("example.org"), server.asked("example.org")) == (1, 1)


async def test_a_denial_is_an_answer(server: DnsServer) -> None:
    with DnsServer() as denying:
        resolver = DnsResolver((denying.address, server.address))
        assert (await resolver.mx("example.org")).status is Status.NO_NAME
        assert not server.seen


async def test_a_silent_name_server_is_asked_last_for_a_while(server: DnsServer, clock: Hands) -> None:
    names = [f"n{number}.example.org" for number in range(QUIET_TRIES + 2)]
    with DnsServer() as silent:
        for name in names:
            silent.fail(name, Fault.SILENT)
        resolver = DnsResolver((silent.address, server.address), lifetime=5, clock=clock)
        for name in names[:-1]:
            assert (await resolver.mx(name)).status is Status.NO_NAME
        assert [silent.asked(name) for name in names] == [1] * QUIET_TRIES + [0, 0]
        clock.now += QUIET_SECONDS + 1
        assert (await resolver.mx(names[-1])).status is Status.NO_NAME
        assert silent.asked(names[-1]) == 1


async def test_a_thousand_questions_take_turns(server: DnsServer, resolver: DnsResolver) -> None:
    """More at a time than there may be sockets."""
    names = [f"n{number}.example.org" for number in range(1000)]
    server.zone |= {name: {"MX": ["10 mx1.example.org."]} for name in names}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + MAX_QUESTIONS + 50, hard))
    try:
        answers = await asyncio.gather(*map(resolver.mx, names))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert {answer.status for answer in answers} == {Status.FOUND}


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
