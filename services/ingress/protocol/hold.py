"""From when on a message is to be delivered, as its sender asks (FUTURERELEASE, RFC 4865). Pure."""

from services.ingress import replies
from services.ingress.protocol.params import MailParams, Offers
from services.ingress.replies import Refuse


def release_at(params: MailParams, offers: Offers, now: float) -> float | Refuse | None:
    """Return when to release the message, None for at once (as for a time that has passed), or why it is refused."""
    if params.hold_for is not None and params.hold_until is not None:
        return replies.bad_parameter("HOLDFOR and HOLDUNTIL exclude each other")
    until = params.hold_until if params.hold_for is None else now + params.hold_for
    if until is None or until <= now:
        return None
    return replies.HELD_TOO_LONG if until > now + offers.max_hold else until
