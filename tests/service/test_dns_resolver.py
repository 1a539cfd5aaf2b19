"""The dnspython adapter against a real server on UDP and TCP."""

import asyncio
import resource
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from services.delivery.routing.tlsa import records_of
from services.delivery.security.dane import usable
from shared.dns.nameservers import QUIET_SECONDS, QUIET_TRIES
from shared.dns.port import AddressAnswer, Mx, MxAnswer, Status, Tlsa
from shared.dns.records import LEAST_SECONDS, NEGATIVE_SECONDS, POSITIVE_SECONDS
from shared.dns.resolver import FAILURE_SECONDS, MAX_QUESTIONS, DnsResolver
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


class Hands:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


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


async def test_half_an_answer_is_none_over_tcp_either(server: DnsServer) -> None:
    server.fail("example.org", Fault.ALWAYS_TRUNCATED)
    assert (await DnsResolver((server.address,), lifetime=1).mx("example.org")).status is Status.FAILED
    assert server.asked("example.org", transport="tcp") == 1


@pytest.mark.parametrize("fault", [Fault.REFERRAL, Fault.ALWAYS_TRUNCATED])
async def test_who_answers_with_nothing_is_no_reason_not_to_ask_others(server: DnsServer, fault: Fault) -> None:
    with DnsServer() as useless:
        useless.fail("example.org", fault)
        resolver = DnsResolver((useless.address, server.address))
        assert (await resolver.mx("example.org")).status is Status.FOUND


async def test_a_referral_is_not_a_denial(server: DnsServer, resolver: DnsResolver) -> None:
    """It would make mail go to the domain's own address, or come back for want of one."""
    server.fail("bare.example.org", Fault.REFERRAL)
    answer = await resolver.mx("bare.example.org")
    assert answer.status is Status.FAILED
    assert answer.detail == "MX of bare.example.org: the name server does not recurse"


async def test_records_of_another_name_are_not_a_denial(server: DnsServer, resolver: DnsResolver) -> None:
    server.fail("example.org", Fault.OTHER_NAME)
    assert await resolver.mx("example.org") == MxAnswer(
        Status.FAILED, detail="MX of example.org: malformed answer (FormError)"
    )


HALF_A_NAME = "\\# 4 000a0361"
CASES_OF_BAD_RECORDS = [
    ("MX", ["10 mx1.example.org.", HALF_A_NAME, "\\# 1 00"], (Mx(10, "mx1.example.org"),)),
    ("A", ["192.0.2.1", "\\# 3 c00002", "\\# 5 c000020203"], ("192.0.2.1",)),
    ("AAAA", ["2001:db8::1", "\\# 4 c0000201", "\\# 0"], ("2001:db8::1",)),
    ("TXT", ['"one"', "\\# 0", "\\# 2 0561", '"two"'], (b"one", b"two")),
    ("PTR", ["a.example.org.", "\\# 2 0361", "\\# 3 016100ff"], ("a.example.org",)),
]


async def asked_for(resolver: DnsResolver, kind: str, name: str) -> tuple[Status, tuple[object, ...], str]:
    match kind:
        case "MX":
            mx = await resolver.mx(name)
            return mx.status, mx.records, mx.detail
        case "TXT":
            txt = await resolver.txt(name)
            return txt.status, txt.records, txt.detail
        case "PTR":
            ptr = await resolver.ptr("192.0.2.77")
            return ptr.status, ptr.names, ptr.detail
        case _:
            address = await (resolver.ipv4(name) if kind == "A" else resolver.ipv6(name))
            return address.status, address.addresses, address.detail


@pytest.mark.parametrize("truncated", [False, True])
@pytest.mark.parametrize(("kind", "records", "expected"), CASES_OF_BAD_RECORDS)
async def test_a_record_that_cannot_be_read_spoils_no_other(
    server: DnsServer,
    resolver: DnsResolver,
    kind: str,
    records: list[str],
    expected: tuple[object, ...],
    *,
    truncated: bool,
) -> None:
    name = "77.2.0.192.in-addr.arpa" if kind == "PTR" else "bad.example.org"
    server.zone[name] = {kind: records}
    if truncated:
        server.fail(name, Fault.TRUNCATED)
    status, found, _ = await asked_for(resolver, kind, name)
    assert (status, sorted(found, key=str)) == (Status.FOUND, sorted(expected, key=str))
    assert server.asked(name) == 1 + truncated


