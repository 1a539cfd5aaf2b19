"""Delivery as a stage: plan, attempt, decide."""

import asyncio
import random
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from services.delivery import retry
from services.delivery.attempt import Attempt, Courier
from services.delivery.routing.hosts import Hosts
from services.delivery.security.protector import Protector
from services.delivery.settle import Policy, Settled, settle
from services.delivery.shaping.slots import Slots
from services.delivery.signing.signer import Signer
from shared import log, metrics
from shared.broker.worker import parked
from shared.clock import Clock
from shared.model import Item, Message, Place, Send
from shared.smtp.reply import Reply
from shared.split import by_destination


class Parts(NamedTuple):
    """What the handler works with."""

    hosts: Hosts
    protector: Protector
    courier: Courier
    slots: Slots
    policy: Policy
    attempt_seconds: float
    signer: Signer


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
        with self._parts.slots.hold(domain) as free:
            if not free:
                return [self._later(message)]
            return await self._deliver(message, domain)

    def _later(self, message: Message) -> Send:
        """Return the item as it is, for a little later: its destination is busy, which is no attempt."""
        not_before = retry.not_before_busy(self._clock(), self._rng.random())
        item = msgspec.structs.replace(message.item, not_before=not_before)
        return Send(Place.REDELIVER, Message(item, message.content))

    async def _deliver(self, message: Message, domain: str) -> Sequence[Send]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        attempt = Attempt(message.item.envelope)
        try:
            async with asyncio.timeout(self._parts.attempt_seconds):
                await self._attempt(message, domain, attempt)
        except TimeoutError:
            seconds = self._parts.attempt_seconds
            attempt.failed(Reply(451, "4.4.2", f"no result within {seconds:g} s"), None)
        except Exception as error:
            if len(attempt.open) == len(message.item.envelope.recipients):
                raise  # the worker counts it, tries again, and parks it in the end
            self._log.error("attempt failed", id=message.item.id, exc_info=True)
            attempt.failed(Reply(451, "4.3.0", f"internal error ({type(error).__name__})"), None)
        settled = settle(message, attempt.outcomes, self._parts.policy, self._clock(), self._rng.random())
        self._tell(message.item, settled, loop.time() - began)
        return settled.sends

    async def _attempt(self, message: Message, domain: str, attempt: Attempt) -> None:
        found = await self._parts.hosts.targets(domain)
        if found.targets:
            found = await self._parts.protector.protect(domain, found)
        if found.failure is not None and not found.targets:
            attempt.decided(found.failure)
            return
        if found.failure is not None:
            attempt.failed(found.failure, None)
        signed = await self._parts.signer.signed(message, self._clock())
        await self._parts.courier.deliver(signed, found.targets, attempt)

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
