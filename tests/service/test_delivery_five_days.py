"""Five days in the life of a message: real handler, worker, queue file and servers, and a clock that leaps.

Between any two attempts everything is closed and opened again, as in a restart: what is known is in the queue file.
"""

import asyncio
import email
import email.policy
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.broker.port import Operator
from shared.broker.sqlite import Options, open_broker, open_operator
from shared.broker.topology import Stage, stage_queues
from shared.broker.worker import Settings, Worker
from shared.config.model import Delivery
from shared.model import Message, Origin, Place, Recipient, Send
from tests.contract.harness import until
from tests.support.delivery_world import ACCEPTED_AT, POSTMASTER, World, message
from tests.support.smtp_server import SmtpServer

HOUR = 3600.0
DAY = 24 * HOUR
LIFETIME = 5 * DAY
QUEUES = [queue for queue in stage_queues(Stage.DELIVER) if ".wait." not in queue]
LATER, NO = "450 4.2.0 come back later", "550 5.1.1 no such user"
BOB, EVE = "bob@example.net", "eve@example.net"


class Life:
    """One queue file, a destination, and the server of the sender's own domain, where reports arrive."""

    def __init__(self, world: World, path: Path) -> None:
        self.world = world
        self.path = path
        self.destination = world.server(script={"RCPT": LATER})
        self.home: SmtpServer = world.server()
        world.mx("example.net", (10, self.destination))
        world.mx("example.org", (10, self.home))
        self.attempts: list[float] = []
        """When the destination was asked, in seconds after the message was accepted."""
        self.reports: list[tuple[float, str, str, str]] = []
        """When a report reached the sender, whom it went to, the actions in it and the recipients it names."""

    @property
    def options(self) -> Options:
        """The file, with the world's clock."""
        return Options(clock=lambda: self.world.now)

    async def accept(self, *messages: Message) -> None:
        """Put messages into the queue."""
        broker = await open_broker(self.path, self.options)
        await broker.publish([Send(Place.DELIVER, each) for each in messages])
        await broker.close()

    async def live(self, until: float = 30 * DAY) -> None:
        """Go from one due time to the next until nothing is left, or to a time after the message was accepted."""
        while (due := await self._next_due()) is not None and due - ACCEPTED_AT <= until:
            self.world.now = max(self.world.now, due)
            await self._work()
            self._note()

    async def _next_due(self) -> float | None:
        operator = await open_operator(self.path, self.options)
        try:
            return min([kept.kept_at or 0.0 async for kept in operator.kept(QUEUES)], default=None)
        finally:
            await operator.close()

    async def _work(self) -> None:
        """Run a worker until nothing is due."""
        broker = await open_broker(self.path, self.options)
        operator = await open_operator(self.path, self.options)
        worker = Worker(broker, Stage.DELIVER, self.world.handler, Settings(20, 60.0), clock=lambda: self.world.now)
        running = asyncio.create_task(worker.run())
        await until(lambda: _idle(operator), "nothing is due")
        await worker.drain(30)
        await running
        await operator.close()
        await broker.close()

    def _note(self) -> None:
        at = self.world.now - ACCEPTED_AT
        asked = sum(command.startswith("RCPT") for command in self.destination.commands)
        self.attempts += [at] * (asked - len(self.attempts))
        for mail in self.home.transactions[len(self.reports) :]:
            parsed = email.message_from_bytes(mail.content, policy=email.policy.default)
            groups = [part for part in parsed.walk() if part["Action"]]
            named = ",".join(sorted(part["Final-Recipient"].partition("; ")[2] for part in groups))
            self.reports.append((at, mail.recipients[0], ",".join({part["Action"] for part in groups}), named))


async def _idle(operator: Operator) -> bool:
    return not any(d.ready or d.unsettled for d in await operator.depths() if d.queue in QUEUES)


def steps(attempts: Sequence[float]) -> list[float]:
    """Return the waits between attempts."""
    return [later - earlier for earlier, later in itertools.pairwise(attempts)]


@pytest.fixture
async def life(world: World, tmp_path: Path) -> Life:
    """A world with the ladder as delivered."""
    default = Delivery()
    world.configure(retry=default.retry, lifetime=default.lifetime, delay_warning=default.delay_warning)
    return Life(world, tmp_path / "queue.db")


