"""Delivery as a stage: plan, attempt, decide."""

import asyncio
import random
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from services.delivery import retry
from services.delivery.attempt import Attempt, Courier, demanded
from services.delivery.routing.hosts import Hosts
from services.delivery.security.protector import Protector
from services.delivery.settle import Policy, Settled, settle
from services.delivery.shaping.gate import Busy, Gate
from services.delivery.shaping.site import site_of
from services.delivery.signing.signer import Signer
from shared import log, metrics
from shared.broker import waiting
from shared.broker.worker import parked
from shared.clock import Clock
from shared.model import Item, Message, Place, Send
from shared.smtp.reply import Reply
from shared.split import by_destination

CUT_OFF = 60.0
"""Seconds after which an attempt is made again that ended because the connection to the broker was lost."""


class Parts(NamedTuple):
    """What the handler works with."""

    hosts: Hosts
    protector: Protector
    courier: Courier
    gate: Gate
    policy: Policy
    attempt_seconds: float
    signer: Signer
    held: Sequence[str] = ()
    """Domains whose new mail is not tried."""


def put_off(busy: Busy) -> Reply:
    """Return what is said of a destination that has no place for a message."""
    if busy.suspended is not None:
        return Reply(451, "4.4.1", f"left alone for now, because: {busy.suspended}")
    return Reply(451, "4.4.5", "waiting for its turn: this relay sends its destination only so much at a time")


class Handler:
    """From one message for one destination to what follows from an attempt to deliver it."""

    def __init__(self, parts: Parts, clock: Clock, rng: random.Random) -> None:
        self._parts = parts
        self._clock = clock
        self._rng = rng
        self._log = log.get()

    async def __call__(self, message: Message) -> Sequence[Send]:
        """Return reports, another try, quarantine or nothing; raises nothing that a host or DNS may cause."""
        item = message.item
        if not item.may_be_delivered:
            self._log.error("parked", id=item.id, reason="no verdict")
            return [parked(message, "neither a verdict nor a release: the screener has not seen it")]
        if item.hold_until is not None and item.hold_until > self._clock():
            held = msgspec.structs.replace(item, not_before=item.hold_until)
            return [Send(Place.REDELIVER, Message(held, message.content))]
        domains = {recipient.domain for recipient in item.envelope.recipients}
        if len(domains) > 1:
            return [Send(Place.REDELIVER, Message(part, message.content)) for part in by_destination(item)]
        (domain,) = domains
        kept = waiting.held_as_new(message, self._parts.held)
        if kept is not None:
            self._log.info("held", id=item.id, destination=domain)
            return kept
        return await self._deliver(message, domain)

    def _later(self, message: Message, seconds: float) -> Send:
        """Return the item as it is, for later: its destination is busy, which is no attempt."""
        item = msgspec.structs.replace(message.item, not_before=self._clock() + seconds)
        return Send(Place.REDELIVER, Message(item, message.content))

    async def _deliver(self, message: Message, domain: str) -> Sequence[Send]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        attempt = Attempt(message.item.envelope)
        pause = None
        try:
            async with asyncio.timeout(self._parts.attempt_seconds) as scope:
                busy = await self._attempt(message, domain, attempt, scope)
            if busy is not None:
                if not self._must_be_told(message.item):
                    return [self._later(message, busy.seconds)]
                attempt.decided(put_off(busy))
                pause = busy.seconds
        except TimeoutError:
            taken = min(loop.time() - began, self._parts.attempt_seconds)
            why = ", since the broker was lost" if attempt.cut_off else ""
            attempt.failed(Reply(451, "4.4.2", f"interrupted without a result after {taken:.3g} s{why}"), None)
            if attempt.cut_off:
                pause = CUT_OFF * (1 + self._rng.random() / 5)
        except Exception as error:
            if len(attempt.open) == len(message.item.envelope.recipients):
                raise  # the worker counts it, tries again, and parks it in the end
            self._log.error("attempt failed", id=message.item.id, exc_info=True)
            attempt.failed(Reply(451, "4.3.0", f"internal error ({type(error).__name__})"), None)
        settled = settle(message, attempt.outcomes, self._parts.policy, self._clock(), self._rng.random(), pause)
        self._tell(message.item, settled, loop.time() - began)
        return settled.sends

    async def _attempt(self, message: Message, domain: str, attempt: Attempt, scope: asyncio.Timeout) -> Busy | None:
        """Try, or return when there may be a place; `scope` is what ends the attempt if its slot is lost."""
        found = await self._parts.hosts.targets(domain)
        if found.targets:
            found = await self._parts.protector.protect(domain, found, message)
        if found.failure is not None and not found.targets:
            attempt.decided(found.failure)
            return None
        gate, item = self._parts.gate, message.item
        targets = demanded(item.envelope, found.targets)
        now = self._clock()
        over = retry.is_over(self._parts.policy.plan, item.released_at, now)
        urged = None if item.flushed_at is None else now - item.flushed_at
        berth = await gate.enter(site_of(targets), domain, targets, anyway=over, urged=urged)
        if isinstance(berth, Busy):
            return berth
        loop = asyncio.get_running_loop()

        def cut_off() -> None:
            attempt.cut_off = True
            scope.reschedule(loop.time())

        berth.interrupt_by(cut_off)
        try:
            if found.failure is not None:
                attempt.failed(found.failure, None)
            signed = await self._parts.signer.signed(message, self._clock())
            await self._parts.courier.deliver(signed, targets, attempt, berth)
        finally:
            gate.leave(berth, attempt.outcomes)
        return None

    def _must_be_told(self, item: Item) -> bool:
        """Tell whether a report of the delay is due, which a destination without a place does not put off."""
        plan = self._parts.policy.plan
        return retry.delay_is_due(plan, item.released_at, self._clock(), reported=item.delay_reported)

    def _tell(self, item: Item, settled: Settled, seconds: float) -> None:
        for outcome, result in settled.finished:
            metrics.outcomes.labels(result).inc()
            if outcome.why is not None:
                metrics.refusals.labels(outcome.why).inc()
            self._log.info(
                "recipient",
                id=item.id,
                recipient=outcome.recipient.address,
                result=result,
                host=outcome.host,
                reply=str(outcome.reply),
                cause=outcome.why,
                attempt=item.attempt + 1,
                seconds=round(seconds, 3),
                released_by=item.release.by if item.release else None,
            )
        for kind in settled.reports:
            metrics.reports.labels(kind).inc()
