"""How often a message crosses a long wire and back, counted by a proxy that delays it by 100 ms a round trip."""

import pytest

from tests.support.delayed import Delayed
from tests.support.delivery_world import World, message

SECONDS = 0.05
"""One way."""
MANY = [f"user{n}@example.net" for n in range(20)]
LARGE = b"Subject: x\r\n\r\n" + b"x" * 300_000 + b"\r\n"


@pytest.mark.parametrize(
    ("offers", "recipients", "content", "round_trips"),
    [
        (("PIPELINING", "CHUNKING"), MANY[:1], b"\r\nhello\r\n", 2),
        (("PIPELINING", "CHUNKING"), MANY, b"\r\nhello\r\n", 2),
        (("PIPELINING", "CHUNKING"), MANY, LARGE, 2),
        (("PIPELINING",), MANY[:1], b"\r\nhello\r\n", 2),
        (("PIPELINING",), MANY, LARGE, 2),
        (("CHUNKING",), MANY[:1], b"\r\nhello\r\n", 3),
        ((), MANY[:1], b"\r\nhello\r\n", 4),
    ],
)
async def test_a_message_on_a_kept_session(
    world: World, offers: tuple[str, ...], recipients: list[str], content: bytes, round_trips: int
) -> None:
    server = world.server(extensions=offers)
    async with Delayed((server.host, server.port), world.address(9), SECONDS) as wire:
        world.configure(relay={"hosted": {"example.net": f"{wire.host}:{wire.port}"}})
        assert await world.deliver(message(*MANY[:1])) == ()
        for number in range(2):
            before = wire.round_trips
            assert await world.deliver(message(*recipients, content=content)) == ()
            assert wire.round_trips - before == round_trips, number
    assert server.sessions == 1


async def test_what_a_host_refuses_costs_the_next_message_no_round_trip(world: World) -> None:
    """RSET goes along with what follows."""
    server = world.server(script={"RCPT eve@example.net": "550 5.1.1 no"})
    async with Delayed((server.host, server.port), world.address(9), SECONDS) as wire:
        world.configure(relay={"hosted": {"example.net": f"{wire.host}:{wire.port}"}})
        assert await world.deliver(message(*MANY[:1])) == ()
        before = wire.round_trips
        await world.deliver(message("eve@example.net"))
        assert wire.round_trips - before == 1
        assert await world.deliver(message(*MANY[:1])) == ()
        assert wire.round_trips - before == 3
    assert "RSET" in server.commands
