"""The screener as a stage on a real broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.screener.app import build
from shared import wire
from shared.broker.port import Broker
from shared.broker.sqlite import open_broker
from shared.broker.stage_app import StageApp
from shared.config.model import Config, Rules
from shared.config.model import Screener as ScreenerConfig
from shared.errors import ConfigError
from shared.model import Action, Message, Place
from tests.contract.harness import take
from tests.support import mail_samples as samples
from tests.support.messages import make_item, make_message, to


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    opened = await open_broker(tmp_path / "queue.db")
    yield opened
    await opened.close()


@pytest.fixture
async def app(broker: Broker) -> AsyncIterator[StageApp]:
    built = build(Config(hostname="relay.example.net"), broker)
    await built.start()
    yield built
    await built.drain(5)


async def test_mail_flows_from_one_queue_to_the_next(broker: Broker, app: StageApp) -> None:
    clean = make_message(make_item(recipients=("a@one.example", "b@two.example")), samples.OUTLOOK)
    bad = make_message(make_item(recipients=("c@one.example",)), samples.with_exe())
    await broker.publish([to(Place.SCREEN, clean), to(Place.SCREEN, bad)])
    found = [wire.decode(received.body) for received in await take(broker, Place.DELIVER, 3)]
    by_address = {message.item.envelope.recipients[0].address: message for message in found}
    assert by_address["a@one.example"].content == by_address["b@two.example"].content == samples.OUTLOOK
    assert b"Attachment-Removed.txt" in by_address["c@one.example"].content
    verdicts = {address: message.item.verdict for address, message in by_address.items()}
    assert {address: verdict and verdict.action for address, verdict in verdicts.items()} == {
        "a@one.example": Action.PASS,
        "b@two.example": Action.PASS,
        "c@one.example": Action.STRIP,
    }
    assert app.trouble() is None


async def test_a_large_message_arrives_by_the_twin_and_goes_on_by_it(broker: Broker, app: StageApp) -> None:
    content = samples.multipart([samples.TEXT, samples.attachment("a.pdf", samples.PDF * 2000)])
    await broker.publish([to(Place.SCREEN, Message(make_item(), content))])
    (received,) = await take(broker, "mail.deliver.large", 1)
    assert wire.decode(received.body).content == content


async def test_what_keeps_coming_back_is_screened_in_a_child(broker: Broker, capfd: pytest.CaptureFixture[str]) -> None:
    """After three returns without a result the next try must not be able to take the worker down."""
    await broker.publish([to(Place.SCREEN, make_message(content=samples.with_exe()))])
    subscription = await broker.subscribe(Place.SCREEN, 1)
    async for received in subscription:
        if received.returns == 3:
            await subscription.cancel()
        await received.release()
    app = build(Config(), broker)
    await app.start()
    (received,) = await take(broker, Place.DELIVER, 1)
    await app.drain(5)
    assert b"Attachment-Removed.txt" in wire.decode(received.body).content
    assert "screener-isolated" in capfd.readouterr().err


async def test_rules_that_do_not_exist_stop_the_start(broker: Broker) -> None:
    config = Config(screener=ScreenerConfig(inbound=Rules(action="delete")))
    with pytest.raises(ConfigError, match=r"screener\.inbound\.action"):
        build(config, broker)
