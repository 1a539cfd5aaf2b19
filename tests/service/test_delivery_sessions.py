"""Sessions: reuse, TLS, smarthosts, and the limit per destination."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme
import uvloop

from services.delivery.app import build
from shared.broker.topology import User
from shared.clock import wall_clock
from shared.config.model import Config, Delivery
from shared.config.units import Duration
from shared.dns.resolver import DnsResolver
from shared.errors import ConfigError
from shared.model import Place, Send
from tests.contract.sqlite_harness import SqliteHarness
from tests.support.delivery_world import World, again, message, server_tls
from tests.support.smtp_server import Delay, Drop, Hang, Reset, SmtpServer, Step

BOB = "bob@example.net"


def one_server(world: World, **options: object) -> SmtpServer:
    """Start the destination of example.net."""
    server = world.server(**options)
    world.mx("example.net", (10, server))
    return server


async def test_a_session_is_kept_for_the_next_message(world: World) -> None:
    server = one_server(world)
    for _ in range(3):
        assert await world.deliver(message(BOB)) == ()
    assert (server.sessions, len(server.transactions)) == (1, 3)


async def test_a_session_serves_another_message_after_a_refused_one(world: World) -> None:
    server = one_server(world, script={"RCPT eve@example.net": "450 4.2.0 later"})
    again(await world.deliver(message("eve@example.net")))
    assert await world.deliver(message(BOB)) == ()
    assert server.sessions == 1
    assert server.transactions[0].recipients == (BOB,)
    assert "RSET" in server.commands


async def test_a_session_ends_after_its_share_of_messages(world: World) -> None:
    world.configure(messages_per_connection=2)
    server = one_server(world)
    for _ in range(5):
        assert await world.deliver(message(BOB)) == ()
    assert server.sessions == 3


async def test_an_idle_session_is_said_goodbye_to(world: World) -> None:
    world.configure(idle_connection=Duration(0.05))
    server = one_server(world)
    assert await world.deliver(message(BOB)) == ()
    async with asyncio.timeout(30):
        while "QUIT" not in server.commands:
            await asyncio.sleep(0.01)
    assert await world.deliver(message(BOB)) == ()
    assert server.sessions == 2


@pytest.mark.parametrize("step", [Drop(), Reset(), "421 4.4.2 idle too long", Hang()])
async def test_a_dead_kept_session_is_replaced_by_a_fresh_one(world: World, step: Step) -> None:
    world.configure(reply_timeout=Duration(1))
    server = one_server(world, script={"MAIL": ["250 ok", step, "250 ok"]})
    assert await world.deliver(message(BOB)) == ()
    assert await world.deliver(message(BOB)) == ()
    assert (server.sessions, len(server.transactions)) == (2, 2)


async def test_a_kept_session_lost_later_is_not_tried_twice(world: World) -> None:
    server = one_server(world, script={"RCPT": ["250 ok", Drop(), "250 ok"]})
    assert await world.deliver(message(BOB)) == ()
    again(await world.deliver(message(BOB)))
    assert len(server.transactions) == 1


async def test_starttls_is_used_with_any_certificate(world: World, authority: trustme.CA) -> None:
    server = one_server(world, tls=server_tls(authority, "another.example.com"))
    assert await world.deliver(message(BOB)) == ()
    assert await world.deliver(message(BOB)) == ()
    assert [(mail.tls, len(mail.mail_params)) for mail in server.transactions] == [(True, 1), (True, 1)]
    assert server.sessions == 1


async def test_the_name_of_the_host_goes_with_the_handshake(world: World, authority: trustme.CA) -> None:
    names: list[str | None] = []
    context = server_tls(authority, "mx1.example.net")
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    one_server(world, tls=context)
    assert await world.deliver(message(BOB)) == ()
    assert names == ["mx1.example.net"]


@pytest.mark.parametrize("step", ["454 4.7.0 not now", "220 lies", Drop()])
async def test_mail_goes_in_clear_where_starttls_fails(world: World, step: Step) -> None:
    """`220 lies` is a host that says yes and then speaks no TLS."""
    server = one_server(world, extensions=("STARTTLS",), script={"STARTTLS": step})
    assert await world.deliver(message(BOB)) == ()
    assert [mail.tls for mail in server.transactions] == [False]
    assert server.sessions == 2


async def test_mail_goes_in_clear_where_the_handshake_fails(world: World, authority: trustme.CA) -> None:
    context = server_tls(authority, "mx1.example.net")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("PSK")
    server = one_server(world, tls=context)
    assert await world.deliver(message(BOB)) == ()
    assert [mail.tls for mail in server.transactions] == [False]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
async def test_a_smarthost_gets_everything_after_authentication(
    world: World, authority: trustme.CA, ca_file: str, mechanism: str
) -> None:
    users = {"me@example.org": "s3cret pass"}
    server = world.server(tls=server_tls(authority, world.address(2)), users=users, mechanisms=(mechanism,))
    world.configure(
        route={"*": f"smtp://me%40example.org@{server.host}:{server.port}?ca={ca_file}"},
        route_passwords={"*": "s3cret pass"},
    )
    assert await world.deliver(message(BOB)) == ()
    (mail,) = server.transactions
    assert (mail.tls, mail.user) == (True, "me@example.org")
    assert not world.dns.seen


async def test_a_smarthost_with_tls_from_the_start(world: World, authority: trustme.CA, ca_file: str) -> None:
    server = world.server(tls=server_tls(authority, "smart.test"), implicit_tls=True)
    world.dns.zone["smart.test"] = {"A": [server.host]}
    world.configure(route={".net": f"smtps://smart.test:{server.port}?ca={ca_file}"})
    assert await world.deliver(message(BOB)) == ()
    assert server.transactions[0].tls


@pytest.mark.parametrize("offered", [True, False])
async def test_a_password_is_shown_to_nobody_else(world: World, authority: trustme.CA, offered: bool) -> None:
    """The certificate is of no authority we know, or there is no TLS at all."""
    server = world.server(tls=server_tls(authority, world.address(2)) if offered else None, users={"me": "s3cret"})
    world.configure(route={"*": f"smtp://me@{server.host}:{server.port}"}, route_passwords={"*": "s3cret"})
    later = again(await world.deliver(message(BOB)))
    assert later.item.envelope.recipients[0].last is not None
    assert later.item.envelope.recipients[0].last.code == 454
    assert not any(command.startswith("AUTH") for command in server.commands)


@pytest.mark.parametrize("mechanisms", [("GSSAPI",), ()])
async def test_a_smarthost_that_lets_nobody_in_is_for_us_to_mend(
    world: World, authority: trustme.CA, ca_file: str, mechanisms: tuple[str, ...]
) -> None:
    """It knows none of our mechanisms, or offers no AUTH at all: nothing is sent without."""
    users = {"me": "right"} if mechanisms else {}
    server = world.server(tls=server_tls(authority, world.address(2)), users=users, mechanisms=mechanisms)
    world.configure(route={"*": f"smtp://me@{server.host}:{server.port}?ca={ca_file}"}, route_passwords={"*": "right"})
    later = again(await world.deliver(message(BOB)))
    assert "at AUTH" in str(later.item.envelope.recipients[0].last)
    assert not any(command.startswith(("AUTH", "MAIL")) for command in server.commands)


async def test_a_wrong_password_is_for_us_to_mend(world: World, authority: trustme.CA, ca_file: str) -> None:
    server = world.server(tls=server_tls(authority, world.address(2)), users={"me": "right"})
    world.configure(route={"*": f"smtp://me@{server.host}:{server.port}?ca={ca_file}"}, route_passwords={"*": "wrong"})
    later = again(await world.deliver(message(BOB)))
    assert "535" in str(later.item.envelope.recipients[0].last)
    assert "wrong" not in later.item.history[-1].text.replace("535 5.7.8 wrong", "")


async def test_a_busy_destination_does_not_delay_another(world: World) -> None:
    world.configure(per_destination=1)
    slow = one_server(world, script={".": Hang()})
    other = world.server()
    world.mx("example.com", (10, other))
    held = asyncio.create_task(world.handler(message(BOB)))
    async with asyncio.timeout(30):
        while "DATA" not in slow.commands:
            await asyncio.sleep(0.01)
    (later,) = await world.deliver(message(BOB))
    assert later.place is Place.REDELIVER
    assert later.message.item.attempt == 0
    assert later.message.item.not_before is not None
    assert world.now < later.message.item.not_before <= world.now + 5
    assert await world.deliver(message("x@example.com")) == ()
    held.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held
    async with asyncio.timeout(20):
        while slow.open:
            await asyncio.sleep(0.01)
    slow.script(".", "250 ok")
    assert await world.deliver(message(BOB)) == ()


async def test_a_worker_delivers_what_the_broker_holds(world: World, tmp_path: Path) -> None:
    """From a real queue to a real host, a temporary failure in between, with the clock of the world."""
    server = one_server(world, script={"RCPT": ["450 4.2.0 later", "250 ok"]})
    world.configure(retry=(Duration(0.01),))
    harness = SqliteHarness(tmp_path)
    broker = await harness.open(User.DELIVERY)
    app = build(world.config, broker, DnsResolver(world.config.delivery.nameservers))
    try:
        await broker.publish([_fresh()])
        await app.start()
        assert app.trouble() is None
        await asyncio.to_thread(server.wait_for, 1)
    finally:
        await app.drain(10)
        await harness.close()
    assert server.transactions[0].recipients == (BOB,)


async def test_draining_hands_back_what_hangs(world: World, tmp_path: Path) -> None:
    server = one_server(world, script={".": [Hang(), "250 ok"]})
    harness = SqliteHarness(tmp_path)
    broker = await harness.open(User.DELIVERY)
    app = build(world.config, broker, DnsResolver(world.config.delivery.nameservers))
    await broker.publish([_fresh()])
    await app.start()
    async with asyncio.timeout(30):
        while "DATA" not in server.commands:
            await asyncio.sleep(0.01)
    await app.drain(0.1)
    assert await harness.depth(Place.DELIVER) == 1
    await harness.close()


@pytest.mark.parametrize("key", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "."])
async def test_a_cancelled_attempt_leaves_no_session(world: World, key: str) -> None:
    server = one_server(world, script={key: Hang()})
    attempt = asyncio.create_task(world.handler(message(BOB)))
    async with asyncio.timeout(30):
        begun = "DATA" if key == "." else key
        while not (server.sessions if key == "GREETING" else any(line.startswith(begun) for line in server.commands)):
            await asyncio.sleep(0.01)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        while server.open:
            await asyncio.sleep(0.01)


async def test_a_slow_host_is_waited_for(world: World) -> None:
    server = one_server(world, script={".": Delay(0.5, "250 ok")})
    assert await world.deliver(message(BOB)) == ()
    assert len(server.transactions) == 1


@pytest.mark.parametrize(
    ("route", "passwords", "what"),
    [
        ("smtp://me@smart.test:587", {}, "no password"),
        ("smtp://me@smart.test:587?tls=may", {"*": "x"}, "tls=may"),
        ("smtp://smart.test?ca=/nonexistent.pem&tls=verify", {}, "/nonexistent.pem"),
    ],
)
async def test_a_route_that_cannot_work_stops_the_process(
    world: World, tmp_path: Path, route: str, passwords: dict[str, str], what: str
) -> None:
    harness = SqliteHarness(tmp_path)
    broker = await harness.open(User.DELIVERY)
    config = Config(delivery=Delivery(route={"*": route}, route_passwords=passwords))
    with pytest.raises(ConfigError, match=what):
        build(config, broker, DnsResolver((world.dns.address,)))
    await harness.close()


def _fresh() -> Send:
    return Send(Place.DELIVER, message(BOB, accepted_at=wall_clock()))


async def _many(network: World, **options: object) -> None:
    async with network as world:
        server = one_server(world, **options)
        world.configure(per_destination=50)
        for _ in range(20):
            results = await asyncio.gather(*(world.deliver(message(BOB)) for _ in range(20)))
            assert results == [()] * 20
        large = b"Subject: x\r\n\r\n" + b".x\r\n" * 500_000
        assert await world.deliver(message(BOB, content=large)) == ()
        assert len(server.transactions) == 401
        assert server.transactions[-1].content == large


@pytest.mark.parametrize("offers", [(), ("PIPELINING",), ("PIPELINING", "CHUNKING")])
@pytest.mark.parametrize("encrypted", [False, True])
def test_every_reply_is_heard_on_the_loop_of_the_services(
    authority: trustme.CA, offers: tuple[str, ...], encrypted: bool
) -> None:
    """uvloop writes, and reads the reply, before a task just made has run: replies to the content were missed."""
    tls = server_tls(authority, "mx1.example.net") if encrypted else None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_many(World(reply_timeout=Duration(60)), extensions=offers, tls=tls))
