"""The way to a destination: who may connect now, who waits a moment here, who comes back later.

The decisions are pure (pace.py, circuit.py, booking.py); here they are put together, and acted on.
"""

import asyncio
import random
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import NamedTuple

from services.delivery.outcome import Outcome, Result
from services.delivery.shaping import booking, circuit, pace
from services.delivery.shaping.berth import Berth
from services.delivery.shaping.booking import Bookings
from services.delivery.shaping.circuit import Circuit
from services.delivery.shaping.limits import Limits, Table
from services.delivery.shaping.pace import Pace
from services.delivery.smtp.client import Target
from shared import log, metrics
from shared.broker.port import Slots

PATIENCE = 5.0
"""Seconds an item may wait in the worker for a place expected to be free by then: the broker's shortest wait."""
FULL = 1.0
"""Seconds before a site whose slots were all taken is asked for again."""
SITES = 10_000
"""Sites remembered; those nobody is connected to are forgotten first."""
REFUSED = 450
"""The code of a session that a host has refused in its own words (`outcome.softened`)."""


class Settings(NamedTuple):
    """The gate's keys of the configuration."""

    table: Table
    idle_seconds: float
    """How long a place is kept for the next message."""
    idle: int = 100
    """Places kept at most."""
    waiting: int = 50
    """Items that wait here for a place, at most; a quarter of them for one site."""


class Busy(NamedTuple):
    """No place now."""

    seconds: float
    """When to come back."""
    suspended: str | None = None
    """What the last failure was, if the site is left alone because it does not answer."""


