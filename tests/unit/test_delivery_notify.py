"""DESIGN section 7, Notifications: who is told."""

import pytest

from services.delivery.notify import Told, is_known, told_of_failure, wants_delay, wants_failure, wants_success
from shared.model import Envelope, Item, Origin, Recipient

POSTMASTER = "postmaster@example.org"
A, T, I, G = Origin.AUTHENTICATED, Origin.TRUSTED, Origin.INBOUND, Origin.GENERATED  # noqa: E741  (the table's columns)


def item(origin: Origin, sender: str | None, spf: str | None = None, to: str = "bob@example.net") -> Item:
    """Return an item of an origin."""
    envelope = Envelope(sender=sender, recipients=(Recipient(address=to),))
    return Item(id="x", envelope=envelope, origin=origin, spf=spf, accepted_at=0)


@pytest.mark.parametrize(
    ("origin", "sender", "spf", "to", "told"),
    [
        (A, "a@b", None, "bob@example.net", Told.SENDER),
        (T, "a@b", None, "bob@example.net", Told.SENDER),
        (T, "a@b", "fail", "bob@example.net", Told.SENDER),
        (I, "a@b", "pass", "bob@example.net", Told.SENDER),
        (I, "a@b", None, "bob@example.net", Told.QUARANTINE),
        (I, "a@b", "fail", "bob@example.net", Told.QUARANTINE),
        (I, "a@b", "softfail", "bob@example.net", Told.QUARANTINE),
        (I, "a@b", "none", "bob@example.net", Told.QUARANTINE),
        (A, None, None, "bob@example.net", Told.POSTMASTER),
        (T, None, None, "bob@example.net", Told.POSTMASTER),
        (I, None, "pass", "bob@example.net", Told.POSTMASTER),
        (I, None, None, POSTMASTER, Told.POSTMASTER),
        (G, None, None, "bob@example.net", Told.POSTMASTER),
        (G, "a@b", "pass", "bob@example.net", Told.POSTMASTER),
        (G, None, None, POSTMASTER, Told.QUARANTINE),
        (G, None, None, "Postmaster@example.org", Told.QUARANTINE),
    ],
)
def test_who_is_told_of_a_failure(origin: Origin, sender: str | None, spf: str | None, to: str, told: Told) -> None:
    assert told_of_failure(item(origin, sender, spf, to), POSTMASTER) is told


@pytest.mark.parametrize("origin", list(Origin))
@pytest.mark.parametrize("spf", [None, "pass", "fail", "PASS "])
def test_the_null_sender_never_gets_a_report(origin: Origin, spf: str | None) -> None:
    assert not is_known(item(origin, None, spf))


def test_nobody_is_told_of_what_becomes_of_a_report() -> None:
    assert not is_known(item(G, "a@b", "pass"))


@pytest.mark.parametrize(
    ("notify", "failure", "delay", "success"),
    [
        (None, True, True, False),
        (("NEVER",), False, False, False),
        (("FAILURE",), True, False, False),
        (("DELAY",), False, True, False),
        (("SUCCESS",), False, False, True),
        (("SUCCESS", "FAILURE", "DELAY"), True, True, True),
    ],
)
def test_what_notify_asks_for(notify: tuple[str, ...] | None, failure: bool, delay: bool, success: bool) -> None:
    recipient = Recipient(address="b@c", notify=notify)
    assert (wants_failure(recipient), wants_delay(recipient), wants_success(recipient)) == (failure, delay, success)
