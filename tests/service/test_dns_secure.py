"""What a name server that is trusted to validate vouches for, and where TLSA records are looked for."""

from collections.abc import Iterator

import pytest

from services.delivery.routing.tlsa import records_of
from services.delivery.security.dane import usable
from shared.dns.nameservers import QUIET_TRIES
from shared.dns.port import AddressAnswer, Status, Tlsa
from shared.dns.resolver import FAILURE_SECONDS, DnsResolver
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
