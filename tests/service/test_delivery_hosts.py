"""Which host gets the mail: DNS as it is in the field, real servers behind it."""

import pytest

from services.delivery.routing.mx import MAX_HOSTS
from shared.config.units import Duration
from shared.model import Place, Send
from tests.support.delivery_world import World, again, message
from tests.support.dns_server import Fault
from tests.support.ports import free_port
from tests.support.smtp_server import Drop, Hang, Reset, Step

BOB = "bob@example.net"


def report_in(sends: list[Send]) -> bytes:
    """Return the one report's content."""
    (send,) = sends
    assert send.place is Place.REDELIVER
    assert send.message.item.envelope.sender is None
    return send.message.content


async def test_the_best_preference_gets_the_mail(world: World) -> None:
    worse, best = world.server(), world.server()
    world.mx("example.net", (20, worse), (10, best))
    assert await world.deliver(message(BOB)) == ()
    assert [mail.recipients for mail in best.transactions] == [(BOB,)]
    assert worse.sessions == 0


@pytest.mark.parametrize(
    "greeting", ["421 4.3.2 going down", "554 5.7.1 go away", Drop(), Reset(), "220 hello\n", "this is not SMTP"]
)
async def test_the_second_host_is_tried_when_the_first_refuses_the_session(world: World, greeting: Step) -> None:
    first, second = world.server(script={"GREETING": greeting, "EHLO": "502 no"}), world.server()
    world.mx("example.net", (10, first), (20, second))
    assert await world.deliver(message(BOB)) == ()
    assert first.sessions >= 1
    assert len(second.transactions) == 1


async def test_the_second_host_is_tried_when_nobody_listens_at_the_first(world: World) -> None:
    server = world.server()
    world.mx("example.net", (10, server), (20, server))
    world.dns.zone["mx1.example.net"] = {"A": [world.address(200)]}
    assert await world.deliver(message(BOB)) == ()
    assert len(server.transactions) == 1


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_host_that_hangs_is_left_for_the_next(world: World, verb: str) -> None:
    world.configure(reply_timeout=Duration(0.3))
    first, second = world.server(script={verb: Hang()}), world.server()
    world.mx("example.net", (10, first), (20, second))
    assert await world.deliver(message(BOB)) == ()
    assert len(second.transactions) == 1


async def test_every_address_of_a_host_is_tried(world: World) -> None:
    server = world.server()
    world.mx("example.net", (10, server))
    world.dns.zone["mx1.example.net"] = {"AAAA": ["::1"], "A": [world.address(201), server.host]}
    assert await world.deliver(message(BOB)) == ()
    assert len(server.transactions) == 1


async def test_without_mx_the_domain_itself_is_the_host(world: World) -> None:
    server = world.server()
    world.dns.zone["example.net"] = {"A": [server.host]}
    assert await world.deliver(message(BOB)) == ()
    assert len(server.transactions) == 1


async def test_an_address_literal_is_the_host(world: World) -> None:
    server = world.server()
    assert await world.deliver(message(f"bob@[{server.host}]")) == ()
    assert len(server.transactions) == 1


@pytest.mark.parametrize(
    ("zone", "status"),
    [
        ({}, b"5.1.2"),
        ({"example.net": {"MX": ["0 ."]}}, b"5.1.10"),
        ({"example.net": {}}, b"5.4.4"),
        ({"example.net": {"MX": ["10 nowhere.example.net."]}}, b"5.4.4"),
        ({"example.net": {"MX": ["10 relay.example.org."]}}, b"5.4.6"),
        ({"example.net": {"MX": ["10 own.example.net."]}, "own.example.net": {"A": ["127.0.0.99"]}}, b"5.4.6"),
    ],
)
async def test_what_dns_rules_out_is_reported_at_once(
    world: World, zone: dict[str, dict[str, list[str]]], status: bytes
) -> None:
    world.configure(relay={"own_addresses": ("127.0.0.99",)})
    world.dns.zone.update(zone)
    content = report_in(list(await world.deliver(message(BOB))))
    assert b"\r\nStatus: " + status + b"\r\n" in content
    assert b"\r\nAction: failed\r\n" in content


