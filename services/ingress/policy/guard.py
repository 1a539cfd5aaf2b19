"""What is asked about a session beyond the table of who may send where: when it begins, at MAIL, RCPT and its content.

Where nothing is configured, nothing is asked, and each question returns at once.
"""

import time
from collections.abc import Awaitable, Callable

from services.ingress import replies
from services.ingress.policy import inquiry as inquiries
from services.ingress.policy import verdicts
from services.ingress.policy.call_out import CallOuts
from services.ingress.policy.inquiry import Inquiries, Inquiry
from services.ingress.policy.rates import Event, Rates, Subject
from services.ingress.policy.relay import Party
from services.ingress.policy.rules import Rules
from services.ingress.policy.verdicts import Question
from services.ingress.replies import Refuse
from shared.config.model import Ingress, Mode
from shared.dns.port import Resolver
from shared.smtp.address import Mailbox


class Guard:
    """One for each configuration. What was counted under the previous one, `previous` hands over."""

    def __init__(
        self,
        rules: Rules,
        settings: Ingress,
        resolver: Resolver,
        hostname: str,
        previous: "Guard | None" = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules = rules
        self._clock = clock
        self._greeting_delay = settings.greeting_delay
        self._name_required = settings.require_reverse_dns
        self._inquiries = Inquiries(settings, resolver)
        self.rates: Rates = Rates(settings.rate, previous.rates if previous else None)
        """What was counted."""
        learnt = previous.call_outs.verdicts if previous else None
        self.call_outs: CallOuts = CallOuts(settings.call_out, hostname, resolver, learnt, clock)
        self._uncertain = settings.call_out.uncertain

    # When a session begins.

    def connect(self, address: str) -> Refuse | None:
        """Return why a client is turned away, or None."""
        return replies.DENIED_CLIENT if self._rules.denies(address) else self._admit(Event.CONNECTIONS, address, None)

    def inquire(self, address: str, mode: Mode) -> Inquiry | None:
        """Begin to ask about a client's address if it is a stranger's, for `recipient`; None if nothing is asked."""
        wanted = self._inquiries.wanted and self._is_stranger(address, mode)
        return self._inquiries.begin(address) if wanted else None

    def greeting_delay(self, address: str, mode: Mode) -> float:
        """Return how long a client must hold its tongue before the greeting."""
        return self._greeting_delay if self._greeting_delay and self._is_stranger(address, mode) else 0

    def authenticated(self, address: str, user: str) -> Refuse | None:
        """Count the session as the user's, or return why it is one too many."""
        return self._admit(Event.CONNECTIONS, address, user)

    # In a transaction.

    def sender(self, address: str, user: str | None, size: int) -> Refuse | None:
        """Count a message, or return why it may not begin; `size` is what MAIL declared, 0 if nothing."""
        rates = self.rates
        if not rates.counted:
            return None
        subject, now = self._subject(address, user), self._clock()
        return rates.room_for(size, subject, now) or rates.admit(Event.MESSAGES, subject, now)

    def recipient(
        self, address: str, party: Party, mailbox: Mailbox, inquiry: Inquiry | None
    ) -> Refuse | Awaitable[Refuse | None] | None:
        """Count a recipient that the table lets through, or return why it may not be had; await what must be asked.

        The postmaster can be reached by everybody: who is refused by mistake has nobody else to write to.
        """
        refused = self._admit(Event.RECIPIENTS, address, party.user)
        if refused is not None or not party.is_stranger:
            return refused
        question = self._question(mailbox)
        if (inquiry is None and question is None) or self._is_postmaster(mailbox):
            return None
        if inquiry is not None:
            if not inquiry.done():
                return self._ask(address, inquiry, question)
            refused = self._judge(address, inquiry)
        if refused is not None or question is None:
            return refused
        known = self.call_outs.known(question)
        return self._ask(address, inquiry, question) if known is None else verdicts.decide(known, self._uncertain)

    def received(self, address: str, user: str | None, octets: int) -> None:
        """Count the octets of a message's content that have come, whatever becomes of it."""
        if Event.BYTES in self.rates.counted:
            self.rates.received(octets, self._subject(address, user), self._clock())

    def close(self) -> None:
        """End what is being asked."""
        self.call_outs.close()

    def _admit(self, event: Event, address: str, user: str | None) -> Refuse | None:
        if event not in self.rates.counted:
            return None
        return self.rates.admit(event, self._subject(address, user), self._clock())

    def _subject(self, address: str, user: str | None) -> Subject:
        return Subject(address, self._rules.trusts(address), user)

    def _is_stranger(self, address: str, mode: Mode) -> bool:
        """Return whether a client may send without authentication, and not just anywhere."""
        return mode is Mode.RELAY and not self._rules.trusts(address)

    def _is_postmaster(self, mailbox: Mailbox) -> bool:
        return mailbox.is_postmaster or mailbox == self._rules.postmaster

    def _question(self, mailbox: Mailbox) -> Question | None:
        """Return what the next hop is to be asked, None if it is not."""
        if not self._rules.hosted.verifies:
            return None
        known = self._rules.hosted.find(mailbox.domain)
        return Question(known.ask, str(mailbox).lower()) if known is not None and known.ask else None

    async def _ask(self, address: str, inquiry: Inquiry | None, question: Question | None) -> Refuse | None:
        if inquiry is not None:
            await inquiry
            refused = self._judge(address, inquiry)
            if refused is not None:
                return refused
        if question is None:
            return None
        return verdicts.decide(await self.call_outs.ask(question), self._uncertain)

    def _judge(self, address: str, inquiry: Inquiry) -> Refuse | None:
        return inquiries.decide(inquiry.result(), address, name_required=self._name_required)
