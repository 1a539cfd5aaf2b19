"""What a real validating resolver says about a zone that is really signed, and what delivery makes of it."""

import random
from collections.abc import Iterator

import pytest

from services.delivery.routing.hosts import Hosts
from services.delivery.routing.mx import Rules
from services.delivery.routing.route import ByMx, Routes
from services.delivery.routing.tlsa import records_of
from shared.dns.port import Mx, Status
from shared.dns.resolver import DnsResolver
from tests.support.dnssec import Dnssec

EE = "3 1 1 " + "0a" * 32

RECORDS = {
    "example.net": {"MX": ["10 mx.example.net."], "A": ["192.0.2.9"]},
    "mx.example.net": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
    "_25._tcp.mx.example.net": {"TLSA": [EE]},
    "odd.example.net": {"A": ["192.0.2.5"]},
    "_25._tcp.odd.example.net": {"TLSA": [EE, "3 1 1 0b0b", "3 1 2 " + "0c" * 32]},
    "alias.example.net": {"CNAME": ["mx.example.net."]},
    "bare.example.net": {"A": ["192.0.2.2"]},
    "away.example.net": {"CNAME": ["mx.plain.test."]},
    "_25._tcp.away.example.net": {"TLSA": [EE]},
    "spoilt.example.net": {"A": ["192.0.2.3"]},
    "_25._tcp.spoilt.example.net": {"TLSA": [EE]},
    "lie.example.net": {"MX": ["10 mx.example.net."]},
    "plain.test": {"MX": ["10 mx.plain.test."]},
    "mx.plain.test": {"A": ["192.0.2.4"]},
    "_25._tcp.mx.plain.test": {"TLSA": [EE]},
    "other.test": {"MX": ["10 mx.example.net."]},
    "back.plain.test": {"CNAME": ["mx.example.net."]},
}
FORGED = {
    "_25._tcp.spoilt.example.net": {"TLSA": ["3 1 1 " + "0b" * 32]},
    "lie.example.net": {"MX": ["10 mx.plain.test."]},
}


@pytest.fixture(scope="module")
def dns() -> Iterator[Dnssec]:
    with Dnssec(RECORDS, forged=FORGED) as dns:
        yield dns


@pytest.fixture
def resolver(dns: Dnssec) -> DnsResolver:
    return DnsResolver((dns.address,))


@pytest.mark.parametrize(
    ("domain", "status", "secure"),
    [
        ("example.net", Status.FOUND, True),
        ("mx.example.net", Status.NO_DATA, True),
        ("absent.example.net", Status.NO_NAME, False),
        ("plain.test", Status.FOUND, False),
        ("lie.example.net", Status.FAILED, False),
    ],
)
async def test_mail_hosts(resolver: DnsResolver, domain: str, status: Status, secure: bool) -> None:
    answer = await resolver.mx(domain)
    assert (answer.status, answer.secure) == (status, secure)
    if status is Status.FOUND:
        assert answer.records == (Mx(10, f"mx.{domain}"),)


@pytest.mark.parametrize(
    ("host", "secure", "bases"),
    [
        ("mx.example.net", True, ("mx.example.net",)),
        ("bare.example.net", True, ("bare.example.net",)),
        ("alias.example.net", True, ("mx.example.net", "alias.example.net")),
        ("away.example.net", False, ("away.example.net",)),
        ("back.plain.test", False, ()),
        ("mx.plain.test", False, ()),
    ],
)
async def test_hosts_and_their_base_domains(
    resolver: DnsResolver, host: str, secure: bool, bases: tuple[str, ...]
) -> None:
    answer = await resolver.addresses(host)
    assert (answer.status, answer.secure, answer.bases) == (Status.FOUND, secure, bases)


@pytest.mark.parametrize(
    ("host", "status", "base"),
    [
        ("mx.example.net", Status.FOUND, "mx.example.net"),
        ("alias.example.net", Status.FOUND, "mx.example.net"),
        ("away.example.net", Status.FOUND, "away.example.net"),
        ("bare.example.net", Status.NO_DATA, ""),
        ("spoilt.example.net", Status.FAILED, "spoilt.example.net"),
        ("mx.plain.test", Status.NO_DATA, ""),
        ("back.plain.test", Status.NO_DATA, ""),
    ],
)
async def test_which_tlsa_records_count(resolver: DnsResolver, host: str, status: Status, base: str) -> None:
    found = await records_of(resolver, (await resolver.addresses(host)).bases, 25)
    assert (found.status, found.base) == (status, base)


async def test_tlsa_records_of_wrong_lengths_take_none_with_them(resolver: DnsResolver) -> None:
    found = await records_of(resolver, ("odd.example.net",), 25)
    assert found.status is Status.FOUND
    assert {(record.matching, len(record.data)) for record in found.records} == {(1, 32), (1, 2), (2, 32)}


@pytest.mark.parametrize(
    ("domain", "bases"),
    [
        ("example.net", ("mx.example.net",)),
        ("bare.example.net", ("bare.example.net",)),  # without MX
        ("away.example.net", ("away.example.net",)),  # without MX where its alias leads, which is secure itself
        ("plain.test", ()),
        ("other.test", ()),  # its host is secure, but whoever names it is not
    ],
)
async def test_what_a_target_knows_of_dane(resolver: DnsResolver, domain: str, bases: tuple[str, ...]) -> None:
    hosts = Hosts(Routes({}, {}, ByMx(25)), Rules("relay.example.org", allow_private=True), resolver, random.Random(1))
    found = await hosts.targets(domain)
    assert {target.bases for target in found.targets} == {bases}


async def test_insecure_tlsa_records_count_for_nothing(resolver: DnsResolver) -> None:
    assert (await resolver.tlsa(25, "mx.plain.test")).secure is False
    assert (await records_of(resolver, ("mx.plain.test",), 25)).status is Status.NO_DATA
