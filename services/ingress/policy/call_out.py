"""Asking a hosted domain's next hop whether it takes a recipient: MAIL FROM:<>, RCPT, and no message.

Answers are kept (verdicts.py), questions that are being asked are joined, and so many sessions at a time ask the next
hops of one domain.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable
from typing import NamedTuple

import aiosmtplib

from services.ingress.policy.lists import plain_address
from services.ingress.policy.verdicts import Question, Verdict, Verdicts, read
from shared import log
from shared.config.address import Address as NextHop
from shared.config.strangers import CallOut
from shared.dns.port import Resolver

MAX_TARGETS = 6
"""Addresses tried for one question."""
QUIT_SECONDS = 2.0
_ERRORS = (aiosmtplib.SMTPException, OSError, ValueError)
"""What aiosmtplib raises: its own, the socket's and TLS' (OSError), and for names it cannot use (ValueError)."""


class Target(NamedTuple):
    """One address of one next hop."""

    hop: NextHop
    address: str


class Answer(NamedTuple):
    """What one target said."""

    verdict: Verdict
    detail: str
    """For the log."""
    reached: bool = True
    """Whether there was a connection; if not, whoever asks about another recipient need not try."""


NO_TURN = Answer(Verdict.UNCERTAIN, "no turn in time")
UNREACHED = Answer(Verdict.UNCERTAIN, "no next hop has an address", reached=False)


class CallOuts:
    """One for each configuration; `verdicts` may be handed to the next one."""

    def __init__(
        self,
        settings: CallOut,
        hostname: str,
        resolver: Resolver,
        verdicts: Verdicts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._hostname = hostname
        self._resolver = resolver
        self._clock = clock
        self._turns: dict[tuple[NextHop, ...], asyncio.Semaphore] = {}
        self._asked: dict[Question, asyncio.Task[Verdict]] = {}
        self.verdicts = Verdicts() if verdicts is None else verdicts
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # As delivery does with next hops: where TLS is opportunistic, any is better than none (RFC 7435).
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    def known(self, question: Question) -> Verdict | None:
        """Return what is believed of the recipient, or UNCERTAIN while the next hops are known to be out of reach."""
        now = self._clock()
        return self.verdicts.get(question, now) or self.verdicts.get(question.of_hops, now)

    async def ask(self, question: Question) -> Verdict:
        """Return what is believed, or ask, within the time-out. Raises nothing."""
        known = self.known(question)
        if known is not None:
            return known
        task = self._asked.get(question)
        if task is None:
            task = self._asked[question] = asyncio.create_task(self._find_out(question))
            task.add_done_callback(lambda _: self._asked.pop(question, None))
        return await asyncio.shield(task)  # one client's end is not the others'

    def close(self) -> None:
        """End what is being asked; whoever waits for it is cancelled."""
        for task in self._asked.values():
            task.cancel()

    async def _find_out(self, question: Question) -> Verdict:
        started = time.monotonic()
        answer = await self._in_turn(question, started + self._settings.timeout)
        self._believe(question, answer)
        log.get().info(
            "call-out",
            recipient=question.recipient,
            verdict=str(answer.verdict),
            answer=answer.detail,
            seconds=round(time.monotonic() - started, 3),
        )
        return answer.verdict

    async def _in_turn(self, question: Question, until: float) -> Answer:
        turns = self._turns.setdefault(question.hops, asyncio.Semaphore(self._settings.max_connections))
        try:
            async with asyncio.timeout(self._settings.timeout):
                await turns.acquire()
        except TimeoutError:
            return NO_TURN
        try:
            is_late = until - time.monotonic() < self._settings.timeout / 2
            answer = await self._of_hops(question, until)
        finally:
            turns.release()
        # Who had to wait for its turn has too little time left to say that nobody can be reached.
        return answer._replace(reached=True) if is_late else answer

    def _believe(self, question: Question, answer: Answer) -> None:
        settings, now = self._settings, self._clock()
        seconds = {
            Verdict.EXISTS: settings.positive_ttl,
            Verdict.REFUSED: settings.negative_ttl,
            Verdict.UNCERTAIN: settings.uncertain_ttl,
        }[answer.verdict]
        # What is out of reach is so for all its recipients: they need not all wait for it.
        about = question if answer.reached else question.of_hops
        self.verdicts.put(about, answer.verdict, now + seconds, settings.cache_entries)

    async def _of_hops(self, question: Question, until: float) -> Answer:
        """Ask one target after the other until one knows; each has its share of the time that is left."""
        targets: list[Target] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(until - time.monotonic()):
                targets = await self._targets(question.hops)
        last = UNREACHED
        for number, target in enumerate(targets):
            share = (until - time.monotonic()) / (len(targets) - number)
            answer = await self._of_target(target, question.recipient, share)
            if answer.verdict is not Verdict.UNCERTAIN:
                return answer
            last = answer._replace(reached=answer.reached or last.reached)
        return last

    async def _targets(self, hops: tuple[NextHop, ...]) -> list[Target]:
        found = await asyncio.gather(*map(self._addresses, hops))
        return [Target(hop, each) for hop, addresses in zip(hops, found, strict=True) for each in addresses][
            :MAX_TARGETS
        ]

    async def _addresses(self, hop: NextHop) -> tuple[str, ...]:
        if plain_address(hop.host) is not None:
            return (hop.host,)
        return (await self._resolver.addresses(hop.host)).addresses

    async def _of_target(self, target: Target, recipient: str, seconds: float) -> Answer:
        dialog = Dialog(target, self._hostname, recipient)
        try:
            async with asyncio.timeout(seconds):
                answer = await dialog.hold(self._tls) or await dialog.hold(None)
        except TimeoutError:
            answer = dialog.answer
        return answer or dialog.failed("no answer in time")


class Dialog:
    """The SMTP session with one target."""

    def __init__(self, target: Target, hostname: str, recipient: str) -> None:
        self._target = target
        self._hostname = hostname
        self._recipient = recipient
        self._reached = False
        self.answer: Answer | None = None
        """Once it is known; how the session ends does not matter then."""

    def failed(self, detail: str) -> Answer:
        """Return an answer that is none."""
        return self._answer(Verdict.UNCERTAIN, detail)

    def _answer(self, verdict: Verdict, detail: str) -> Answer:
        hop, address = self._target
        return Answer(verdict, f"{hop.host}[{address}]:{hop.port}: {detail}"[:300], self._reached)

    async def hold(self, tls: ssl.SSLContext | None) -> Answer | None:
        """Return what is said of the recipient; None if TLS was offered and failed. Without `tls` it is not tried."""
        smtp = aiosmtplib.SMTP(
            hostname=self._target.address,
            port=self._target.hop.port,
            local_hostname=self._hostname,
            timeout=None,  # the caller's holds for all of it
            start_tls=False,
        )
        try:
            await smtp.connect()
            self._reached = True
            await _hello(smtp)
            if tls is not None and smtp.supports_extension("starttls") and not await self._start_tls(smtp, tls):
                return None
            self.answer = await self._ask(smtp)
            with contextlib.suppress(*_ERRORS):
                await smtp.quit(timeout=QUIT_SECONDS)
        except _ERRORS as error:
            return self.failed(f"{type(error).__name__}: {error}")
        else:
            return self.answer
        finally:
            smtp.close()

    async def _start_tls(self, smtp: aiosmtplib.SMTP, tls: ssl.SSLContext) -> bool:
        try:
            await smtp.starttls(tls_context=tls, server_hostname=self._target.hop.host)
        except _ERRORS:
            return False
        await _hello(smtp)  # what was offered in clear is void (RFC 3207 section 4.2)
        return True

    async def _ask(self, smtp: aiosmtplib.SMTP) -> Answer:
        sender = await smtp.execute_command(b"MAIL", b"FROM:<>")
        if not 200 <= sender.code <= 299:
            return self.failed(f"MAIL: {sender.code} {sender.message}")
        reply = await smtp.execute_command(b"RCPT", f"TO:<{self._recipient}>".encode())
        return self._answer(read(reply.code, reply.message), f"{reply.code} {reply.message}")


async def _hello(smtp: aiosmtplib.SMTP) -> None:
    try:
        await smtp.ehlo()
    except aiosmtplib.SMTPHeloError:
        await smtp.helo()