async def test_only_hosts_better_than_ourselves_are_tried(world: World) -> None:
    better, worse = world.server(script={"GREETING": "421 later"}), world.server()
    world.mx("example.net", (10, better), (30, worse))
    world.dns.zone["example.net"]["MX"].append("20 relay.example.org.")
    again(await world.deliver(message(BOB)))
    assert (better.sessions, worse.sessions) == (1, 0)


async def test_a_private_address_from_dns_is_not_connected_to(world: World) -> None:
    world.configure(allow_private_destinations=False)
    server = world.server()
    world.mx("example.net", (10, server))
    assert b"Status: 5.4.4" in report_in(list(await world.deliver(message(BOB))))
    assert server.sessions == 0


@pytest.mark.parametrize("name", ["example.net", "mx1.example.net"])
async def test_a_name_server_failure_is_tried_again(world: World, name: str) -> None:
    server = world.server()
    world.mx("example.net", (10, server))
    world.dns.fail(name, Fault.SERVFAIL)
    later = again(await world.deliver(message(BOB)))
    assert later.item.envelope.recipients[0].last is not None
    assert later.item.envelope.recipients[0].last.enhanced == "4.4.3"
    world.dns.heal(name)
    world.now += 60
    assert await world.deliver(later) == ()
    assert len(server.transactions) == 1


async def test_a_domain_denied_for_mx_does_not_exist_whatever_address_it_has(world: World) -> None:
    """RFC 5321 section 5.1: reported as an error, not made an implicit MX."""
    server = world.server()
    world.dns.zone["example.net"] = {"A": [server.host]}
    world.dns.fail("example.net", Fault.NXDOMAIN, kind="MX")
    assert b"Status: 5.1.2" in report_in(list(await world.deliver(message(BOB))))
    assert server.sessions == 0


@pytest.mark.parametrize("fault", [Fault.REFERRAL, Fault.OTHER_NAME, Fault.ALWAYS_TRUNCATED])
async def test_an_answer_that_is_none_is_no_reason_to_use_the_domain_itself(world: World, fault: Fault) -> None:
    server, other = world.server(), world.server()
    world.mx("example.net", (10, server))
    world.dns.zone["example.net"]["A"] = [other.host]
    world.dns.fail("example.net", fault, kind="MX")
    later = again(await world.deliver(message(BOB)))
    assert later.item.envelope.recipients[0].last is not None
    assert later.item.envelope.recipients[0].last.enhanced == "4.4.3"
    assert (server.sessions, other.sessions) == (0, 0)


async def test_mx_records_that_cannot_be_read_hide_no_host(world: World) -> None:
    server = world.server()
    world.mx("example.net", (10, server))
    world.dns.zone["example.net"]["MX"] += [
        "\\# 3 000500",
        "0 .",
        "\\# 4 00010361",
        "\\# 13 0001093132372e302e302e3100",
    ]
    assert await world.deliver(message(BOB)) == ()
    assert len(server.transactions) == 1


async def test_the_next_host_is_tried_when_dns_does_not_answer_for_the_best(world: World) -> None:
    server = world.server()
    world.mx("example.net", (10, server), (20, server))
    world.dns.fail("mx1.example.net", Fault.SERVFAIL)
    assert await world.deliver(message(BOB)) == ()
    assert len(server.transactions) == 1


async def test_no_host_is_final_while_dns_does_not_answer_for_another(world: World) -> None:
    world.mx("example.net", (10, world.server()), (20, world.server()))
    world.dns.fail("mx1.example.net", Fault.SERVFAIL)
    later = again(await world.deliver(message(BOB, require_tls=True)))  # the second would never do: it has no TLS
    assert later.item.envelope.recipients[0].last is not None
    assert later.item.envelope.recipients[0].last.enhanced == "4.4.3"


