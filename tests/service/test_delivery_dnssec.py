"""DANE from end to end: a zone that BIND signs, an unbound that validates it, servers with certificates to match."""

from typing import NamedTuple

import pytest
import trustme

from tests.support.certificates import chain_of, der, server_context, tlsa, zone_form
from tests.support.delivery_world import World, again, message
from tests.support.dnssec import Dnssec

ROOT = trustme.CA()
GOOD, STRANGER = ROOT.issue_cert("mx.example.net"), trustme.CA().issue_cert("mx.example.net")
RIGHT, WRONG = (zone_form(tlsa(chain_of(leaf)[0], 3, 1, 1)) for leaf in (GOOD, STRANGER))
SHORT = RIGHT[:-2]
AUTHORITY = zone_form(tlsa(der(ROOT), 2, 0, 0))


class Case(NamedTuple):
    """What is published where, and what becomes of mail to a server with a certificate of its own making."""

    domain: str
    host: str
    records: str
    tls: bool
    expected: str
    forged: bool = False


CASES = [
    Case("example.net", "mx.example.net", RIGHT, True, "tls"),
    Case("example.net", "mx.example.net", AUTHORITY, True, "tls"),
    Case("example.net", "mx.example.net", WRONG, True, "454 4.7.5 mx.example.net is not trusted"),
    Case("example.net", "mx.example.net", RIGHT, False, "454 4.7.4 mx.example.net offers no STARTTLS"),
    Case("example.net", "mx.example.net", RIGHT, True, "451 4.7.5 no answer about the TLSA records", forged=True),
    # a digest cut short is no record to go by, but says that there is TLS
    Case("example.net", "mx.example.net", SHORT, True, "tls"),
    Case("example.net", "mx.example.net", SHORT, False, "454 4.7.4 mx.example.net offers no STARTTLS"),
    # a signed MX of an unsigned domain, and the other way round
    Case("plain.test", "mx.example.net", WRONG, True, "tls"),
    Case("plain.test", "mx.example.net", RIGHT, False, "clear"),
    Case("example.net", "mx.plain.test", WRONG, True, "tls"),
    Case("example.net", "mx.plain.test", RIGHT, False, "clear"),
]


@pytest.mark.parametrize("case", CASES)
async def test_signed_records_are_held_against_a_host(world: World, case: Case) -> None:
    server = world.server(tls=server_context(GOOD) if case.tls else None)
    name = f"_{world.port}._tcp.{case.host}"
    zone = {
        case.domain: {"MX": [f"10 {case.host}."]},
        case.host: {"A": [server.host]},
        name: {"TLSA": [case.records]},
    }
    with Dnssec(zone, forged={name: {"TLSA": [WRONG]}} if case.forged else None) as dns:
        world.configure(nameservers=(dns.address,))
        sends = await world.deliver(message(f"bob@{case.domain}"))
    if sends:
        assert again(sends).item.history[-1].text.startswith(case.expected)
        assert server.transactions == []
    else:
        assert ("tls" if server.transactions[0].tls else "clear") == case.expected
