"""Connecting, to real sockets: who wins, what is left behind."""

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from services.delivery.smtp.connect import Unreachable, Way, connect
from shared.config.units import Duration
from tests.support.delivery_world import World, message
from tests.support.ports import free_port

BOB = "bob@example.net"
V4, V6 = "127.0.0.1", "::1"


@pytest.fixture
def port() -> int:
    return free_port()


def listener(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family)


class Deaf:
    """A listener that no connection gets through to: its queue is full, and the kernel drops what else arrives."""

    def __init__(self, port: int = 0) -> None:
        self._server, self._filler = socket.socket(socket.AF_INET6), socket.socket(socket.AF_INET6)
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._server.bind((V6, port))
        self._server.listen(0)
        self._filler.connect(self._server.getsockname())
        self.way = Way(V6, self._server.getsockname()[1])

    def hear(self) -> None:
        """Let the next one through."""
        self._server.accept()[0].close()

    def close(self) -> None:
        self._filler.close()
        self._server.close()


@pytest.fixture
def deaf() -> Iterator[Deaf]:
    with closing(Deaf()) as deaf:
        yield deaf


class Connects(list[str]):
    """The addresses that somebody connected to while a test ran, as the interpreter tells them."""

    active = True

    def __init__(self) -> None:
        super().__init__()
        self.sockets: list[int] = []
        """How many the process had at each of them."""
        self.also: Callable[[], object] = int

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        if self.active and event == "socket.connect":
            self.append(str(cast("tuple[object, tuple[str]]", args)[1][0]))
            self.sockets.append(sockets())
            self.also()


@pytest.fixture
def connects() -> Iterator[Connects]:
    connects = Connects()
    sys.addaudithook(connects)
    yield connects
    connects.active = False


def sockets() -> int:
    """Return how many sockets this process has."""
    links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return sum(str(link).startswith("socket:") for link in links)


def peer(connection: socket.socket | Unreachable) -> str:
    assert isinstance(connection, socket.socket), connection
    with closing(connection):
        return str(connection.getpeername()[0])


async def test_the_first_that_listens_is_it(port: int) -> None:
    with listener(V6, port), listener(V4, port):
        assert peer(await connect([Way(V6, port), Way(V4, port)], 10)) == V6
        assert peer(await connect([Way(V4, port)], 10)) == V4


async def test_the_second_is_tried_when_the_first_refuses(port: int) -> None:
    with listener(V4, port):
        assert peer(await connect([Way(V6, port), Way(V4, port)], 10)) == V4


async def test_the_second_is_tried_when_the_first_is_slow(deaf: Deaf, port: int) -> None:
    with listener(V4, port):
        assert peer(await connect([deaf.way, Way(V4, port)], 3600)) == V4


async def test_the_first_has_another_turn_if_the_second_fails(deaf: Deaf, port: int, connects: Connects) -> None:
    """A host far away may need longer than its first turn."""

    def hear() -> None:
        if connects[-1] == V4:
            deaf.hear()

    connects.also = hear
    assert peer(await connect([deaf.way, Way(V4, port)], 3600)) == V6
    assert connects == [V6, V4, V6]


async def test_no_two_are_under_way_at_a_time(deaf: Deaf, port: int, connects: Connects) -> None:
    """Both might get through: a host that is to see ten connections would see eleven."""
    before = sockets()
    with listener(V4, port):
        assert peer(await connect([deaf.way, Way(V4, port)], 3600)) == V4
    assert connects.sockets == [before + 2, before + 2], "the listener, and one of ours"


async def test_what_was_given_up_is_closed_before_another_is_opened(port: int, connects: Connects) -> None:
    with listener(V4, port):
        before = sockets()
        for _ in range(2):
            connection = await connect([Way(V4, port)], 10)
            assert isinstance(connection, socket.socket)
            transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=connection)
            transport.abort()
    assert connects.sockets == [before + 1, before + 1]


async def test_why_nobody_was_reached(deaf: Deaf, port: int) -> None:
    assert await connect([Way(V6, port), Way(V4, port), deaf.way], 0.5) == Unreachable(
        f"[{V6}]:{port}: Connection refused; [{V4}]:{port}: Connection refused; {deaf.way} timed out"
    )


@pytest.mark.parametrize("ways", [1, 2])
async def test_a_way_that_ends_nowhere_takes_its_time_and_no_more(deaf: Deaf, ways: int) -> None:
    result = await connect([deaf.way] * ways, 0.3)
    assert result == Unreachable("; ".join([f"{deaf.way} timed out"] * ways))


async def test_a_wrong_source_is_a_reason(port: int) -> None:
    with listener(V4, port):
        result = await connect([Way(V4, port, "192.0.2.1")], 10)
    assert isinstance(result, Unreachable)
    assert f"[{V4}]:{port} from 192.0.2.1" in result.reason


async def test_nothing_is_left_open_when_it_is_given_up(deaf: Deaf) -> None:
    before = sockets()
    task = asyncio.create_task(connect([deaf.way, deaf.way], 3600))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sockets() == before + 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert sockets() == before


async def test_the_loser_is_closed(port: int) -> None:
    before = sockets()
    with listener(V6, port), listener(V4, port):
        won = await connect([Way(V6, port), Way(V4, port)], 10)
        assert sockets() == before + 3
        assert isinstance(won, socket.socket)
        won.close()


async def test_mail_goes_by_ipv4_when_ipv6_leads_nowhere(world: World) -> None:
    server = world.server()
    world.dns.zone["example.net"] = {"AAAA": [V6], "A": [server.host]}
    with closing(Deaf(world.port)):
        world.configure(connect_timeout=Duration(3600))
        assert await world.deliver(message(BOB)) == ()
    assert len(server.transactions) == 1


async def test_an_address_that_refused_is_not_tried_again_under_another_name(world: World, connects: Connects) -> None:
    server = world.server()
    world.mx("example.net", (10, server), (20, server), (30, server))
    dead = world.address(200)
    world.dns.zone["mx1.example.net"] = {"A": [dead], "AAAA": [V6]}
    world.dns.zone["mx2.example.net"] = {"A": [dead]}
    assert await world.deliver(message(BOB)) == ()
    assert [address for address in connects if address in {dead, V6}] == [V6, dead]