async def test_addresses_are_asked_for_the_hosts_that_are_tried_only(world: World) -> None:
    server = world.server()
    world.dns.zone["example.net"] = {"MX": [f"{n} mx{n}.example.net." for n in range(2000)]}
    world.dns.zone["mx0.example.net"] = {"A": [server.host]}
    world.dns.fail("example.net", Fault.TRUNCATED)
    assert await world.deliver(message(BOB)) == ()
    asked = {name for name, kind, _ in world.dns.seen if kind != "TXT"}
    assert asked == {"example.net", *(f"mx{n}.example.net" for n in range(MAX_HOSTS))}


@pytest.mark.parametrize(
    ("zone", "host"),
    [
        ({"example.net": {"MX": ["10 other.example.net."]}, "other.example.net": {"CNAME": ["mx.example.net."]}}, True),
        ({"example.net": {"CNAME": ["other.example.net."]}, "other.example.net": {"MX": ["10 mx.example.net."]}}, True),
        ({"example.net": {"CNAME": ["mx.example.net."]}}, True),
        ({"example.net": {"CNAME": ["nowhere.example.net."]}}, False),
    ],
)
async def test_aliases_are_followed(world: World, zone: dict[str, dict[str, list[str]]], host: bool) -> None:
    server = world.server()
    world.dns.zone.update(zone | {"mx.example.net": {"A": [server.host]}})
    sends = await world.deliver(message(BOB))
    assert (sends == (), len(server.transactions)) == (host, int(host))


@pytest.mark.parametrize("to", ["example.net.", "Other.example.NET."])
async def test_aliases_that_lead_in_a_circle_are_tried_again(world: World, to: str) -> None:
    world.dns.zone |= {"example.net": {"CNAME": [to]}, "other.example.net": {"CNAME": ["EXAMPLE.net."]}}
    later = again(await world.deliver(message(BOB)))
    assert later.item.envelope.recipients[0].last is not None
    assert later.item.envelope.recipients[0].last.enhanced == "4.4.3"


async def test_an_address_in_an_mx_record_is_the_host(world: World) -> None:
    server = world.server()
    world.dns.zone["example.net"] = {"MX": [f"10 {server.host}."]}
    assert await world.deliver(message(BOB)) == ()
    assert len(server.transactions) == 1
    assert world.dns.asked(server.host) == 0


async def test_a_truncated_answer_comes_over_tcp(world: World) -> None:
    server = world.server()
    world.mx("example.net", (10, server))
    world.dns.fail("example.net", Fault.TRUNCATED)
    assert await world.deliver(message(BOB)) == ()
    assert world.dns.asked("example.net", "MX", "tcp") == 1


async def test_a_hosted_domains_next_hops_are_tried_in_their_order(world: World) -> None:
    dead = free_port()
    first, second = world.server(script={"GREETING": "421 busy"}, port=0), world.server(port=0)
    world.configure(
        allow_private_destinations=False,
        relay={
            "hosted": {
                "example.net": (f"127.0.0.1:{dead}", f"[{first.host}]:{first.port}", f"{second.host}:{second.port}")
            }
        },
    )
    assert await world.deliver(message(BOB)) == ()
    assert (first.sessions, len(second.transactions)) == (1, 1)
    assert not world.dns.seen


async def test_a_hosted_domain_may_go_to_its_mx(world: World) -> None:
    server = world.server()
    world.mx("example.net", (10, server))
    world.configure(relay={"hosted": {"example.net": "mx"}})
    assert await world.deliver(message(BOB)) == ()
    assert len(server.transactions) == 1


async def test_a_next_hop_of_ours_without_an_address_is_no_reason_to_bounce(world: World) -> None:
    world.configure(relay={"hosted": {"example.net": "mail.internal:25"}})
    later = again(await world.deliver(message(BOB)))
    assert later.item.envelope.recipients[0].last is not None
    assert later.item.envelope.recipients[0].last.enhanced == "4.4.4"
