"""Forward-confirmed reverse DNS: which name counts, and what follows where none does."""

import asyncio
from ipaddress import ip_address

import pytest

from services.ingress import replies
from services.ingress.policy.inquiry import Findings, Inquiries, decide
from services.ingress.policy.reverse import MAX_NAMES, Reverse, confirmed, look_up
from services.ingress.replies import Refuse
from shared.config.model import Ingress
from shared.dns.port import AddressAnswer, PtrAnswer, Status
from shared.dns.resolver import DnsResolver
from tests.support.dns_server import DnsServer, Fault

CLIENT = ip_address("192.0.2.1")
V6 = ip_address("2001:db8::1")
OURS = AddressAnswer(Status.FOUND, ("198.51.100.1", "192.0.2.1"))
OTHERS = AddressAnswer(Status.FOUND, ("192.0.2.2",))
NONE = AddressAnswer(Status.NO_NAME)
FAILED = AddressAnswer(Status.FAILED)


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({}, Reverse(Status.NO_DATA)),
        ({"a.example": OURS}, Reverse(Status.FOUND, "a.example")),
        ({"a.example": OTHERS}, Reverse(Status.NO_DATA)),
        ({"a.example": NONE}, Reverse(Status.NO_DATA)),
        ({"a.example": FAILED}, Reverse(Status.FAILED)),
        ({"a.example": FAILED, "b.example": OURS}, Reverse(Status.FOUND, "b.example")),
        ({"a.example": OTHERS, "b.example": FAILED}, Reverse(Status.FAILED)),
        ({"a.example": OURS, "b.example": OURS}, Reverse(Status.FOUND, "a.example")),
    ],
)
def test_a_name_counts_if_it_has_the_address(answers: dict[str, AddressAnswer], found: Reverse) -> None:
    assert confirmed(CLIENT, answers) == found


BLOCKED = replies.listed("192.0.2.1", "bl.example")
DECISIONS = [
    (Findings(), False, None),
    (Findings(), True, None),
    (Findings("bl.example"), False, BLOCKED),
    (Findings("bl.example", Reverse(Status.FAILED)), True, BLOCKED),
    (Findings("", Reverse(Status.FOUND, "a.example")), True, None),
    (Findings("", Reverse(Status.NO_NAME)), True, replies.NO_REVERSE_DNS),
    (Findings("", Reverse(Status.NO_DATA)), True, replies.NO_REVERSE_DNS),
    (Findings("", Reverse(Status.FAILED)), True, replies.REVERSE_DNS_TROUBLE),
    (Findings("", Reverse(Status.NO_NAME)), False, None),
    (Findings("", Reverse(Status.FAILED)), False, None),
]


@pytest.mark.parametrize(("findings", "required", "refused"), DECISIONS)
def test_what_follows_from_what_was_found(findings: Findings, refused: Refuse | None, *, required: bool) -> None:
    assert decide(findings, "192.0.2.1", name_required=required) == refused


def test_a_refusal_names_address_and_list() -> None:
    assert str(BLOCKED.reply) == "550 5.7.1 Your address 192.0.2.1 is listed by bl.example"


@pytest.fixture
def dns() -> DnsServer:
    many = [f"n{number:02}.example." for number in range(MAX_NAMES + 1)]
    return DnsServer(
        {
            "1.2.0.192.in-addr.arpa": {"PTR": ["Mail.Example.ORG."]},
            "mail.example.org": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
            V6.reverse_pointer: {"PTR": ["liar.example.", "mail.example.org."]},
            "liar.example": {"AAAA": ["2001:db8::2"]},
            "2.2.0.192.in-addr.arpa": {"PTR": many},
            f"n{MAX_NAMES:02}.example": {"A": ["192.0.2.2"]},
            "3.2.0.192.in-addr.arpa": {"PTR": ["."]},
        }
    )


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("192.0.2.1", Reverse(Status.FOUND, "mail.example.org")),
        ("2001:db8::1", Reverse(Status.FOUND, "mail.example.org")),
        ("192.0.2.2", Reverse(Status.NO_DATA)),
        ("192.0.2.3", Reverse(Status.NO_DATA)),
        ("192.0.2.4", Reverse(Status.NO_NAME)),
    ],
)
def test_looked_up_in_a_real_server(dns: DnsServer, address: str, found: Reverse) -> None:
    with dns:
        assert asyncio.run(look_up(DnsResolver((dns.address,)), ip_address(address))) == found


@pytest.mark.parametrize("name", ["1.2.0.192.in-addr.arpa", "mail.example.org"])
@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.SILENT])
def test_a_failure_is_temporary(dns: DnsServer, name: str, fault: Fault) -> None:
    with dns:
        dns.fail(name, fault)
        found = asyncio.run(look_up(DnsResolver((dns.address,), lifetime=20), CLIENT, 1.0))
    assert found == Reverse(Status.FAILED)


class Broken(DnsResolver):
    """A resolver with a defect."""

    async def ptr(self, address: str) -> PtrAnswer:
        raise RuntimeError(address)


def test_a_defect_of_ours_ends_no_session() -> None:
    """What is not known is temporary, and nobody is on a list."""

    async def ask() -> Findings:
        inquiries = Inquiries(Ingress(require_reverse_dns=True), Broken(("127.0.0.1:9",)))
        return await inquiries.begin("192.0.2.1")

    assert asyncio.run(ask()) == Findings("", Reverse(Status.FAILED))
