"""Delivery in a child process: the same results, and a returned item that the stage itself hands to the child."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from services.delivery.app import build
from services.delivery.isolated import isolated
from shared.broker.local_slots import LocalSlots
from shared.broker.sqlite import open_broker
from shared.broker.worker import ISOLATE_AFTER
from shared.dns.resolver import DnsResolver
from shared.model import Place, Send
from tests.contract.harness import until
from tests.support.delivery_world import World, message
from tests.support.smtp_server import Delay


async def test_the_child_delivers_over_real_dns_and_smtp() -> None:
    """Configuration, message and result cross the process's border; only the open recipient comes back."""
    async with World() as world:
        server = world.server(script={"RCPT carol@example.net": "450 4.2.0 later"})
        world.mx("example.net", (10, server))
        sends = await isolated(world.config, LocalSlots())(
            message("bob@example.net", "carol@example.net", accepted_at=time.time())
        )
    assert [transaction.recipients for transaction in server.transactions] == [("bob@example.net",)]
    (again,) = sends
    assert again.place is Place.REDELIVER
    assert [recipient.address for recipient in again.message.item.envelope.recipients] == ["carol@example.net"]


async def test_the_child_counts_as_a_connection_of_the_clusters() -> None:
    """With every place taken it comes back later; without, it has one, and gives it back."""
    async with World(per_destination=1) as world:
        server = world.server()
        world.mx("example.net", (10, server))
        slot = await world.slots.take("example.net", 1, lambda: None)
        assert slot is not None
        alone = isolated(world.config, world.slots)
        (later,) = await alone(message("bob@example.net", accepted_at=time.time()))
        assert (later.message.item.attempt, server.sessions) == (0, 0)
        await slot.release()
        assert await alone(message("bob@example.net", accepted_at=time.time())) == []
        assert len(server.transactions) == 1
        assert await world.slots.take("example.net", 1, lambda: None) is not None


async def test_no_password_on_the_command_line() -> None:
    """A smarthost's password goes to the child over its standard input, which no process list shows."""
    async with World() as world:
        slow = world.server(script={"GREETING": [Delay(2.0, "421 4.3.2 not now")]})
        route = {"example.net": f"smtp://relay@{slow.host}:{slow.port}"}
        world.configure(route=route, route_passwords={"example.net": "hunter2"})
        delivering = asyncio.create_task(_deliver(world))
        await until(lambda: bool(_children()), "the child runs")
        (command_line,) = _children()
        await delivering
    assert b"hunter2" not in command_line


async def _deliver(world: World) -> None:
    await isolated(world.config, LocalSlots())(message("bob@example.net"))


def _children() -> list[bytes]:
    """Return the command lines of this process's children that deliver."""
    pids = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids if Path(f"/proc/{pid}").exists()]
    return [line for line in lines if b"services.delivery" in line]


async def test_what_keeps_coming_back_is_delivered_by_a_child(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """After three returns without a result the next try must not be able to take the worker down."""
    async with World() as world:
        server = world.server()
        world.mx("example.net", (10, server))
        broker = await open_broker(tmp_path / "queue.db")
        await broker.publish([Send(Place.DELIVER, message("bob@example.net"))])
        subscription = await broker.subscribe(Place.DELIVER, 1)
        async for received in subscription:
            if received.returns == ISOLATE_AFTER:
                await subscription.cancel()
            await received.release()
        config = world.config
        app = build(config, broker, DnsResolver(config.delivery.nameservers), isolated=isolated)
        await app.start()
        await until(lambda: len(server.transactions) == 1, f"delivered by process {os.getpid()} or its child")
        await app.drain(10)
        await broker.close()
    assert "delivery-isolated" in capfd.readouterr().err
