"""Who is told when delivery fails, is slow, or ends where nobody else will report (DESIGN section 7). Pure.

A relay that bounces forged mail is a spammer: only a sender we know, or SPF vouches for, gets a report.
"""

from enum import StrEnum

from shared.model import Item, Origin, Recipient


class Told(StrEnum):
    """What becomes of a failure."""

    SENDER = "sender"
    QUARANTINE = "quarantine"
    POSTMASTER = "postmaster"
    """A double bounce."""


def told_of_failure(item: Item, postmaster: str) -> Told:
    """Return who learns that recipients of an item failed for good.

    What was meant for the postmaster and fails is kept, not reported: that report would go the same way, for ever.
    """
    if item.envelope.sender is None or item.origin is Origin.GENERATED:
        lost_report = item.origin is Origin.GENERATED and any(
            recipient.address.lower() == postmaster.lower() for recipient in item.envelope.recipients
        )
        return Told.QUARANTINE if lost_report else Told.POSTMASTER
    return Told.SENDER if is_known(item) else Told.QUARANTINE


def is_known(item: Item) -> bool:
    """Tell whether the envelope sender is one who may get reports."""
    if item.envelope.sender is None:
        return False
    return item.origin in {Origin.AUTHENTICATED, Origin.TRUSTED} or (
        item.origin is Origin.INBOUND and item.spf == "pass"
    )


def wants_failure(recipient: Recipient) -> bool:
    """Tell whether NOTIFY asks for a failure report; without NOTIFY it does (RFC 3461 section 4.1)."""
    return recipient.notify is None or "FAILURE" in recipient.notify


def wants_delay(recipient: Recipient) -> bool:
    """Tell whether NOTIFY lets us report a delay; without NOTIFY it does."""
    return recipient.notify is None or "DELAY" in recipient.notify


def wants_success(recipient: Recipient) -> bool:
    """Tell whether NOTIFY asks for a report of success."""
    return recipient.notify is not None and "SUCCESS" in recipient.notify