@pytest.mark.parametrize(("kind", "records", "_"), CASES_OF_BAD_RECORDS)
async def test_records_none_of_which_can_be_read_are_not_a_denial(
    server: DnsServer, resolver: DnsResolver, kind: str, records: list[str], _: object
) -> None:
    """Else mail would go to the domain's own address, whatever its MX records meant to say."""
    name = "77.2.0.192.in-addr.arpa" if kind == "PTR" else "bad.example.org"
    server.zone[name] = {kind: [record for record in records if record.startswith("\\#")]}
    status, found, detail = await asked_for(resolver, kind, name)
    assert (status, found, detail) == (Status.FAILED, (), f"{kind} of {name}: malformed answer (FormError)")
    assert server.asked(name) == 1


@pytest.mark.parametrize("records", [["\\# 4 0361"], ["\\# 2 0361"]])
async def test_an_alias_that_cannot_be_read_is_not_a_denial(
    server: DnsServer, resolver: DnsResolver, records: list[str]
) -> None:
    server.zone["bad.example.org"] = {"CNAME": records}
    assert (await resolver.mx("bad.example.org")).status is Status.FAILED


@pytest.mark.parametrize(
    ("chain", "status"),
    [
        (["A1.Example.ORG", "a2.EXAMPLE.org", "MX1.example.ORG"], Status.FOUND),
        ([f"c{n}.example.org" for n in range(6)] + ["mx1.example.org"], Status.FOUND),
        (["a1.example.org", "a2.example.org", "A1.example.org"], Status.FAILED),
        (["A1.example.org"] * 2, Status.FAILED),
        (["a1.example.org", "gone.example.org"], Status.NO_NAME),
        (["a1.example.org", "empty.example.org"], Status.NO_DATA),
    ],
)
async def test_where_aliases_lead(server: DnsServer, resolver: DnsResolver, chain: list[str], status: Status) -> None:
    server.zone |= {name.lower(): {"CNAME": [f"{to}."]} for name, to in pairwise(chain)}
    answer = await resolver.ipv4(chain[0].upper())
    assert (answer.status, answer.addresses) == (status, ("192.0.2.1",) if status is Status.FOUND else ())


async def test_tcp_that_breaks_once_is_tried_again(server: DnsServer) -> None:
    with DnsServer(dict(server.zone)) as broken:
        broken.fail("example.org", Fault.CUT)
        resolver = DnsResolver((broken.address, server.address))
        assert (await resolver.mx("example.org")).status is Status.FOUND


async def test_answers_to_nobodys_question_are_not_taken(server: DnsServer, resolver: DnsResolver) -> None:
    server.fail("example.org", Fault.STRAY)
    answer = await resolver.mx("example.org")
    assert sorted(answer.records) == [Mx(10, "mx1.example.org"), Mx(20, "mx2.example.org")]
    assert server.asked("example.org") == 1


class Forged(asyncio.DatagramProtocol):
    """Answers each question after somebody else has, who knows what was asked."""

    def __init__(self, server: DnsServer, liar: DnsServer) -> None:
        self._server, self._liar = server, liar

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        (lie,), (answer,) = self._liar.respond(data, "udp"), self._server.respond(data, "udp")
        with socket.socket(self._transport.get_extra_info("socket").family, socket.SOCK_DGRAM) as other:
            other.sendto(lie or b"", address)
        self._transport.sendto(answer or b"", address)


@pytest.mark.parametrize(("host", "written"), [("127.0.0.1", "127.0.0.1:{}"), ("::1", "[0:0::1]:{}")])
async def test_an_answer_from_elsewhere_is_not_taken(server: DnsServer, host: str, written: str) -> None:
    liar = DnsServer({"bare.example.org": {"A": ["192.0.2.66"]}})
    with liar:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Forged(server, liar), local_addr=(host, 0)
        )
        resolver = DnsResolver((written.format(transport.get_extra_info("sockname")[1]),))
        try:
            assert (await resolver.ipv4("bare.example.org")).addresses == ("192.0.2.3",)
        finally:
            transport.close()
    assert liar.asked("bare.example.org", "A") == server.asked("bare.example.org", "A") == 1


