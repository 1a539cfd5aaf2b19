"""What RabbitMQ can do to a publisher, and what the publisher then says and does (DESIGN section 5)."""

import asyncio
import time

import pytest

from shared import wire
from shared.broker.admin import apply
from shared.broker.rabbitmq import RabbitBroker, Settings, connect, connect_operator
from shared.broker.topology import User
from shared.errors import BrokerFull, BrokerUnavailable, ConfigError, MessageTooLarge
from shared.model import Place
from tests.contract.harness import PATIENCE, take, until
from tests.contract.rabbitmq_harness import PASSWORDS, RabbitHarness
from tests.support.messages import make_message, to
from tests.support.ports import free_port
from tests.support.rabbitmq_fixtures import SMALL

pytestmark = pytest.mark.rabbitmq
IMPATIENT = Settings(confirm_timeout=4.0, late=1.0)


def told(broker: RabbitBroker, words: str) -> bool:
    return words in (broker.trouble() or "")


async def opened(harness: RabbitHarness, user: User, settings: Settings | None = None) -> RabbitBroker:
    broker = await harness.open(user, settings)
    assert isinstance(broker, RabbitBroker)
    return broker


async def test_alarm_is_trouble_and_what_was_sent_waits_for_its_end(rabbit: RabbitHarness) -> None:
    """`connection.blocked` is known, and nothing already accepted from a client is refused for it (BROKER.md 8)."""
    ingress = await opened(rabbit, User.INGRESS)
    rabbit.node.ctl("set_disk_free_limit", "1000GB")
    try:
        pending = asyncio.create_task(ingress.publish([to(Place.SCREEN)]))
        await until(lambda: told(ingress, "a memory or disk alarm is set"), "the alarm is told")
        assert not pending.done()
    finally:
        rabbit.node.ctl("set_disk_free_limit", "50MB")
    async with asyncio.timeout(PATIENCE):
        await pending
    await until(lambda: ingress.trouble() is None, "trouble is over")


async def test_alarm_keeps_no_acknowledgement_back(rabbit: RabbitHarness) -> None:
    """Consuming has a connection of its own: a full disk must not keep what empties it from working (BROKER.md 8)."""
    screener = await opened(rabbit, User.SCREENER)
    await rabbit.put(Place.SCREEN, b"x")
    (received,) = await take(screener, Place.SCREEN, 1)
    rabbit.node.ctl("set_disk_free_limit", "1000GB")
    try:
        pending = asyncio.create_task(screener.publish([to(Place.DELIVER)]))
        await until(lambda: told(screener, "alarm"), "the publishing connection is blocked")
        await until(lambda: _held(rabbit) == 1, "RabbitMQ counts it")
        await received.ack()

        await until(lambda: _held(rabbit) == 0, "the acknowledgement has arrived")
    finally:
        rabbit.node.ctl("set_disk_free_limit", "50MB")
    async with asyncio.timeout(PATIENCE):
        await pending


def _held(harness: RabbitHarness) -> int:
    """Return how many messages mail.screen has, those in a consumer's hand included."""
    listed = harness.node.ctl("list_queues", "-p", harness.vhost, "name", "messages", "--quiet")
    return next(int(line.split()[1]) for line in listed.splitlines() if line.split()[0] == Place.SCREEN)


async def test_hung_broker_is_trouble_until_it_has_caught_up(rabbit: RabbitHarness) -> None:
    """Late confirms are told before anybody waits a minute for one, and a publish given up on does not end them."""
    ingress = await opened(rabbit, User.INGRESS, IMPATIENT)
    message = make_message()
    rabbit.node.pause()
    try:
        pending = asyncio.create_task(ingress.publish([to(Place.SCREEN, message)]))
        await until(lambda: told(ingress, "late with confirms"), "late confirms are told")
        assert not pending.done()
        with pytest.raises(BrokerUnavailable, match="has not confirmed within 4 s"):
            await pending
        assert told(ingress, "has not confirmed within 4 s")
    finally:
        rabbit.node.resume()
    await until(lambda: ingress.trouble() is None, "trouble is over")
    await ingress.publish([to(Place.SCREEN, message)])
    found = await take(await opened(rabbit, User.SCREENER), Place.SCREEN, 2)
    assert [wire.decode(received.body) for received in found] == [message, message]


async def test_killed_broker_fails_what_waits_at_once(rabbit: RabbitHarness) -> None:
    """Nobody waits for a confirm that cannot come (confirm_timeout is 60 s), and the next one hears it at once."""
    ingress = await opened(rabbit, User.INGRESS)
    rabbit.node.pause()
    pending = [asyncio.create_task(ingress.publish([to(Place.SCREEN)])) for _ in range(300)]
    await until(lambda: told(ingress, "late with confirms"), "publishes wait for a hung broker")
    rabbit.node.kill()
    async with asyncio.timeout(10):
        done = await asyncio.gather(*pending, return_exceptions=True)
    assert {type(error) for error in done} == {BrokerUnavailable}
    started = time.monotonic()
    with pytest.raises(BrokerUnavailable, match="not connected to RabbitMQ at 127"):
        await ingress.publish([to(Place.SCREEN)])
    assert time.monotonic() - started < 1, "451 within a second is a promise of DESIGN section 5"
    assert told(ingress, "not connected to RabbitMQ at 127.0.0.1:")


