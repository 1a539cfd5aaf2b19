"""REQUIRETLS (RFC 8689): over TLS with a verified certificate, to hosts that pass the demand on, or not at all."""

import hashlib
from email import message_from_bytes
from email.policy import default
from typing import NamedTuple

import pytest
import trustme

from shared.model import Message, Place, Send
from tests.support.certificates import chain_of, server_context, tlsa, zone_form
from tests.support.delivery_world import CONTENT, World, message, server_tls
from tests.support.dns_server import Zone
from tests.support.smtp_server import SmtpServer

BOB = "bob@example.net"
HOST = "mx.example.net"
OFFERED = ("8BITMIME", "REQUIRETLS")


def routed(world: World, ca_file: str, *servers: SmtpServer, tls: str = "may") -> None:
    """Route example.net to a host with these servers as its addresses."""
    world.dns.zone[HOST] = {"A": [server.host for server in servers]}
    world.configure(route={"example.net": f"smtp://{HOST}:{world.port}?tls={tls}&ca={ca_file}"})


def status(sends: tuple[Send, ...] | list[Send]) -> str:
    """Return the Status of the one report."""
    (report,) = [send.message for send in sends if send.place is Place.REDELIVER]
    assert report.item.envelope.sender is None
    return group(report)["Status"]


def group(report: Message) -> dict[str, str]:
    """Return the fields of the report's first recipient."""
    parts = list(message_from_bytes(report.content, policy=default).walk())
    (delivery,) = [part for part in parts if part.get_content_type() == "message/delivery-status"]
    return dict(delivery.get_payload()[1].items())  # type: ignore[union-attr, index]


class Host(NamedTuple):
    """A host and what becomes of a message that requires TLS."""

    names: tuple[str, ...]
    """Of its certificate; none means no TLS."""
    offered: tuple[str, ...]
    expected: str
    """"delivered", or the status of the report."""


HOSTS = [
    Host((HOST,), OFFERED, "delivered"),
    Host((HOST,), ("8BITMIME",), "5.7.30"),
    Host(("other.example.net",), OFFERED, "5.7.30"),
    Host((), OFFERED, "5.7.30"),
]


@pytest.mark.parametrize("host", HOSTS)
async def test_only_a_host_with_verified_tls_gets_it(
    world: World, authority: trustme.CA, ca_file: str, host: Host
) -> None:
    tls = server_tls(authority, *host.names) if host.names else None
    server = world.server(tls=tls, extensions=host.offered)
    routed(world, ca_file, server)
    sends = await world.deliver(message(BOB, require_tls=True))
    if host.expected == "delivered":
        assert sends == ()
        (mail,) = server.transactions
        assert mail.tls
        assert mail.mail_params == ("REQUIRETLS",)
    else:
        assert status(list(sends)) == host.expected
        assert not any(command.startswith("MAIL") for command in server.commands)


async def test_a_certificate_of_an_unknown_authority_will_not_do(world: World, authority: trustme.CA) -> None:
    server = world.server(tls=server_tls(authority, "mx1.example.net"), extensions=OFFERED)
    world.mx("example.net", (10, server))
    assert status(list(await world.deliver(message(BOB, require_tls=True)))) == "5.7.30"
    assert await world.deliver(message(BOB)) == ()


@pytest.mark.parametrize(
    ("zone", "vouched", "expected"),
    [
        ({"example.net": {"MX": ["10 mx.example.net."]}}, "example.net", "delivered"),
        ({"example.net": {"MX": ["10 mx.example.net."]}}, "", "5.7.30"),
        ({"example.net": {"MX": ["10 mx.example.net."]}}, "mx.example.net", "5.7.30"),
        # the domain is its own host
        ({"example.net": {"A": ["ADDRESS"]}}, "", "delivered"),
        ({"example.net": {"MX": ["10 example.net."], "A": ["ADDRESS"]}}, "", "delivered"),
    ],
)
async def test_a_host_that_anybody_may_have_named_does_not_get_it(
    world: World, authority: trustme.CA, ca_file: str, zone: Zone, vouched: str, expected: str
) -> None:
    """RFC 8689 section 4.2.1: a certificate proves nothing for a name out of an MX record that may be forged."""
    server = world.server(tls=server_tls(authority, HOST, "example.net"), extensions=OFFERED)
    world.dns.zone[HOST] = {"A": [server.host]}
    for name, kinds in zone.items():
        world.dns.zone[name] = {
            kind: [each.replace("ADDRESS", server.host) for each in records] for kind, records in kinds.items()
        }
    world.dns.vouched = {vouched}
    world.configure(tls_ca=ca_file)
    sends = await world.deliver(message(BOB, require_tls=True))
    assert ("delivered" if sends == () else status(list(sends))) == expected
    assert server.sessions == (expected == "delivered")