async def test_a_name_denied_for_one_family_may_have_the_other(server: DnsServer, resolver: DnsResolver) -> None:
    server.fail("bare.example.org", Fault.NXDOMAIN, kind="AAAA")
    assert (await resolver.addresses("bare.example.org")).addresses == ("192.0.2.3",)


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


async def test_the_only_one_that_validates_is_asked_first_however_silent(server: DnsServer, clock: Hands) -> None:
    """Else whoever owns a slow zone could lead us to servers whose answers nobody vouches for."""
    with DnsServer() as silent:
        resolver = DnsResolver((silent.address, server.address), lifetime=5, clock=clock)
        resolver._validating = resolver._servers[:1]
        for number in range(QUIET_TRIES + 1):
            silent.fail(f"n{number}.example.org", Fault.SILENT)
            await resolver.mx(f"n{number}.example.org")
            assert silent.asked(f"n{number}.example.org") == 1


async def test_tlsa_records_are_asked_of_none_but_those_that_validate(server: DnsServer) -> None:
    server.zone["_25._tcp.mx.example.net"] = {"TLSA": ["3 1 1 " + "0a" * 32]}
    with DnsServer() as silent:
        silent.fail("_25._tcp.mx.example.net", Fault.SERVFAIL)
        resolver = DnsResolver((silent.address, server.address))
        resolver._validating = resolver._servers[:1]
        assert (await resolver.tlsa(25, "mx.example.net")).status is Status.FAILED
        assert not server.seen


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


SIGNED = {
    "example.net": {"MX": ["10 mx.example.net."]},
    "mx.example.net": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
    "_25._tcp.mx.example.net": {"TLSA": ["3 1 1 " + "0a" * 32, "2 0 1 " + "0b" * 32]},
    "alias.example.net": {"CNAME": ["mx.example.net."]},
    "away.example.net": {"CNAME": ["mx.unsigned.test."]},
    "mx.unsigned.test": {"A": ["192.0.2.2"]},
}


async def test_what_a_validating_resolver_vouches_for_is_secure(server: DnsServer, resolver: DnsResolver) -> None:
    server.zone.update(SIGNED)
    server.vouched = {name for name in SIGNED if name.endswith("example.net")}
    assert (await resolver.mx("example.net")).secure
    assert not (await resolver.mx("example.org")).secure
    assert (await resolver.addresses("mx.example.net")).secure
    assert not (await resolver.addresses("mx1.example.org")).secure
    answer = await resolver.tlsa(25, "mx.example.net")
    assert answer.secure
    assert set(answer.records) == {Tlsa(3, 1, 1, b"\n" * 32), Tlsa(2, 0, 1, b"\x0b" * 32)}


@pytest.mark.parametrize(
    ("host", "vouched", "bases"),
    [
        ("mx.example.net", "mx.example.net", ("mx.example.net",)),
        ("MX.example.net.", "mx.example.net", ("mx.example.net",)),
        ("mx.example.net", "", ()),
        ("alias.example.net", "alias.example.net mx.example.net", ("mx.example.net", "alias.example.net")),
        ("away.example.net", "away.example.net", ("away.example.net",)),
        ("away.example.net", "mx.unsigned.test", ()),
        ("alias.example.net", "", ()),
    ],
)
async def test_where_tlsa_records_are_looked_for(
    server: DnsServer, resolver: DnsResolver, host: str, vouched: str, bases: tuple[str, ...]
) -> None:
    server.zone.update(SIGNED)
    server.vouched = set(vouched.split())
    answer = await resolver.addresses(host)
    assert answer.bases == bases
    assert answer.status is Status.FOUND


@pytest.mark.parametrize("failing", ["A", "AAAA"])
async def test_one_family_that_fails_hides_nothing_of_the_other(
    server: DnsServer, resolver: DnsResolver, clock: Hands, failing: str
) -> None:
    server.zone.update(SIGNED)
    server.vouched = {"*"}
    server.fail("alias.example.net", Fault.SERVFAIL, kind=failing)
    answer = await resolver.addresses("alias.example.net")
    assert answer.addresses == (("192.0.2.1",) if failing == "AAAA" else ("2001:db8::1",))
    assert answer.bases == ("mx.example.net", "alias.example.net")
    server.heal("alias.example.net")
    clock.now += FAILURE_SECONDS + 1
    assert len((await resolver.addresses("alias.example.net")).addresses) == 2


