"""Mail held for release in the future (RFC 4865) waits on the ladder, and has its whole lifetime after that."""

import msgspec

from shared.broker.waiting import HELD, resumed
from shared.model import Message, Release
from shared.split import by_destination
from tests.support.delivery_world import ACCEPTED_AT, World, again, message

BOB = "bob@example.net"
HOUR, LIFETIME = 3600.0, 86400.0
RELEASE = ACCEPTED_AT + 30 * LIFETIME


async def test_nothing_is_sent_before_its_time(world: World) -> None:
    server = world.server()
    world.mx("example.net", (10, server))
    held = message(BOB, hold_until=RELEASE)
    (send,) = await world.deliver(held)
    assert send.message == Message(msgspec.structs.replace(held.item, not_before=RELEASE), held.content)
    assert server.sessions == 0
    world.now = RELEASE
    assert await world.deliver(again([send])) == ()
    assert len(server.transactions) == 1


async def test_its_lifetime_begins_with_its_release(world: World) -> None:
    server = world.server(script={"RCPT": "450 4.2.0 later"})
    world.mx("example.net", (10, server))
    world.now = RELEASE + HOUR
    later = again(await world.deliver(message(BOB, hold_until=RELEASE)))
    assert not later.item.delay_reported
    world.now = RELEASE + LIFETIME
    (send,) = await world.deliver(later)
    assert b"4.4.7" in send.message.content


def test_every_split_is_held() -> None:
    """The screener splits after it has screened, which does not wait."""
    held = message(BOB, "eve@example.org", hold_until=RELEASE).item
    assert [item.hold_until for item in by_destination(held)] == [RELEASE, RELEASE]


async def test_what_is_released_from_quarantine_has_its_whole_lifetime(world: World) -> None:
    """Kept for weeks, it would else be returned after one greylisting, untried for all that the sender can tell."""
    server = world.server(script={"RCPT": "450 4.2.0 greylisted"})
    world.mx("example.net", (10, server))
    world.now = RELEASE + HOUR
    kept = message(BOB, release=Release(at=RELEASE, by="olga"))
    later = again(await world.deliver(kept))
    assert not later.item.delay_reported
    world.now = RELEASE + LIFETIME
    (send,) = await world.deliver(later)
    assert b"4.4.7" in send.message.content


async def test_a_domains_new_mail_is_held_until_it_is_resumed(world: World) -> None:
    """What was tried before, or is resumed while the domain is still named, goes on."""
    world.configure(hold=("example.net", ".example.com"))
    servers = [world.server() for _ in range(3)]
    for domain, server in zip(("example.net", "a.example.com", "example.org"), servers, strict=True):
        world.mx(domain, (10, server))
    for held in (message(BOB), message("eve@a.example.com"), message(BOB, hold_until=RELEASE - 1)):
        world.now = RELEASE
        (send,) = await world.deliver(held)
        assert (send.message.item.hold_until, send.message.item.not_before) == (HELD, HELD)
        assert await world.deliver(send.message) == [send]
        freed = resumed(send.message, world.now)
        assert freed is not None
        assert await world.deliver(freed[0].message) == ()
    assert await world.deliver(message(BOB, attempt=1)) == ()
    assert await world.deliver(message("joe@example.org")) == ()
    assert [len(server.transactions) for server in servers] == [3, 1, 1]
