"""What a report says, as values."""

from enum import StrEnum

import msgspec

from shared.dsn.cause import Cause
from shared.model import Item, Recipient
from shared.smtp.reply import Reply


class Kind(StrEnum):
    """What a report tells."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    """Taken by the mail store itself (RFC 3464 section 2.3.3)."""
    RELAYED = "relayed"
    """Passed on to a system that makes no promise of a report (RFC 3461 section 5.2.2)."""
    BLOCKED = "blocked"
    """The screener refused it; the original is never returned in full."""

    @property
    def action(self) -> str:
        """The Action field of a recipient (RFC 3464 section 2.3.3)."""
        return "failed" if self is Kind.BLOCKED else self.value


class ReportedRecipient(msgspec.Struct, frozen=True):
    """One recipient and what became of it."""

    recipient: Recipient
    reply: Reply
    """What the remote host, or we ourselves, said; a positive reply for DELIVERED and RELAYED."""
    remote_mta: str | None = None
    """The host that gave `reply`; None if it was ours."""
    last_attempt: float | None = None
    cause: Cause | None = None
    """Why, in classes that a person can do something about; None where it did not fail, or the kind says all."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One report about one message, not yet written."""

    kind: Kind
    item: Item
    """The message reported on."""
    content: bytes
    """Its content; only the header is quoted, unless the sender asked for all of it (RET=FULL) and it failed."""
    recipients: tuple[ReportedRecipient, ...]
    hostname: str
    """The reporting MTA: our own name."""
    postmaster: str
    now: float
    report_id: str
    """The report's own id; derive it from the item's, so that a repeated report is recognised as a duplicate."""
    retry_until: float | None = None
    """DELAYED only: when we shall give up."""
    to: str | None = None
    """Whom to tell; None means the envelope sender, or the postmaster where the sender is null."""

    @property
    def receiver(self) -> str:
        """The report's one recipient."""
        return self.to or self.item.envelope.sender or self.postmaster

    @property
    def is_double_bounce(self) -> bool:
        """True if nobody but the postmaster is left to be told."""
        return self.receiver != self.item.envelope.sender

    @property
    def is_global(self) -> bool:
        """True if it may hold UTF-8 where ASCII would stand (RFC 6533).

        Its receiver's own address tells whether the receiver can: there is no other way to know.
        """
        return not self.receiver.isascii()
