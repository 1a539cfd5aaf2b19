"""All stages in one process: their order, their troubles, on either broker."""

import asyncio
from pathlib import Path

import pytest

from services.embedded import Stages
from shared.errors import SluiceError
from tests.support.rabbitmq import RabbitNode
from tests.support.rabbitmq_world import on_rabbitmq
from tests.support.world import OUTSIDER, mail, octets, on_sqlite, world_on


class Stage:
    """An app that writes down what is asked of it."""

    def __init__(self, name: str, diary: list[str]) -> None:
        self.name = name
        self.diary = diary
        self.broken: BaseException | None = None
        self.reason: str | None = None
        self.takes = 0.0
        self.starts = True

    async def start(self) -> None:
        if not self.starts:
            raise SluiceError(f"{self.name}: does not start")
        self.diary.append(f"start {self.name}")

    def trouble(self) -> str | None:
        return self.reason

    def failure(self) -> BaseException | None:
        return self.broken

    async def drain(self, grace: float) -> None:
        self.diary.append(f"drain {self.name} {'with' if grace > 0 else 'without'} grace")
        await asyncio.sleep(self.takes)


def stages() -> tuple[Stages, dict[str, Stage], list[str]]:
    diary: list[str] = []
    apps = {name: Stage(name, diary) for name in ("ingress", "screener", "delivery")}
    return Stages(list(apps.items())), apps, diary


async def test_the_door_opens_last_and_closes_first() -> None:
    together, _, diary = stages()
    await together.start()
    await together.drain(5)
    assert diary == [
        *("start delivery", "start screener", "start ingress"),
        *("drain ingress with grace", "drain screener with grace", "drain delivery with grace"),
    ]


async def test_the_grace_is_for_all_together() -> None:
    """A stage that uses it all up leaves none: the supervisor's patience is one."""
    together, apps, diary = stages()
    apps["ingress"].takes = 0.3
    await together.start()
    await together.drain(0.2)
    assert diary[3:] == ["drain ingress with grace", "drain screener without grace", "drain delivery without grace"]


async def test_what_has_started_is_drained_if_another_stage_cannot_start() -> None:
    together, apps, diary = stages()
    apps["screener"].starts = False
    with pytest.raises(SluiceError, match="screener: does not start"):
        await together.start()
    assert diary == ["start delivery", "drain delivery without grace"]


async def test_trouble_and_failure_name_the_stage() -> None:
    together, apps, _ = stages()
    assert (together.trouble(), together.failure()) == (None, None)
    apps["delivery"].reason = "the broker is away"
    apps["screener"].broken = SluiceError("broken")
    assert together.trouble() == "delivery: the broker is away"
    assert together.failure() is apps["screener"].broken


def test_a_killed_queue_file_holder_leaves_the_mail(tmp_path: Path) -> None:
    """`sluice up` relays on the embedded broker, is killed, and goes on where it was."""
    with world_on(on_sqlite(tmp_path), tmp_path) as world:
        for number in range(2):
            to = f"r{number}@hosted.example"
            assert world.send(OUTSIDER, "s@elsewhere.example", to, octets(mail("s@x.example", to, "m"))).code == 250
            world.arrived(to)
            world.relay["up"].kill()
            world.relay["up"].start()


@pytest.mark.rabbitmq
def test_all_stages_in_one_process_on_rabbitmq(tmp_path: Path, rabbit_node: RabbitNode) -> None:
    """Each stage logs in as its own user; mail goes through all three, and SIGTERM ends them with status 0."""
    with on_rabbitmq(rabbit_node, tmp_path) as broker:
        one_process = broker._replace(stages=("up",))
        with world_on(one_process, tmp_path) as world:
            to = "one@hosted.example"
            assert world.send(OUTSIDER, "s@elsewhere.example", to, octets(mail("s@x.example", to, "m"))).code == 250
            world.arrived(to)
            assert world.relay["up"].terminate() == 0
            for password in (tmp_path / "passwords").iterdir():
                assert password.read_text() not in world.relay.log()
