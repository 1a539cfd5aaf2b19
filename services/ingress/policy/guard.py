"""What is asked about a session beyond the table of who may send where: when it begins, at MAIL, RCPT and its content.

Where nothing is configured, nothing is asked, and each question returns at once.
"""

import time
from collections.abc import Callable

from services.ingress import replies
from services.ingress.policy.rates import Event, Rates, Subject
from services.ingress.policy.relay import Party
from services.ingress.policy.rules import Rules
from services.ingress.replies import Refuse
from shared.config.model import Ingress


class Guard:
    """One for each configuration. What was counted under the previous one, `previous` hands over."""

    def __init__(
        self,
        rules: Rules,
        settings: Ingress,
        previous: "Guard | None" = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules = rules
        self._clock = clock
        self.rates: Rates = Rates(settings.rate, previous.rates if previous else None)
        """What was counted."""

    def connect(self, address: str) -> Refuse | None:
        """Return why a client is turned away, or None."""
        return replies.DENIED_CLIENT if self._rules.denies(address) else self._admit(Event.CONNECTIONS, address, None)

    def authenticated(self, address: str, user: str) -> Refuse | None:
        """Count the session as the user's, or return why it is one too many."""
        return self._admit(Event.CONNECTIONS, address, user)

    def sender(self, address: str, user: str | None, size: int) -> Refuse | None:
        """Count a message, or return why it may not begin; `size` is what MAIL declared, 0 if nothing."""
        rates = self.rates
        if not rates.counted:
            return None
        subject, now = self._subject(address, user), self._clock()
        return rates.room_for(size, subject, now) or rates.admit(Event.MESSAGES, subject, now)

    def recipient(self, address: str, party: Party) -> Refuse | None:
        """Count a recipient that the table lets through, or return why it may not be had."""
        return self._admit(Event.RECIPIENTS, address, party.user)

    def received(self, address: str, user: str | None, octets: int) -> None:
        """Count the octets of a message's content that have come, whatever becomes of it."""
        if Event.BYTES in self.rates.counted:
            self.rates.received(octets, self._subject(address, user), self._clock())

    def _admit(self, event: Event, address: str, user: str | None) -> Refuse | None:
        if event not in self.rates.counted:
            return None
        return self.rates.admit(event, self._subject(address, user), self._clock())

    def _subject(self, address: str, user: str | None) -> Subject:
        return Subject(address, self._rules.trusts(address), user)
