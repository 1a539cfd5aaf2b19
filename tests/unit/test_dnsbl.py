"""DNS lists: which name is asked for, which answers count, and what several lists mean together."""

import asyncio
from ipaddress import ip_address

import pytest

from services.ingress.policy.dnsbl import LATE, DnsList, ask, listed_by
from shared.dns.port import AddressAnswer, Status
from shared.dns.resolver import DnsResolver
from tests.support.dns_server import DnsServer, Fault


@pytest.mark.parametrize(
    ("text", "zone", "answers"),
    [
        ("bl.example", "bl.example", None),
        ("bl.example=127.0.0.2", "bl.example", ({127}, {0}, {0}, {2})),
        ("bl.example=127.0.0.[2..4]", "bl.example", ({127}, {0}, {0}, {2, 3, 4})),
        ("bl.example=127.0.[0;2].[2..3;10..11;14]", "bl.example", ({127}, {0}, {0, 2}, {2, 3, 10, 11, 14})),
    ],
)
def test_how_a_list_is_written(text: str, zone: str, answers: tuple[set[int], ...] | None) -> None:
    assert DnsList.parse(text) == (zone, answers)


@pytest.mark.parametrize(
    ("address", "question"),
    [
        ("192.0.2.99", "99.2.0.192.bl.example"),
        (
            "2001:db8:1:2:3:4:567:89ab",
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.example",
        ),
    ],
)
def test_the_examples_of_rfc_5782(address: str, question: str) -> None:
    assert DnsList("bl.example").question(ip_address(address)) == question


def found(*addresses: str) -> AddressAnswer:
    return AddressAnswer(Status.FOUND, addresses)


NONE = AddressAnswer(Status.NO_NAME)
FAILED = AddressAnswer(Status.FAILED, detail="SERVFAIL")
ANSWERS = [
    ("bl.example", found("127.0.0.2"), True, None),
    ("bl.example", found("127.0.1.255"), True, None),
    ("bl.example", NONE, False, None),
    ("bl.example", AddressAnswer(Status.NO_DATA), False, None),
    ("bl.example", FAILED, False, "SERVFAIL"),
    ("bl.example", AddressAnswer(Status.FAILED), False, "failed"),
    ("bl.example", found("127.0.0.1"), False, "127.0.0.1"),
    ("bl.example", found("127.255.255.254"), False, "127.255.255.254"),
    ("bl.example", found("203.0.113.80"), False, "203.0.113.80"),
    ("bl.example", found("203.0.113.80", "127.0.0.3"), True, None),
    ("bl.example=127.0.0.[2..11]", found("127.0.0.11"), True, None),
    ("bl.example=127.0.0.[2..11]", found("127.0.0.12"), False, None),
    ("bl.example=127.0.0.[2..11]", found("127.0.0.12", "127.0.0.4"), True, None),
    ("bl.example=127.0.0.[2..11]", found("127.255.255.254"), False, "127.255.255.254"),
    ("bl.example=127.0.0.1", found("127.0.0.1"), True, None),
]


@pytest.mark.parametrize(("text", "answer", "listed", "trouble"), ANSWERS)
def test_which_answers_count(text: str, answer: AddressAnswer, *, listed: bool, trouble: str | None) -> None:
    one = DnsList.parse(text)
    assert one.has(answer) is listed
    said = one.trouble(answer)
    assert (said is None) is (trouble is None)
    assert (trouble or "") in (said or "")


@pytest.mark.parametrize(
    ("entry", "nobody", "fault"),
    [
        (found("127.0.0.2"), NONE, None),
        (found("127.0.0.99"), NONE, None),
        (NONE, NONE, "lacks its test entry"),
        (found("127.0.0.2"), found("127.0.0.2"), "has every address"),
        (FAILED, NONE, "SERVFAIL"),
        (found("127.0.0.2"), FAILED, "SERVFAIL"),
        (found("127.255.255.254"), found("127.255.255.254"), "answers 127.255.255.254"),
        (found("203.0.113.1"), found("203.0.113.1"), "answers 203.0.113.1"),
    ],
)
@pytest.mark.parametrize("text", ["bl.example", "bl.example=127.0.0.[2..11]"])
def test_whether_a_list_works(text: str, entry: AddressAnswer, nobody: AddressAnswer, fault: str | None) -> None:
    said = DnsList.parse(text).fault(entry, nobody)
    assert (said is None) is (fault is None)
    assert (fault or "") in (said or "")


A, B, W = DnsList("a.example"), DnsList("b.example"), DnsList("w.example")
LISTED = found("127.0.0.2")


@pytest.mark.parametrize(
    ("a", "b", "white", "zone"),
    [
        (NONE, NONE, NONE, ""),
        (LISTED, NONE, NONE, "a.example"),
        (NONE, LISTED, NONE, "b.example"),
        (LISTED, LISTED, NONE, "a.example"),
        (FAILED, LISTED, FAILED, "b.example"),
        (FAILED, FAILED, FAILED, ""),
        (LISTED, LISTED, LISTED, ""),
        (LISTED, NONE, found("127.255.255.254"), "a.example"),
        (LATE, LATE, LATE, ""),
    ],
)
def test_several_lists(a: AddressAnswer, b: AddressAnswer, white: AddressAnswer, zone: str) -> None:
    assert listed_by((A, B), (W,), {A: a, B: b, W: white}) == zone


def test_lists_are_asked_about_ipv6_and_who_is_late_has_failed() -> None:
    v6 = ip_address("2001:db8::1")
    zone = {A.question(v6): {"A": ["127.0.0.2"]}}
    with DnsServer(zone) as dns:
        dns.fail(B.question(v6), Fault.SILENT)
        resolver = DnsResolver((dns.address,), lifetime=20)
        answers = asyncio.run(ask(resolver, v6, (A, B, W), 1.0))
    assert answers[A] == found("127.0.0.2")
    assert answers[B] == LATE
    assert answers[W].status is Status.NO_NAME


def test_without_lists_nothing_is_asked() -> None:
    assert asyncio.run(ask(DnsResolver(("127.0.0.1:9",)), ip_address("192.0.2.1"), (), 1.0)) == {}
