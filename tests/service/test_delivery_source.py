"""Where sessions come from, and under which name: `delivery.source_address`, `helo`, and what a route says instead."""

from shared.model import Place
from tests.support.delivery_world import World, again, message
from tests.support.smtp_server import SmtpServer

BOB = "bob@example.net"


def hello(server: SmtpServer) -> list[str]:
    """Return the EHLO lines a server got."""
    return [command for command in server.commands if command.upper().startswith("EHLO")]


async def test_by_default_the_name_is_ours_and_the_address_the_systems(world: World) -> None:
    server = world.server()
    world.mx("example.net", (10, server))
    assert await world.deliver(message(BOB)) == ()
    assert hello(server) == ["EHLO relay.example.org"]
    assert {transaction.peer for transaction in server.transactions} == {"127.0.0.1"}


async def test_the_defaults_go_for_mx_hosts(world: World) -> None:
    server = world.server()
    world.configure(source_address=world.address(200), helo="out.example.org")
    world.mx("example.net", (10, server))
    assert await world.deliver(message(BOB)) == ()
    assert hello(server) == ["EHLO out.example.org"]
    assert [transaction.peer for transaction in server.transactions] == [world.address(200)]


async def test_a_route_has_its_own(world: World) -> None:
    server = world.server()
    where = f"smtp://{server.host}:{server.port}"
    world.configure(
        source_address=world.address(200),
        helo="out.example.org",
        route={
            "example.net": f"{where}?source={world.address(201)}&helo=one.example.org",
            "example.com": f"{where}?source={world.address(202)}",
            "example.edu": where,
        },
    )
    for recipient in (BOB, "bob@example.com", "bob@example.edu"):
        assert await world.deliver(message(recipient)) == ()
    assert hello(server) == ["EHLO one.example.org", "EHLO out.example.org", "EHLO out.example.org"]
    assert [t.peer for t in server.transactions] == [world.address(number) for number in (201, 202, 200)]


async def test_a_session_of_one_source_is_not_used_for_another(world: World) -> None:
    server = world.server()
    where = f"smtp://{server.host}:{server.port}?helo"
    world.configure(route={"example.net": f"{where}=a.example.org", "example.com": f"{where}=b.example.org"})
    for recipient in (BOB, "bob@example.com", BOB, "bob@example.com"):
        assert await world.deliver(message(recipient)) == ()
    assert server.sessions == 2
    assert [transaction.helo for transaction in server.transactions] == ["a.example.org", "b.example.org"] * 2


async def test_over_ipv6_the_other_source_counts(world: World) -> None:
    server = world.server(host="::1")
    world.configure(
        source_address="192.0.2.1",
        source_address_v6="::1",
        route={"example.net": f"smtp://[::1]:{server.port}"},
    )
    assert await world.deliver(message(BOB)) == ()
    assert [transaction.peer for transaction in server.transactions] == ["::1"]


async def test_an_address_that_is_not_ours_is_a_failure_that_may_pass(world: World) -> None:
    server = world.server()
    world.configure(source_address="192.0.2.77")
    world.mx("example.net", (10, server))
    sends = await world.deliver(message(BOB))
    assert [send.place for send in sends] == [Place.REDELIVER]
    (recipient,) = again(sends).item.envelope.recipients
    assert recipient.last is not None
    assert recipient.last.code == 451
    assert "from 192.0.2.77: " in recipient.last.text
    assert server.sessions == 0


async def test_an_ipv6_address_that_is_not_ours_leaves_ipv4(world: World) -> None:
    server = world.server()
    world.configure(source_address=world.address(200), source_address_v6="2001:db8::77")
    world.mx("example.net", (10, server))
    world.dns.zone["mx1.example.net"]["AAAA"] = ["::1"]
    assert await world.deliver(message(BOB)) == ()
    assert [transaction.peer for transaction in server.transactions] == [world.address(200)]


async def test_a_hosted_domains_next_hop_has_its_own(world: World) -> None:
    server = world.server()
    hop = f"smtp://{server.host}:{server.port}?source={world.address(203)}&helo=in.example.org"
    world.configure(helo="out.example.org", relay={"hosted": {"example.net": hop}})
    assert await world.deliver(message(BOB)) == ()
    assert hello(server) == ["EHLO in.example.org"]
    assert [transaction.peer for transaction in server.transactions] == [world.address(203)]


async def test_mail_by_mx_to_one_domain_has_its_own(world: World) -> None:
    server = world.server()
    for domain in ("example.net", "example.com"):
        world.mx(domain, (10, server))
    world.configure(helo="out.example.org", route={"example.net": f"mx?source={world.address(204)}&helo=a.example.org"})
    for recipient in (BOB, "bob@example.com"):
        assert await world.deliver(message(recipient)) == ()
    assert hello(server) == ["EHLO a.example.org", "EHLO out.example.org"]
    assert [transaction.peer for transaction in server.transactions] == [world.address(204), "127.0.0.1"]
