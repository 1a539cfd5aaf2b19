"""Answers no server should give, and some do: what cannot be read, is cut short, forged or about something else."""

import asyncio
import socket
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from shared.dns.port import Mx, MxAnswer, Status
from shared.dns.resolver import DnsResolver
from tests.support.dns_server import DnsServer, Fault
from tests.support.dns_zone import ZONE


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer({name: dict(records) for name, records in ZONE.items()}) as server:
        yield server


@pytest.fixture
def resolver(server: DnsServer) -> DnsResolver:
    return DnsResolver((server.address,), lifetime=10)


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