async def test_comes_up_before_the_broker_and_begins_when_it_comes(rabbit: RabbitHarness) -> None:
    """Start order does not matter; readiness says what is missing."""
    rabbit.node.stop()
    ingress = await connect(rabbit.url(User.INGRESS), User.INGRESS)
    screener = await connect(rabbit.url(User.SCREENER), User.SCREENER)
    try:
        subscription = await screener.subscribe(Place.SCREEN, 10)
        assert told(ingress, "not connected to RabbitMQ at 127.0.0.1:")
        with pytest.raises(BrokerUnavailable):
            await ingress.publish([to(Place.SCREEN)])
        with pytest.raises(BrokerUnavailable, match=r"vhost \"contract\": .*Connect call failed"):
            await connect(rabbit.url(User.INGRESS), User.INGRESS, wait=False)
        rabbit.node.start()
        await until(lambda: ingress.trouble() is None and screener.trouble() is None, "both are connected")
        message = make_message()
        await ingress.publish([to(Place.SCREEN, message)])
        async with asyncio.timeout(PATIENCE):
            received = await anext(aiter(subscription))
        assert wire.decode(received.body) == message
        await received.ack()
    finally:
        await asyncio.gather(ingress.close(), screener.close())


async def test_full_queue_refuses_and_takes_again_when_there_is_room(damaged: RabbitHarness) -> None:
    """Full is an answer of its own (452), for fresh mail only: a retry must always be storable (BROKER.md 9)."""
    ingress = await opened(damaged, User.INGRESS)
    delivery = await opened(damaged, User.DELIVERY)
    big = make_message(content=b"x" * 60_000)

    async def fill() -> None:
        for _ in range(20):
            await ingress.publish([to(Place.SCREEN, big)])

    with pytest.raises(BrokerFull, match=r"mail\.screen: refused by its length limit"):
        await fill()
    assert ingress.trouble() is None
    for _ in range(5):
        await delivery.publish([to(Place.REDELIVER, big)])
    screener = await opened(damaged, User.SCREENER)
    for received in await take(screener, Place.SCREEN, await damaged.depth(Place.SCREEN)):
        await received.ack()

    async def taken() -> bool:
        try:
            await ingress.publish([to(Place.SCREEN, big)])
        except BrokerFull:
            return False
        return True

    await until(taken, "there is room again")


async def test_too_large_is_refused_before_it_is_sent(rabbit: RabbitHarness) -> None:
    """RabbitMQ would close the channel with everything in flight on it (BROKER.md 2)."""
    ingress = await opened(rabbit, User.INGRESS, Settings(max_message_size=10_000))
    large, small = make_message(content=b"x" * 10_000), make_message()
    with pytest.raises(MessageTooLarge, match="RabbitMQ takes 10000"):
        await ingress.publish([to(Place.SCREEN, small), to(Place.SCREEN, large)])
    assert await rabbit.depth(Place.SCREEN) == 0
    await ingress.publish([to(Place.SCREEN, small)])


async def test_missing_binding_is_an_error_that_names_the_remedy(damaged: RabbitHarness) -> None:
    """An unroutable publish is confirmed by RabbitMQ all the same: only the return tells (BROKER.md 17)."""
    ingress = await opened(damaged, User.INGRESS)
    damaged.node.api("DELETE", "bindings/damaged/e/mail.from-ingress/q/mail.screen/mail.screen")
    message = make_message()
    done = await asyncio.gather(
        *(ingress.publish([to(Place.SCREEN, message)]) for _ in range(50)), return_exceptions=True
    )
    assert {type(error) for error in done} == {BrokerUnavailable}, "the same message at the same time, none mistaken"
    assert "no binding to mail.screen" in str(done[0])
    assert "sluice broker apply" in str(done[0])


async def test_missing_exchange_closes_a_channel_that_is_opened_again(damaged: RabbitHarness) -> None:
    """The connection stays; once the exchange is there again, so does the mail."""
    delivery = await opened(damaged, User.DELIVERY)
    damaged.node.api("DELETE", "exchanges/damaged/mail.from-delivery")
    for _ in range(6):
        with pytest.raises(BrokerUnavailable, match=r"no exchange 'mail.from-delivery'.*sluice broker apply"):
            await delivery.publish([to(Place.REDELIVER)])
    assert await apply(damaged.target, PASSWORDS, SMALL) == []
    await delivery.publish([to(Place.REDELIVER)])
    assert await damaged.depth(Place.REDELIVER) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url.replace("password-of", "sesame"), "refuses user or password"),
        (lambda url: url.replace("/contract", "/not-there"), r"vhost \"not-there\": .*correct the vhost"),
    ],
)
async def test_refused_connection_says_why_and_shows_no_password(
    rabbit: RabbitHarness, change: object, words: str
) -> None:
    """A wrong password, a wrong vhost: one clear line each, at once or in readiness."""
    assert callable(change)
    url = change(rabbit.url(User.INGRESS))
    with pytest.raises(BrokerUnavailable, match=words) as caught:
        await connect(url, User.INGRESS, wait=False)
    with pytest.raises(BrokerUnavailable, match=words):
        await connect_operator(url)
    waiting = await connect(url, User.INGRESS)
    assert waiting.trouble() is not None
    for text in (str(caught.value), str(waiting.trouble())):
        assert "sesame" not in text
        assert "password-of" not in text
    await waiting.close()


async def test_nothing_listening() -> None:
    """Address and reason."""
    port = free_port()
    with pytest.raises(BrokerUnavailable, match=rf"127\.0\.0\.1:{port} vhost \"/\": .*Connect call failed"):
        await connect(f"amqp://ingress:sesame@127.0.0.1:{port}/", User.INGRESS, wait=False)


@pytest.mark.parametrize("url", ["rabbitmq:5672", "http://rabbitmq", "amqp://", "amqp://host:port/"])
async def test_url_that_is_none(url: str) -> None:
    """Before anything is tried."""
    with pytest.raises(ConfigError, match="broker: "):
        await connect(url, User.INGRESS)
