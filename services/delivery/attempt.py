"""One attempt: the hosts in order, until every recipient has a definite answer (RFC 5321 section 5.1).

A 2xx, 4xx or 5xx to MAIL, RCPT, DATA or the content is definite. A host that refuses the session or loses it says
nothing about the recipients: the next host is tried, and if none is left the last failure is everybody's.
"""

from collections.abc import Iterable, Sequence
from enum import Enum, auto

import msgspec

from services.delivery.outcome import Outcome
from services.delivery.security.protection import requiring
from services.delivery.shaping.berth import Berth
from services.delivery.smtp.client import Client, Failure, Target
from services.delivery.smtp.connect import Way
from services.delivery.smtp.offers import Offers, carries, mail_line, objection, rcpt_line
from services.delivery.smtp.session import Session
from services.delivery.smtp.transaction import Order, Transaction
from shared.model import Envelope, Message, Recipient
from shared.smtp.reply import Reply

NOTHING_TRIED = Reply(451, "4.4.0", "no host was tried")


class Attempt:
    """What is known so far: outcomes, and the recipients still open."""

    def __init__(self, envelope: Envelope) -> None:
        self.open: list[Recipient] = list(envelope.recipients)
        self.doubtful = False
        """True once a host may have taken the message without saying so: no other is tried now."""
        self.cut_off = False
        """True if our own place at the destination was lost in the middle of it: nobody's answer."""
        self._outcomes: list[Outcome] = []
        self._failure = Outcome(self.open[0], NOTHING_TRIED, None, ours=True)

    @property
    def finished(self) -> bool:
        """True if no host is to be tried (any more)."""
        return self.doubtful or not self.open

    def answered(self, answers: Iterable[tuple[Recipient, Reply]], host: str, offers: Offers) -> None:
        """Take a host's definite answers."""
        for recipient, reply in answers:
            took = reply.code < 300
            outcome = Outcome(recipient, reply, host, passed_on=offers.dsn and took, stored=offers.lmtp and took)
            self._outcomes.append(outcome)
            self.open.remove(recipient)

    def failed(self, reply: Reply, host: str | None, *, ours: bool = True) -> None:
        """Take the failure of a host, for whoever stays open. What may pass outweighs what one host will never do."""
        passing = not self._failure.reply.is_permanent and self._failure.reply is not NOTHING_TRIED
        if reply.is_permanent and passing:
            return
        self._failure = Outcome(self._failure.recipient, reply, host, ours=ours)

    def decided(self, reply: Reply, host: str | None = None) -> None:
        """Take an answer of our own for everybody still open."""
        self._outcomes += [Outcome(recipient, reply, host, ours=True) for recipient in self.open]
        self.open.clear()

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Every recipient's outcome; the open ones have the last failure."""
        rest = (msgspec.structs.replace(self._failure, recipient=recipient) for recipient in self.open)
        return (*self._outcomes, *rest)


def needs_verified_tls(envelope: Envelope) -> bool:
    """Tell whether REQUIRETLS binds us: not where it would lose a report (RFC 8689 section 5)."""
    return envelope.require_tls and envelope.sender is not None


def demanded(envelope: Envelope, targets: Sequence[Target]) -> Sequence[Target]:
    """Return the targets as the envelope wants them."""
    return [verified(target) for target in targets] if needs_verified_tls(envelope) else targets


def verified(target: Target) -> Target:
    """Return the target with TLS and a host that proves who it is demanded."""
    return msgspec.structs.replace(target, protection=requiring(target.protection))


UNNAMED = "neither DNSSEC nor MTA-STS vouches for its being the domain's"


def refused(target: Target) -> Failure | None:
    """Return why a host is not even asked under REQUIRETLS, where whoever forges MX could be it (RFC 8689 4.2.1)."""
    return None if target.provable else Failure(Reply(451, "4.7.5", f"{target.hop.host}: {UNNAMED}"), unprotected=True)


def unprotected(failure: Failure) -> Reply:
    """Return the failure of a host under REQUIRETLS: for good where it has no TLS to be trusted (RFC 8689 4.2.1)."""
    if not failure.unprotected:
        return failure.reply
    return Reply(550, "5.7.30", f"REQUIRETLS support is required: {failure.reply.text}")


class End(Enum):
    """How a session ended for a message."""

    FINISHED = auto()
    DEAD = auto()
    """Broken before the host answered MAIL: nothing has come of it."""
    USED_UP = auto()
    """The host wants another session for the rest (LIMITS MAILMAX, RFC 9422)."""
    NO_CHUNKS = auto()
    """It offered CHUNKING and does not know it: another session is to go without."""


class Courier:
    """Takes messages to hosts."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def deliver(self, message: Message, targets: Sequence[Target], attempt: Attempt, berth: Berth) -> None:
        """Try the targets; `attempt` holds whatever has been answered, also when this is cancelled."""
        required = needs_verified_tls(message.item.envelope)
        unreachable: set[Way] = set()
        for target in berth.ordered(targets):
            if attempt.finished:
                return
            if unreachable.issuperset(target.ways):
                continue
            failure = (refused(target) if required else None) or await self._to(target, message, attempt, berth)
            if failure is not None:
                unreachable.update(failure.unreachable)
                attempt.failed(unprotected(failure) if required else failure.reply, target.hop.host)

    async def _to(self, target: Target, message: Message, attempt: Attempt, berth: Berth) -> Failure | None:
        """Send over as many sessions with one target as it wants; a kept one that is dead counts for nothing."""
        session = berth.take(target)
        fresh, chunking = session is None, True
        while not attempt.finished:
            if session is None:
                opened = await berth.open(self._client, target, message.item.envelope.recipients[0].domain)
                if isinstance(opened, Failure):
                    return opened
                session = opened
                if not chunking:
                    session.offers = session.offers._replace(chunking=False)
            end = await self._over(session, message, attempt)
            berth.give(target, session)
            if end is End.FINISHED or (end is End.DEAD and fresh):
                break
            session, fresh, chunking = None, True, chunking and end is not End.NO_CHUNKS
        return None

    async def _over(self, session: Session, message: Message, attempt: Attempt) -> End:
        """Send over one session, as far as it goes."""
        content, envelope, offers = message.content, message.item.envelope, session.offers
        reply = objection(envelope, content, offers, session.host)
        if reply is not None:  # the next host may offer more
            attempt.failed(reply, session.host)
            return End.FINISHED
        mail = mail_line(envelope, content, offers)
        while able := [recipient for recipient in attempt.open if carries(recipient, offers)]:
            if session.exhausted:
                return End.USED_UP
            batch = [(recipient, rcpt_line(recipient, offers)) for recipient in able[: session.offers.recipients]]
            transaction = Transaction(Order(mail, batch, content), offers, reset=session.must_reset)
            try:
                await session.perform(transaction)
            finally:
                attempt.answered(transaction.answers.items(), session.host, offers)
            if transaction.broken is not None:
                attempt.failed(transaction.broken, session.host, ours=not transaction.broken_by_host)
                attempt.doubtful = transaction.doubtful
                if transaction.chunks_unknown:
                    return End.NO_CHUNKS
                return End.FINISHED if transaction.answered else End.DEAD
            if transaction.room is not None:  # no more at a time from now on, lest it counts errors
                session.offers = session.offers._replace(recipients=transaction.room)
        if attempt.open:
            reply = Reply(553, "5.6.7", f"the recipient's address is not ASCII, and {session.host} lacks SMTPUTF8")
            attempt.failed(reply, session.host)
        return End.FINISHED
