"""The screener's stage function: one message in, what follows from it out."""

import asyncio
import time
from collections.abc import Sequence

from services.screener.antivirus.answer import Unavailable
from services.screener.antivirus.ruling import by_size, pieces, wait, with_answer
from services.screener.assess import Assessed, Means, assess
from services.screener.containers.contents import Contents
from services.screener.containers.pool import Look, Pool
from services.screener.mime.anomaly import Limits
from services.screener.mime.deadline import deadline
from services.screener.outcome import follow
from services.screener.settings import Settings
from services.screener.splitting import Split, groups, split
from shared import log, metrics
from shared.clock import Clock, wall_clock
from shared.model import Action, Direction, Message, Place, Send

OFF_THE_LOOP = 256 * 1024
"""Octets above which a message is screened in a thread, so that the loop keeps the broker's heartbeats."""


class _MustWait(Exception):  # noqa: N818  (it says what to do, nothing is wrong)
    """There is something to look into, which may take a while."""


def _look_later(_octets: bytes, _names: Sequence[str]) -> Contents:
    raise _MustWait


class Screener:
    """Screens messages; call it with one. It keeps nothing between calls but the processes in `pool`."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock = wall_clock,
        pool: Pool | None = None,
        cpu_clock: Clock = time.thread_time,
    ) -> None:
        self._pool = pool or Pool()
        self._settings = settings
        self._rules = settings.rules()
        self._house = settings.house()
        self._clamd = settings.clamd()
        self._clock = clock
        self._cpu_clock = cpu_clock  # of the thread that asks: a message is screened in one
        self._log = log.get()

    async def __call__(self, message: Message) -> list[Send]:
        """Return what follows; the same message with the same clock gives the same sends."""
        started = time.perf_counter()
        now = self._clock()
        try:
            if len(message.content) > OFF_THE_LOOP:
                splits = await asyncio.to_thread(self._assess, message, now, _look_later)
            else:
                splits = self._assess(message, now, _look_later)
        except _MustWait:
            threads, look = self._pool.threads, self._pool.for_message()
            splits = await asyncio.get_running_loop().run_in_executor(threads, self._assess, message, now, look)
        try:
            splits = await self._scanned(splits, message.item.origin.direction)
        except Unavailable as error:
            self._log.warning("antivirus unavailable", id=message.item.id, error=str(error))
            return [wait(message, error, now)]
        seconds = time.perf_counter() - started
        found: list[Send] = []
        for item, assessed in splits:
            part = Message(item, message.content)
            sends = follow(part, assessed.verdict, assessed.content, self._settings)
            self._note(part, assessed, sends, seconds)
            found += sends
        return found

    def _assess(self, message: Message, now: float, look: Look) -> list[Split]:
        item = message.item
        means = Means(look, Limits(out_of_time=deadline(self._cpu_clock)))
        outcomes = [
            (group.recipients, assess(message.content, group.rules, self._house, item.id, now, means))
            for group in groups(self._rules[item.origin.direction], item)
        ]
        return split(item, outcomes)

    async def _scanned(self, splits: list[Split], direction: Direction) -> list[Split]:
        """Have scanned for viruses what goes on or is kept, once for all recipients.

        Raise Unavailable if anything would go on unscanned; what is kept anyway does not wait for it.
        """
        scanned = [split.assessed for split in splits if split.assessed.verdict.action is not Action.BLOCK]
        if self._clamd is None or not scanned:
            return splits
        try:
            answer = await self._clamd.scan(pieces(scanned[0].screening))
        except Unavailable:
            if all(each.verdict.action is Action.QUARANTINE for each in scanned):
                return splits
            raise
        rules = self._rules[direction]
        most = self._settings.antivirus_max_file
        return [
            split._replace(assessed=with_answer(split.assessed, by_size(answer, largest, most), rules))
            for split in splits
            for largest in (split.assessed.screening.largest,)
        ]

    def retire(self) -> None:
        """Keep no session with the virus scanner for later: what is in hand ends as it began, nothing more comes."""
        if self._clamd is not None:
            self._clamd.retire()

    async def close(self) -> None:
        """Close sessions with the virus scanner."""
        if self._clamd is not None:
            await self._clamd.close()

    def _note(self, message: Message, assessed: Assessed, sends: list[Send], seconds: float) -> None:
        verdict, direction = assessed.verdict, message.item.origin.direction
        metrics.verdicts.labels(direction, verdict.action).inc()
        for shadow in verdict.shadow:
            metrics.shadows.labels(*shadow.split()).inc()
        reported = [send for send in sends if send.place is Place.REDELIVER]
        if reported:
            metrics.reports.labels("blocked").inc()
        self._log.info(
            "screened",
            id=message.item.id,
            split=message.item.split,
            recipients=len(message.item.envelope.recipients),
            action=verdict.action.value,
            direction=direction.value,
            reasons=list(verdict.reasons),
            ambiguous=verdict.ambiguous,
            shadow=list(verdict.shadow),
            remarks=list(verdict.remarks),
            parts=len(assessed.screening.seen),
            octets=len(message.content),
            to=[f"{send.place}/{send.message.item.destination or ''}".rstrip("/") for send in sends[:20]],
            seconds=round(seconds, 4),
        )
