"""Ingress over the embedded broker: what was answered 250 is in the file, under its id, once."""

import asyncio
from pathlib import Path

from services.ingress.app import build
from shared import wire
from shared.broker.sqlite import open_broker, open_operator
from shared.model import Place
from tests.support.client import Session, Target, message_for
from tests.support.front import NO_DNS, TRUSTED, front_config
from tests.support.ledger import token_of

CLIENTS = 10
MESSAGES = 10


async def test_every_answered_message_is_in_the_queue_file(tmp_path: Path) -> None:
    file = tmp_path / "queue.db"
    broker = await open_broker(file)
    app = build(front_config(), broker, NO_DNS)
    await app.start()
    target = Target(app.ports[0], source=TRUSTED)
    answered: dict[str, str] = {}

    async def send(number: int) -> None:
        session = await Session.open(target)
        for turn in range(MESSAGES):
            token = f"t{number}-{turn}"
            reply = await session.send(target.sender, target.recipient, message_for(token, target))
            answered[reply.decode().split()[-1]] = token
        session.close()

    await asyncio.gather(*(send(number) for number in range(CLIENTS)))
    await app.drain(10)
    await broker.close()

    operator = await open_operator(file)
    kept = [entry async for entry in operator.kept([Place.SCREEN.value])]
    await operator.close()
    stored = {}
    for entry in kept:
        message = wire.decode(entry.body)
        stored[message.item.id] = token_of(message.content)
        assert message.content.startswith(b"Received: from load.example ([127.0.0.2])")
    assert len(kept) == len(answered) == CLIENTS * MESSAGES
    assert stored == answered


async def test_a_closed_broker_is_a_451_and_never_a_250(tmp_path: Path) -> None:
    broker = await open_broker(tmp_path / "queue.db")
    app = build(front_config(), broker, NO_DNS)
    await app.start()
    session = await Session.open(Target(app.ports[0], source=TRUSTED))
    await session.expect(b"MAIL FROM:<a@elsewhere.example>", b"2")
    await session.expect(b"RCPT TO:<bob@example.org>", b"2")
    await session.expect(b"DATA", b"3")
    await broker.close()
    assert (await session.command(b"Subject: x\r\n\r\n.")).startswith(b"451 4.3.2 ")
    assert (await session.command(b"MAIL FROM:<a@elsewhere.example>")).startswith(b"451 4.3.2 ")
    assert app.trouble() is not None
    session.close()
    await app.drain(10)
