"""Thousands of clients that say nothing, at a server that is a process of its own."""

import contextlib
import os
import re
import resource
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.front import STRANGER, TRUSTED, Talk
from tests.support.house import House, send
from tests.support.processes import SLUICE
from tests.support.waiting import wait_for

CROWD = 5000
FILES = CROWD + 500
"""So many may have to be open at each end."""
WITH_LOW_LIMIT = ("sh", "-c", 'ulimit -Sn 1024; exec "$@"', "sh")
"""As most systems start their services: to have more open files is the server's own affair."""


@pytest.fixture
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < FILES:
        reason = f"the hard limit of open files is {hard}: ulimit -n {FILES} as root"
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def house(tmp_path: Path, _many_files: None) -> Iterator[House]:
    house = House(tmp_path, [*WITH_LOW_LIMIT, *SLUICE, "up"])
    limits = {"max_connections": CROWD + 1, "max_connections_per_client": CROWD}
    house.write(ingress={**house.config["ingress"], **limits})
    try:
        house.process.start()
        yield house
        assert house.process.running, house.process.tail()
        assert house.process.events("command failed") == []
    finally:
        house.process.kill()


def sessions(house: House) -> int:
    """Return how many sessions the server says are open."""
    found = re.search(r"^sluice_ingress_sessions (\d+)\.0$", house.process.ops("/metrics")[1], re.MULTILINE)
    assert found
    return int(found[1])


def files(house: House) -> int:
    return sum(1 for _ in Path(f"/proc/{house.process.pid}/fd").iterdir())


def connect(house: House) -> Talk:
    return Talk(socket.create_connection(("127.0.0.1", house.ports[0]), 60, (STRANGER, 0)))


def leave(number: int, talk: Talk) -> None:
    """Leave in one of four ways."""
    match number % 4:
        case 0:
            talk.send(b"QUIT\r\n")
        case 1:
            talk.socket.shutdown(socket.SHUT_WR)
        case 2:
            talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if number % 4 < 2:
        while talk.line():
            pass
    talk.close()


@pytest.mark.timeout(600)
def test_five_thousand_idle_clients_keep_nobody_out(house: House) -> None:
    """All are greeted, one more can send mail, all are still there then, and nothing is left of them in the end."""
    with house.talk(TRUSTED) as talk:
        talk.ask("QUIT")
    wait_for(lambda: sessions(house) == 0)
    before = files(house)
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connect(house)) for _ in range(CROWD)]
        assert all(talk.reply() == "220 relay.example.net ESMTP Sluice" for talk in crowd)
        assert sessions(house) == CROWD
        with house.talk(TRUSTED) as talk:
            assert send(talk, "alice@example.org").startswith("250 2.0.0 Ok: queued as ")
            with Talk(socket.create_connection(("127.0.0.1", house.ports[0]), 60, (TRUSTED, 0))) as one_too_many:
                assert one_too_many.reply().startswith("421 4.7.0 Too many connections")
        for talk in crowd:
            talk.send(b"NOOP\r\n")
        assert all(talk.reply() == "250 2.0.0 Ok" for talk in crowd)
        wait_for(lambda: sessions(house) == CROWD)
        for number, talk in enumerate(crowd):
            leave(number, talk)
    wait_for(lambda: sessions(house) == 0)
    wait_for(lambda: files(house) <= before)
    with house.talk() as talk:
        assert send(talk, "alice@example.org").startswith("250 2.0.0 Ok: queued as ")
