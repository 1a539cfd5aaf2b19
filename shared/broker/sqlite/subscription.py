"""Bodies leased from one queue of the file, a few ahead of the worker."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from shared import log
from shared.broker.sqlite import store
from shared.broker.sqlite.writer import Writer
from shared.clock import Clock
from shared.errors import BrokerError

LONGEST_TIMER = 60.0
"""Seconds after which a waiting queue is looked at again, should the wall clock have been set."""
_PAUSE = 0.25


class Leased:
    """One body in hand; implements `port.Received`."""

    def __init__(self, lease: store.Lease, subscription: "SqliteSubscription") -> None:
        self.body = lease.body
        self.returns = lease.returns
        self.lost = False
        self.seq = lease.seq
        self._subscription = subscription

    async def ack(self) -> None:
        """Forget it: deleted when this returns."""
        await self._subscription.settle(self, store.forget)

    async def release(self) -> None:
        """Hand it back: it may be leased again when this returns."""
        await self._subscription.settle(self, store.give_back)


class SqliteSubscription:
    """Leases ahead up to the prefetch; implements `port.Subscription`."""

    def __init__(self, writer: Writer, queue: str, prefetch: int, clock: Clock, touched: Callable[[str], None]) -> None:
        self._writer = writer
        self._queue = queue
        self.prefetch = prefetch
        """How many are leased at a time."""
        self._clock = clock
        self._touched = touched
        self._ahead: deque[Leased] = deque()
        self._in_hand: set[Leased] = set()
        self._arrived = asyncio.Event()
        self._look = asyncio.Event()
        self._dry = False
        self._cancelled = False
        self._timer: asyncio.TimerHandle | None = None
        self._look.set()
        self._pump = asyncio.create_task(self._lease_ahead())

    def notify(self) -> None:
        """Look at the queue: something in it may have become ready."""
        self._dry = False
        self._look.set()

    async def __aiter__(self) -> AsyncIterator[Leased]:
        """Iterate over what arrives, until cancelled."""
        while True:
            while not self._ahead:
                if self._cancelled:
                    return
                self._arrived.clear()
                await self._arrived.wait()
            leased = self._ahead.popleft()
            self._in_hand.add(leased)
            yield leased

    async def settle(self, leased: Leased, how: Callable[..., None]) -> None:
        """End a lease by `store.forget` or `store.give_back`, once; the first of two calls counts."""
        if leased.lost or leased not in self._in_hand:
            return
        self._in_hand.discard(leased)
        try:
            await self._end([leased], how)
        finally:
            if not self._dry:
                self._look.set()

    async def allow(self, prefetch: int) -> None:
        """Lease so many at a time from now on."""
        self.prefetch = prefetch
        self.notify()

    async def cancel(self) -> None:
        """Take no more: hand back what nobody has begun to handle, and end the iteration."""
        self._cancelled = True
        self._look.set()
        self._arrived.set()
        if self._timer is not None:
            self._timer.cancel()
        handed_back = list(self._ahead)
        self._ahead.clear()
        await asyncio.gather(self._end(handed_back, store.put_back), self._pump)

    async def close(self) -> None:
        """Cancel, and hand back what is in hand too: it is lost to whoever holds it."""
        in_hand, self._in_hand = list(self._in_hand), set()
        for leased in in_hand:
            leased.lost = True
        await asyncio.gather(self.cancel(), self._end(in_hand, store.give_back))

    async def _end(self, leases: list[Leased], how: Callable[..., None]) -> None:
        """Settle in the file. The job is not given up with its caller: a lease nobody ends would last for ever."""
        if not leases:
            return
        seqs = [leased.seq for leased in leases]
        try:
            await asyncio.shield(self._writer.submit(lambda connection: how(connection, seqs), keep=True))
        except BrokerError:  # closed: the leases end with this process
            for leased in leases:
                leased.lost = True
        if how is not store.forget:
            self._touched(self._queue)

    async def _lease_ahead(self) -> None:
        failing = False
        while True:
            await self._look.wait()
            self._look.clear()
            room = self.prefetch - len(self._in_hand) - len(self._ahead)
            if self._cancelled:
                return
            if room <= 0:
                continue
            self._dry = True  # unless a notification comes while we look
            try:
                await self._lease(room)
                failing = False
            except BrokerError as error:
                if not failing:  # said once: a full disk may stay full for days
                    log.get().warning("lease failed", queue=self._queue, error=str(error), retry_in=_PAUSE)
                failing = True
                asyncio.get_running_loop().call_later(_PAUSE, self.notify)

    async def _lease(self, room: int) -> None:
        now = self._clock()
        found, next_due = await self._writer.submit(lambda connection: store.lease(connection, self._queue, room, now))
        leases = [Leased(lease, self) for lease in found]
        if self._cancelled:
            await self._end(leases, store.put_back)
            return
        self._ahead.extend(leases)
        if leases:
            self._arrived.set()
        if len(leases) == room:
            self.notify()
        elif next_due is not None:
            self._look_at(max(0.0, next_due - now))

    def _look_at(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(min(delay, LONGEST_TIMER), self.notify)
