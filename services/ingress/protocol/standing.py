"""What a client is to policy, and which extensions it may use (DESIGN section 7). Pure."""

from typing import NamedTuple

from services.ingress.policy.relay import Party
from services.ingress.protocol.params import Offers
from shared.config.model import Extension, Listener, Mode


class Standing(NamedTuple):
    """A client as policy sees it now, and the extensions it may use."""

    party: Party
    is_stranger: bool
    """Neither trusted nor authenticated."""
    offers: Offers


def party_of(listener: Listener, *, in_trusted_network: bool, user: str | None, tls: bool) -> Party:
    """Return the client as policy sees it: on a submission listener its network counts only where that says so."""
    counts = listener.mode is Mode.RELAY or listener.trusted_without_auth
    return Party(mode=listener.mode, trusted=counts and in_trusted_network, user=user, tls=tls)


def standing_of(listener: Listener, party: Party, *, auth: bool, max_hold: int) -> Standing:
    """Return the extensions too.

    Those that a client may use once it has authenticated on a submission listener are among them: its MAIL is told to
    authenticate. On a relay listener strangers have what it says they may have, and nobody holds mail but users.
    """
    known = listener.mode is not Mode.RELAY or not party.is_stranger

    def may(extension: Extension) -> bool:
        return known or extension in listener.strangers_may

    may_hold = party.user is not None or (listener.mode is not Mode.RELAY and party.is_stranger)
    offers = Offers(
        dsn=may(Extension.DSN),
        smtputf8=may(Extension.SMTPUTF8),
        auth=auth,
        require_tls=party.tls and may(Extension.REQUIRETLS),
        max_hold=max_hold if may_hold else 0,
    )
    return Standing(party, party.is_stranger, offers)
