"""The screener as an app: parts put together, a worker that runs them."""

from services.screener.containers.pool import Pool
from services.screener.handler import Screener
from services.screener.isolated import isolated
from services.screener.settings import Settings
from shared.broker import worker
from shared.broker.port import Broker
from shared.broker.stage_app import StageApp
from shared.broker.topology import Stage
from shared.broker.worker import Worker
from shared.clock import Clock, wall_clock
from shared.config.model import Config
from shared.reload import Swap


def build(config: Config, broker: Broker, *, clock: Clock = wall_clock) -> StageApp:
    """Return the stage, not yet started. Raise ConfigError for rules that cannot be used."""
    settings = Settings.of(config)
    pool = Pool()
    limits = worker.Settings(config.screener.concurrency, float(config.screener.timeout))
    current = Screener(settings, clock, pool)
    at_work = Worker(broker, Stage.SCREEN, current, limits, isolated=isolated(settings), clock=clock)

    def prepare(new: Config) -> Swap:
        changed = Settings.of(new)
        successor = Screener(changed, clock, pool)
        timeout = float(new.screener.timeout)

        def swap() -> None:
            nonlocal current
            current.retire()
            current = successor
            at_work.change(successor, timeout, isolated(changed))

        return swap

    async def close() -> None:
        pool.close()
        await current.close()

    return StageApp(broker, at_work, prepare, close)