class _Site:
    """What is known of one site."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.circuit = Circuit()
        self.bookings = Bookings()
        self.places = 0
        """Slots held here, or being taken."""
        self.full_until = 0.0
        self.idle: list[Berth] = []
        self.line: deque[asyncio.Future[Berth]] = deque()

    def room(self, limits: Limits) -> int:
        """Return how many more places there may be here."""
        return min(self.pace.connections, limits.connections) - self.places


class Gate:
    """Gives out berths. Every berth from `enter` goes back by `leave`."""

    def __init__(self, slots: Slots, settings: Settings, rng: random.Random) -> None:
        self.settings = settings
        """May be changed; what is given out stays as it is."""
        self._slots = slots
        self._rng = rng
        self._sites: dict[str, _Site] = {}
        self._idle: list[Berth] = []
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop
        self._log = log.get()

    async def enter(
        self,
        name: str,
        domain: str,
        targets: Sequence[Target],
        *,
        anyway: bool = False,
        urged: float | None = None,
    ) -> Berth | Busy:
        """Return a berth, or when to come back; `anyway` tries a site that is left alone too.

        `urged`: how many seconds ago an operator wanted it tried; a site left alone that has not failed since is asked.
        """
        site, limits = self._site(name), self.settings.table.of(name, domain)
        now = self._loop().time()
        wait = circuit.wait_for(site.circuit, now, None if urged is None else now - max(0.0, urged))
        if wait and not anyway:
            metrics.busy.labels("suspended").inc()
            return Busy(wait * (1 + self._rng.random() / 5), site.circuit.why)
        site.circuit = circuit.tried(site.circuit)
        try:
            berth = (
                self._kept(site, targets)
                or await self._new(name, site, limits)
                or self._kept(site, None)
                or await self._in_line(site)
            )
        except BaseException:
            site.circuit = circuit.abandoned(site.circuit)
            raise
        if berth is not None:
            berth.begin(limits)
            return berth
        site.circuit = circuit.abandoned(site.circuit)
        metrics.busy.labels("busy").inc()
        if not site.places:
            return Busy(booking.unknown(self._rng.random()))
        share = 1 / limits.connections if limits.interval else 0.0
        known = site.bookings._replace(gap=max(site.bookings.gap, limits.interval * share))
        site.bookings, seconds = booking.booked(known, now)
        return Busy(seconds)

    def leave(self, berth: Berth, outcomes: Sequence[Outcome]) -> None:
        """Take a berth back, and learn from what the attempt has met."""
        site, now = self._site(berth.site), self._loop().time()
        self._learn(berth, site, outcomes, now)
        pause = berth.limits.interval * berth.used
        if pause and not berth.lost:
            berth.timer = self._loop().call_later(pause, self._free, berth)
            if pause >= self.settings.idle_seconds:
                self._run(berth.quit())
        else:
            self._free(berth)

    async def close(self) -> None:
        """End every session that is kept and give its slot back."""
        for berth in list(self._idle):
            self._expire(berth)
        while self._tasks:
            await asyncio.wait(self._tasks)

    def __len__(self) -> int:
        """Return how many places are held."""
        return sum(site.places for site in self._sites.values())

    def _site(self, name: str) -> _Site:
        site = self._sites.get(name)
        if site is None:
            if len(self._sites) >= SITES:
                unused = [key for key, each in self._sites.items() if not each.places and not each.line]
                for key in unused[: SITES // 10]:
                    del self._sites[key]
            site = self._sites[name] = _Site()
        return site

    def _kept(self, site: _Site, targets: Sequence[Target] | None) -> Berth | None:
        """Return the berth used last with a session for one of the targets (None: any berth that is kept)."""
        for berth in reversed(site.idle):
            if targets is None or (berth.suits(targets) and berth.reusable):
                self._wake(berth)
                return berth
        return None

    async def _new(self, name: str, site: _Site, limits: Limits) -> Berth | None:
        now = self._loop().time()
        if site.room(limits) <= 0 or now < site.full_until:
            return None
        site.places += 1
        berth = Berth(name, limits)
        try:
            berth.slot = await self._slots.take(name, limits.connections, berth.lose)
        finally:
            if berth.slot is None:
                site.places -= 1
        if berth.slot is None:
            site.full_until = now + FULL
            return None
        return berth

    async def _in_line(self, site: _Site) -> Berth | None:
        """Wait for a place that somebody leaves, if that is soon."""
        soon = booking.expected(site.bookings, len(site.line) + 1) <= PATIENCE * 0.8
        full = self._waiting >= self.settings.waiting or len(site.line) >= self.settings.waiting // 4
        if not site.places or full or not soon:
            return None
        turn: asyncio.Future[Berth] = self._loop().create_future()
        site.line.append(turn)
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE):
                return await turn
        except TimeoutError:
            if turn.done() and not turn.cancelled():
                return turn.result()
            site.bookings = booking.in_vain(site.bookings, self._loop().time(), PATIENCE)
            return None
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._free(turn.result())
            raise
        finally:
            self._waiting -= 1
            if turn in site.line:
                site.line.remove(turn)

    def _learn(self, berth: Berth, site: _Site, outcomes: Sequence[Outcome], now: float) -> None:
        if berth.used:
            site.bookings = booking.finished(site.bookings, now)
        dead = [each for each in berth.failures if each.tls is None and not each.unprotected]
        if berth.met:
            if site.circuit.is_open:
                self._log.info("destination answers again", site=berth.site)
            site.circuit = Circuit()
        elif dead and not berth.lost:
            site.circuit = circuit.failed(site.circuit, now, str(dead[-1].reply))
            if site.circuit.is_open:
                wait = site.circuit.until - now
                self._log.warning("destination is left alone", site=berth.site, seconds=wait, reason=site.circuit.why)
        else:
            site.circuit = circuit.abandoned(site.circuit)
        replies = [outcome.reply for outcome in outcomes if outcome.said_by is not None]
        if any(map(pace.is_too_much, replies)) or any(each.reply.code == REFUSED for each in dead):
            site.pace = pace.refused(site.pace, now)
        elif any(outcome.result is Result.DELIVERED for outcome in outcomes):
            site.pace = pace.succeeded(site.pace, berth.limits.connections)

    def _free(self, berth: Berth) -> None:
        """Hand a berth to the next in line, keep it for a while, or give it up."""
        site = self._site(berth.site)
        berth.timer, berth.on_loss = None, None
        if berth.lost:
            site.places -= 1
            return
        if site.room(berth.limits) < 0:
            self._run(self._give_up(berth))
            return
        while site.line:
            turn = site.line.popleft()
            if not turn.done():
                turn.set_result(berth)
                return
        if not berth.reusable:
            self._run(self._give_up(berth))
            return
        site.bookings = booking.idle(site.bookings)
        berth.on_loss = lambda: self._forget(berth)
        berth.timer = self._loop().call_later(self.settings.idle_seconds, self._expire, berth)
        site.idle.append(berth)
        self._idle.append(berth)
        if len(self._idle) > self.settings.idle:
            self._expire(self._idle[0])

    def _wake(self, berth: Berth) -> None:
        """Take a berth out of those that are kept."""
        if berth.timer is not None:
            berth.timer.cancel()
        berth.timer, berth.on_loss = None, None
        self._site(berth.site).idle.remove(berth)
        self._idle.remove(berth)

    def _forget(self, berth: Berth) -> None:
        self._wake(berth)
        self._site(berth.site).places -= 1

    def _expire(self, berth: Berth) -> None:
        self._wake(berth)
        self._run(self._give_up(berth))

    async def _give_up(self, berth: Berth) -> None:
        """End the session; then give the slot to the next in line, or back."""
        site = self._site(berth.site)
        await berth.quit()
        if not berth.lost and site.line and site.room(berth.limits) >= 0:
            self._free(berth)
            return
        try:
            if berth.slot is not None and not berth.lost:
                await berth.slot.release()
        finally:
            site.places -= 1
            site.full_until = 0.0

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