async def test_an_alias_that_was_not_vouched_for_in_time_is_asked_for_again(
    server: DnsServer, resolver: DnsResolver, clock: Hands
) -> None:
    server.zone.update(SIGNED)
    server.vouched = {"away.example.net"}
    server.fail("away.example.net", Fault.SERVFAIL, kind="CNAME")
    assert (await resolver.addresses("away.example.net")).bases == ()
    server.heal("away.example.net")
    clock.now += FAILURE_SECONDS + 1
    assert (await resolver.addresses("away.example.net")).bases == ("away.example.net",)
    assert server.asked("away.example.net", "A") == 1


async def test_nobody_is_believed_that_it_validates_unless_we_trust_it(server: DnsServer) -> None:
    server.zone.update(SIGNED)
    server.vouched = {"*"}
    resolver = DnsResolver((server.address,), dnssec="never")
    assert (await resolver.mx("example.net")).secure is False
    assert await resolver.addresses("away.example.net") == AddressAnswer(Status.FOUND, ("192.0.2.2",))
    assert (await resolver.tlsa(25, "mx.example.net")).status is Status.NO_DATA
    assert (server.asked("away.example.net", "CNAME"), server.asked("_25._tcp.mx.example.net")) == (0, 0)


@pytest.mark.parametrize(
    ("vouched", "dnssec", "expected"),
    [("*", "loopback", True), ("*", "always", True), ("*", "never", False), ("", "loopback", False)],
)
async def test_whether_a_name_server_validates(server: DnsServer, vouched: str, dnssec: str, expected: bool) -> None:
    server.zone["."] = {}
    server.vouched = {vouched}
    assert await DnsResolver((server.address,), dnssec=dnssec).validates() is expected


async def test_who_does_not_answer_does_not_validate(server: DnsServer) -> None:
    server.fail(".", Fault.REFUSED)
    assert not await DnsResolver((server.address,)).validates()


@pytest.mark.parametrize(
    ("vouched", "fault", "expected"),
    [
        ("*", None, (Status.FOUND, "mx.example.net")),
        ("", None, (Status.NO_DATA, "")),
        ("*", Fault.SERVFAIL, (Status.FAILED, "mx.example.net")),
    ],
)
async def test_which_tlsa_records_count(
    server: DnsServer, resolver: DnsResolver, vouched: str, fault: Fault | None, expected: tuple[Status, str]
) -> None:
    server.zone.update(SIGNED)
    server.vouched = {vouched}
    if fault:
        server.fail("_25._tcp.mx.example.net", fault)
    found = await records_of(resolver, ("mx.example.net", "alias.example.net"), 25)
    assert (found.status, found.base) == expected


async def test_the_second_base_domain_is_asked_if_the_first_has_none(server: DnsServer, resolver: DnsResolver) -> None:
    server.zone.update(SIGNED)
    server.vouched = {"*"}
    found = await records_of(resolver, ("elsewhere.example.net", "mx.example.net"), 25)
    assert (found.status, found.base, len(found.records)) == (Status.FOUND, "mx.example.net", 2)


GOOD = "3 1 1 " + "0a" * 32


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([GOOD, "\\# 5 0301010b0b"], {Tlsa(3, 1, 1, b"\n" * 32), Tlsa(3, 1, 1, b"\x0b\x0b")}),
        (
            [GOOD, "\\# 2 0301", "\\# 0"],
            {Tlsa(3, 1, 1, b"\n" * 32), Tlsa(255, 255, 255, b"\3\1"), Tlsa(255, 255, 255, b"")},
        ),
        (["\\# 35 030102" + "0c" * 32], {Tlsa(3, 1, 2, b"\x0c" * 32)}),
        (["\\# 3 030101"], {Tlsa(3, 1, 1, b"")}),
    ],
)
async def test_a_tlsa_record_of_a_wrong_length_is_one_that_cannot_be_used(
    server: DnsServer, resolver: DnsResolver, records: list[str], expected: set[Tlsa]
) -> None:
    """Those beside it count, and so does that there is one (RFC 7672 section 2.2)."""
    server.zone["_25._tcp.mx.example.net"] = {"TLSA": records}
    server.vouched = {"*"}
    found = await resolver.tlsa(25, "mx.example.net")
    assert (found.status, set(found.records), found.secure) == (Status.FOUND, expected, True)
    assert set(usable(found.records)) == {
        record for record in expected if len(record.data) == 32 and record.matching == 1
    }