async def test_a_host_that_is_never_ready(life: Life) -> None:
    """Tried on the ladder, one warning after four hours, one failure after five days, nothing after that."""
    await life.accept(message(BOB))
    await life.live()
    ladder = [60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0]
    assert life.attempts[0] == 0
    for wait, planned in zip(steps(life.attempts), ladder, strict=False):
        assert 0.9 * planned <= wait <= 1.1 * planned
    assert 4 * HOUR in life.attempts
    assert all(0.9 * 4 * HOUR <= wait <= 1.1 * 4 * HOUR for wait in steps(life.attempts)[7:-1])
    assert life.attempts[-1] == LIFETIME
    assert 36 <= len(life.attempts) <= 41
    assert life.reports == [
        (4 * HOUR, "a@example.org", "delayed", BOB),
        (LIFETIME, "a@example.org", "failed", BOB),
    ]


async def test_a_host_that_recovers(life: Life) -> None:
    await life.accept(message(BOB))
    await life.live(until=2 * DAY)
    life.destination.script("RCPT", "250 2.1.5 ok")
    await life.live()
    assert len(life.destination.transactions) == 1
    assert 2 * DAY < life.attempts[-1] < 2 * DAY + 5 * HOUR
    assert life.reports == [(4 * HOUR, "a@example.org", "delayed", BOB)]


async def test_every_recipient_has_a_fate_of_its_own(life: Life) -> None:
    """One is refused at once, one when the host learns better, one never: each is reported once, and tried no more."""
    life.destination.script(f"RCPT {BOB}", NO)
    await life.accept(message(BOB, EVE, "joe@example.net", Recipient(address="ann@example.net", notify=("NEVER",))))
    await life.live(until=HOUR)
    life.destination.script(f"RCPT {EVE}", NO)
    await life.live()
    asked = [command.split("<")[1].split(">")[0] for command in life.destination.commands if command[:4] == "RCPT"]
    assert asked.count(BOB) == 1
    assert asked.count(EVE) == 6
    assert asked.count("joe@example.net") == asked.count("ann@example.net") > 35
    (first, second, third, fourth) = life.reports
    assert first == (0.0, "a@example.org", "failed", BOB)
    assert second[2:] == ("failed", EVE)
    assert HOUR < second[0] < 2 * HOUR
    assert third == (4 * HOUR, "a@example.org", "delayed", "joe@example.net")
    assert fourth == (LIFETIME, "a@example.org", "failed", "joe@example.net")


@pytest.mark.parametrize(("answer", "delivered", "reports"), [("250 2.1.5 ok", 1, []), (LATER, 0, ["failed"])])
async def test_an_absence_of_ours_bounces_nothing_untried(
    life: Life, answer: str, delivered: int, reports: list[str]
) -> None:
    """Nobody took care for twenty days: what waited is tried once more before anything is said about it."""
    await life.accept(message(BOB))
    await life.live(until=DAY)
    tried = len(life.attempts)
    life.reports.clear()
    life.home.transactions.clear()
    life.world.now = ACCEPTED_AT + 20 * DAY
    life.destination.script("RCPT", answer)
    await life.live()
    assert len(life.attempts) == tried + 1
    assert len(life.destination.transactions) == delivered
    assert [report[2] for report in life.reports] == reports


@pytest.mark.parametrize("sender", [None, "a@example.org"])
async def test_a_report_that_nobody_takes_ends_in_quarantine(life: Life, sender: str | None) -> None:
    """A failure begets a report, the report's failure a note to the postmaster, and that one's failure nothing."""
    life.home.script("RCPT", NO)
    life.destination.script("RCPT", NO)
    await life.accept(message(BOB, sender=sender, origin=Origin.TRUSTED))
    await life.live()
    told = [command for command in life.home.commands if command.startswith("RCPT")]
    notes = [f"RCPT TO:<{POSTMASTER}>"]
    assert [each.split(">")[0] + ">" for each in told] == (["RCPT TO:<a@example.org>"] if sender else []) + notes
    operator = await open_operator(life.path, life.options)
    kept = [each async for each in operator.quarantined()]
    await operator.close()
    assert len(kept) == 1