async def test_another_host_may_do_what_the_first_cannot(world: World, authority: trustme.CA, ca_file: str) -> None:
    """The first is the one with the IPv6 address."""
    tls = server_tls(authority, HOST)
    lacking, good = world.server(host="::1", tls=tls, extensions=()), world.server(tls=tls, extensions=OFFERED)
    world.dns.zone[HOST] = {"AAAA": [lacking.host], "A": [good.host]}
    world.configure(route={"example.net": f"smtp://{HOST}:{world.port}?tls=may&ca={ca_file}"})
    assert await world.deliver(message(BOB, require_tls=True)) == ()
    assert (lacking.sessions, len(lacking.transactions), len(good.transactions)) == (1, 0, 1)


async def test_a_session_without_verified_tls_is_not_used_again(
    world: World, authority: trustme.CA, ca_file: str
) -> None:
    server = world.server(tls=server_tls(authority, HOST), extensions=OFFERED)
    routed(world, ca_file, server)
    assert await world.deliver(message(BOB)) == ()
    assert await world.deliver(message(BOB, require_tls=True)) == ()
    assert server.sessions == 2


@pytest.mark.parametrize(
    ("published", "offered", "expected"),
    [
        ("right", OFFERED, "delivered"),
        ("right", ("8BITMIME",), "5.7.30"),
        ("wrong", OFFERED, "5.7.30"),
        ("unusable", OFFERED, "5.7.30"),
        ("none", OFFERED, "5.7.30"),
    ],
)
async def test_a_host_may_prove_itself_by_dane(
    world: World, published: str, offered: tuple[str, ...], expected: str
) -> None:
    """Its certificate is of no authority we know."""
    leaf = trustme.CA().issue_cert("mx1.example.net")
    server = world.server(tls=server_context(leaf), extensions=offered)
    world.mx("example.net", (10, server))
    world.dns.vouched = {"*"}
    right = tlsa(chain_of(leaf)[0], 3, 1, 1)
    records = {"right": right, "wrong": right._replace(data=b"\0" * 32), "unusable": right._replace(usage=1)}
    if published in records:
        name = f"_{world.port}._tcp.mx1.example.net"
        world.dns.zone[name] = {"TLSA": [zone_form(records[published])]}
    sends = await world.deliver(message(BOB, require_tls=True))
    assert ("delivered" if sends == () else status(list(sends))) == expected


@pytest.mark.parametrize(("policy", "expected"), [("right", "delivered"), ("wrong", "5.7.30"), ("none", "5.7.30")])
async def test_a_host_may_prove_itself_by_its_fingerprint(world: World, policy: str, expected: str) -> None:
    leaf = trustme.CA().issue_cert("mx1.example.net")
    digest = hashlib.sha256(chain_of(leaf)[0]).hexdigest()
    policies = {"right": f"fingerprint=sha256:{digest}", "wrong": f"fingerprint=sha256:{'00' * 32}", "none": "none"}
    server = world.server(tls=server_context(leaf), extensions=OFFERED)
    world.mx("example.net", (10, server))
    world.configure(tls_policy={"*": policies[policy]})
    sends = await world.deliver(message(BOB, require_tls=True))
    assert ("delivered" if sends == () else status(list(sends))) == expected


async def test_a_report_goes_with_the_protection_there_is(world: World) -> None:
    """RFC 8689 section 5: with the null sender, REQUIRETLS loses no mail."""
    server = world.server()
    world.mx("example.net", (10, server))
    assert await world.deliver(message(BOB, sender=None, require_tls=True)) == ()
    assert server.transactions[0].mail_params == (f"SIZE={len(CONTENT)}",)
