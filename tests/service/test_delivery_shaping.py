"""How much at a time a site gets, with real hosts."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import pytest

from services.delivery.handler import CUT_OFF
from services.delivery.shaping.booking import LATEST
from services.delivery.shaping.circuit import FAILURES, FIRST_WAIT
from services.delivery.shaping.pace import START
from shared.broker.waiting import made_due
from shared.config.model import Destination
from shared.config.units import Duration
from shared.model import Message, Place, Send
from tests.support.delivery_world import ACCEPTED_AT, World, again, message
from tests.support.losing_slots import LosingSlots
from tests.support.smtp_server import Hang, SmtpServer

BOB = "bob@example.net"


def at_one_site(world: World, *domains: str, **options: object) -> SmtpServer:
    """Start a server that takes the mail of several domains."""
    server = world.server(**options)
    for domain in domains:
        world.dns.zone[domain] = {"MX": ["10 mx.provider.example."]}
    world.dns.zone["mx.provider.example"] = {"A": [server.host]}
    return server


def untouched(sends: Sequence[Send]) -> float:
    """Return when the one item comes back, which is as it was."""
    (send,) = sends
    item = send.message.item
    assert (send.place, item.attempt) == (Place.REDELIVER, 0)
    assert item.not_before is not None
    return item.not_before


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_domains_at_one_site_share_its_connections(world: World) -> None:
    world.configure(per_destination=2)
    server = at_one_site(world, "one.example", "two.example", "three.example", script={".": Hang()})
    held = [asyncio.create_task(world.deliver(message(f"x@{name}.example"))) for name in ("one", "two")]
    await until(lambda: server.commands.count("DATA") == 2)
    assert untouched(await world.deliver(message("x@three.example"))) > world.now
    assert server.sessions == 2
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)


async def test_a_session_serves_another_domain_of_its_site(world: World) -> None:
    server = at_one_site(world, "one.example", "two.example")
    assert await world.deliver(message("x@one.example")) == ()
    assert await world.deliver(message("x@two.example")) == ()
    assert server.sessions == 1


async def test_a_site_begins_with_few_connections(world: World) -> None:
    world.configure(per_destination=50)
    server = at_one_site(world, "example.net", script={".": Hang()})
    tasks = [asyncio.create_task(world.deliver(message(BOB))) for _ in range(20)]
    await until(lambda: server.commands.count("DATA") == START and sum(task.done() for task in tasks) == 20 - START)
    assert server.sessions == START
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("step", ["421 4.7.0 too many connections", "450 4.7.1 rate limit exceeded"])
async def test_a_site_that_says_too_much_gets_half(world: World, step: str) -> None:
    world.configure(per_destination=50)
    server = at_one_site(world, "example.net", script={"MAIL": [step, "250 ok"], ".": Hang()})
    again(await world.deliver(message(BOB)))
    await until(lambda: server.open == step.startswith("450"))  # DATA may be in the same flight, and be read later
    before = server.commands.count("DATA")
    tasks = [asyncio.create_task(world.deliver(message(BOB))) for _ in range(20)]
    few = START // 2
    await until(lambda: server.commands.count("DATA") - before == few and sum(t.done() for t in tasks) == 20 - few)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_limits_of_one_destination(world: World) -> None:
    world.configure(
        destination={
            "provider.example": Destination(messages_per_connection=2),
            "two.example": Destination(messages_per_connection=1),
        }
    )
    server = at_one_site(world, "one.example")
    other = world.server()
    world.mx("two.example", (10, other))
    for _ in range(4):
        assert await world.deliver(message("x@one.example")) == ()
    assert server.sessions == 2
    for _ in range(2):
        assert await world.deliver(message("x@two.example")) == ()
    assert other.sessions == 2


async def test_a_rate_is_kept(world: World) -> None:
    """One in a minute: the second message has to wait for the whole of it, whoever sends it."""
    world.configure(destination={"provider.example": Destination(rate="1/min")})
    server = at_one_site(world, "one.example", "two.example")
    assert await world.deliver(message("x@one.example")) == ()
    for _ in range(3):
        assert untouched(await world.deliver(message("x@two.example"))) > world.now + 20
    assert len(server.transactions) == 1
    assert await world.slots.take("provider.example", 1, lambda: None) is None


def nobody_home(world: World) -> None:
    world.dns.zone["example.net"] = {"MX": ["10 mx.example.net."]}
    world.dns.zone["mx.example.net"] = {"A": [world.address(99)]}


async def test_a_host_that_does_not_answer_is_left_alone(world: World) -> None:
    nobody_home(world)
    for _ in range(FAILURES):
        again(await world.deliver(message(BOB)))
    assert world.now + FIRST_WAIT / 2 < untouched(await world.deliver(message(BOB))) <= world.now + FIRST_WAIT * 1.2


async def test_a_host_left_alone_is_tried_for_what_is_at_the_end_of_its_life(world: World) -> None:
    """Nothing expires untried."""
    nobody_home(world)
    for _ in range(FAILURES):
        again(await world.deliver(message(BOB)))
    server = world.server(host=world.address(99))
    world.now = ACCEPTED_AT + 90_000
    assert await world.deliver(message(BOB)) == ()
    assert len(server.transactions) == 1
    world.now = ACCEPTED_AT
    assert await world.deliver(message(BOB)) == ()


async def test_what_is_flushed_has_a_host_asked_that_is_left_alone(world: World) -> None:
    """The operator has mended it, and does not want to wait for up to a quarter of an hour."""
    nobody_home(world)
    for _ in range(FAILURES):
        again(await world.deliver(message(BOB)))
    later = again(await world.deliver(message(BOB)))
    server = world.server(host=world.address(99))
    world.now += 10
    due = made_due(Message(msgspec.structs.replace(later.item, not_before=world.now + 1), b""), world.now)
    assert due is not None
    assert await world.deliver(due[0].message) == ()
    assert await world.deliver(message(BOB)) == ()
    assert len(server.transactions) == 2


async def test_what_is_flushed_asks_a_dead_host_once(world: World) -> None:
    nobody_home(world)
    for _ in range(FAILURES):
        again(await world.deliver(message(BOB)))
    flushed = message(BOB, flushed_at=world.now)
    tried = again(await world.deliver(flushed)).item
    assert (tried.attempt, tried.flushed_at) == (1, None)
    world.now += 60
    assert again(await world.deliver(flushed)) == flushed


async def test_a_delay_is_reported_though_the_host_is_left_alone(world: World) -> None:
    world.configure(delay_warning=Duration(3600))
    nobody_home(world)
    for _ in range(FAILURES):
        again(await world.deliver(message(BOB)))
    world.now = ACCEPTED_AT + 4000
    sends = await world.deliver(message(BOB))
    assert told_of_the_delay(world, sends) <= FIRST_WAIT * 1.2


async def test_a_delay_is_reported_though_there_is_no_place(world: World) -> None:
    """What waits behind others for hours is late, too; after the report it keeps its turn."""
    world.configure(per_destination=1, delay_warning=Duration(3600))
    server = at_one_site(world, "example.net")
    slot = await world.slots.take("provider.example", 1, lambda: None)
    assert slot is not None
    untouched(await world.deliver(message(BOB)))
    world.now = ACCEPTED_AT + 100_000
    sends = await world.deliver(message(BOB))
    assert told_of_the_delay(world, sends) <= LATEST
    assert b"Status: 4.4.5" in sends[0].message.content
    (send,) = await world.deliver(later := again(sends))
    assert send.message.item.attempt == later.item.attempt
    await slot.release()
    assert server.sessions == 0


def told_of_the_delay(world: World, sends: Sequence[Send]) -> float:
    """Return in how many seconds the item comes back, of which a delay is reported."""
    report, send = sends
    assert b"Action: delayed" in report.message.content
    assert again(sends).item.delay_reported
    assert send.message.item.not_before is not None
    return send.message.item.not_before - world.now


@pytest.mark.parametrize("age", [0, 90_000])
async def test_a_place_lost_in_the_middle_ends_no_life(world: World, age: float) -> None:
    """The last attempt is one that a host has answered, or could have."""
    world.slots = slots = LosingSlots()
    server = at_one_site(world, "example.net", script={".": [Hang(), "450 4.2.0 later"]})
    world.now = ACCEPTED_AT + age
    attempt = asyncio.create_task(world.deliver(message(BOB)))
    await until(lambda: "DATA" in server.commands)
    assert slots.lose is not None
    slots.lose()
    sends = await attempt
    later = again(sends)
    assert "since the broker was lost" in later.item.history[-1].text
    assert CUT_OFF <= (sends[-1].message.item.not_before or 0) - world.now <= CUT_OFF * 1.2
    (send,) = [each for each in await world.deliver(later) if b"Action: delayed" not in each.message.content]
    assert (b"4.4.7" in send.message.content) is (age > 0)


async def test_everything_given_back_when_all_is_done(world: World) -> None:
    world.configure(idle_connection=Duration(0.05))
    server = at_one_site(world, "example.net", script={"RCPT": ["250 ok", "450 4.2.0 later", "550 5.1.1 no"]})
    nobody = message("x@gone.example")
    world.dns.zone["gone.example"] = {"MX": ["10 mx.gone.example."]}
    world.dns.zone["mx.gone.example"] = {"A": [world.address(98)]}
    await asyncio.gather(*(world.deliver(message(BOB)) for _ in range(12)), world.deliver(nobody))
    await until(lambda: not server.open and not len(world.gate))
    for _ in range(10):
        assert await world.slots.take("provider.example", 10, lambda: None) is not None
