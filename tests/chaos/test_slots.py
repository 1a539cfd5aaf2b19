"""Four workers, a limit of ten connections, and a destination that counts: it never sees eleven."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.broker.rabbitmq import connect
from shared.broker.topology import User
from shared.clock import wall_clock
from shared.ids import new_id
from shared.model import Action, Envelope, Item, Message, Origin, Place, Recipient, Send, Verdict
from tests.support.counting import Counting
from tests.support.dns_server import DnsServer
from tests.support.processes import Relay
from tests.support.proxy import Proxy
from tests.support.rabbitmq import RabbitNode
from tests.support.rabbitmq_world import on_rabbitmq
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.rabbitmq]
LIMIT = 10
WORKERS = 4
SECONDS = 0.1
"""From the final dot to the answer."""
MESSAGES = 2000
ZONE = {
    **{f"domain{number}.example": {"MX": [f"10 mx{number}.provider.example."]} for number in range(5)},
    **{f"mx{number}.provider.example": {"A": ["127.0.0.1"]} for number in range(5)},
}
"""Five domains at one site."""


class Fleet(NamedTuple):
    """Workers at work."""

    relays: list[Relay]
    destination: Counting
    proxy: Proxy
    loop: asyncio.AbstractEventLoop
    """The proxy's."""

    def pid(self, number: int) -> int:
        return self.relays[number]["delivery"].pid

    def until(self, share: float, timeout: float = 120) -> None:
        """Return once so much of the mail has arrived."""
        wait_for(lambda: len(set(self.destination.arrived)) >= MESSAGES * share, timeout)

    def cut(self) -> None:
        self.loop.call_soon_threadsafe(self.proxy.cut)

    def cut_far_side(self) -> None:
        self.loop.call_soon_threadsafe(self.proxy.cut_far_side)

    def mend(self) -> None:
        self.loop.call_soon_threadsafe(self.proxy.resume)
        self.cut()


def send(number: int) -> Send:
    now = wall_clock()
    recipient = Recipient(address=f"x@domain{number % 5}.example")
    item = Item(
        id=new_id(now),
        split=1,
        envelope=Envelope(sender="a@sender.example", recipients=(recipient,)),
        origin=Origin.TRUSTED,
        accepted_at=now,
        destination=recipient.domain,
        verdict=Verdict(action=Action.PASS, at=now),
    )
    return Send(Place.DELIVER, Message(item, b"Subject: %d\r\n\r\nHello.\r\n" % number))


async def fill(url: str) -> None:
    broker = await connect(url, User.SCREENER, wait=False)
    for first in range(0, MESSAGES, 100):
        await asyncio.gather(*(broker.publish([send(number)]) for number in range(first, first + 100)))
    await broker.close()


@pytest.fixture
def fleet(rabbit_node: RabbitNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Four workers with a full queue; the last one's link to the broker goes through a proxy."""
    directory = tmp_path_factory.mktemp("slots")
    with ExitStack() as stack:
        dns = stack.enter_context(DnsServer(dict(ZONE)))
        destination = stack.enter_context(Counting(SECONDS))
        brokered = stack.enter_context(on_rabbitmq(rabbit_node, directory))
        loop, proxy = stack.enter_context(proxied(rabbit_node.amqp_port))
        delivery = {
            "nameservers": [dns.address],
            "port": destination.port,
            "retry": ["1s"],
            "allow_private_destinations": True,
            "per_destination": LIMIT,
            "mta_sts": False,
        }
        config = {"hostname": "relay.example", "relay": {"postmaster": "p@sender.example"}, "delivery": delivery}
        config |= brokered.config
        url = str(config["broker"])
        relays = []
        for number in range(WORKERS):
            folder = directory / f"worker{number}"
            folder.mkdir()
            last = {"broker": url.replace(f":{rabbit_node.amqp_port}/", f":{proxy.port}/")}
            relays.append(Relay(folder, config | (last if number == WORKERS - 1 else {}), ["delivery"]))
            stack.callback(relays[-1].stop)
        passwords = directory / "passwords"
        asyncio.run(fill(with_password(url, User.SCREENER, passwords)))
        for relay in relays:
            relay.processes["delivery"].spawn()
        for relay in relays:
            relay.processes["delivery"].wait_ready()
        yield Fleet(relays, destination, proxy, loop)


def with_password(url: str, user: User, passwords: Path) -> str:
    password = (passwords / user.value).read_text()
    return url.replace("amqp://", f"amqp://{user.value}:{password}@")


class proxied:  # noqa: N801  (a context manager)
    """A proxy in a thread of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with Proxy(self._port) as self._proxy:
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> tuple[asyncio.AbstractEventLoop, Proxy]:
        self._thread.start()
        self._ready.wait(30)
        return self._loop, self._proxy

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)


def kill(fleet: Fleet) -> None:
    """End a worker this instant, twice, and start it again."""
    for share in (0.1, 0.4):
        fleet.until(share)
        process = fleet.relays[0]["delivery"]
        process.kill()
        process.spawn()


def stop_for_longer_than_a_heartbeat(fleet: Fleet) -> None:
    """Stop a worker in its tracks until the broker has given its other connections up, then let it go on."""
    fleet.until(0.1)
    os.kill(fleet.pid(0), signal.SIGSTOP)
    time.sleep(50)  # three heartbeats of 15 s: what is tested is that this time passes
    os.kill(fleet.pid(0), signal.SIGCONT)


def cut_the_link(fleet: Fleet) -> None:
    """Reset a worker's connections to the broker, again and again."""
    for share in (0.1, 0.2, 0.3, 0.4):
        fleet.until(share)
        fleet.cut()


def cut_the_link_at_one_side(fleet: Fleet) -> None:
    """Reset them at the broker's side only: the worker has to find out by itself."""
    for share in (0.1, 0.4):
        fleet.until(share)
        fleet.cut_far_side()
        time.sleep(12)  # longer than a worker lets the broker be silent: what is tested is that this time passes
        fleet.mend()


@pytest.mark.parametrize(
    "harm", [kill, stop_for_longer_than_a_heartbeat, cut_the_link, cut_the_link_at_one_side], ids=lambda f: f.__name__
)
@pytest.mark.timeout(400)
def test_the_destination_never_sees_eleven(fleet: Fleet, harm: object) -> None:
    harm(fleet)  # type: ignore[operator]
    fleet.until(1, 300)
    assert fleet.destination.most == LIMIT
    assert {int(subject) for subject in fleet.destination.arrived} == set(range(MESSAGES))
