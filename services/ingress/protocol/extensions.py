"""What EHLO announces, as a pure function of the moment (RFC 5321 section 4.1.1.1)."""

from datetime import UTC, datetime
from typing import NamedTuple

from services.ingress.protocol.params import Offers


class Announcement(NamedTuple):
    """What the keywords depend on."""

    size_limit: int
    max_recipients: int
    starttls: bool
    auth: tuple[str, ...]
    """Mechanisms."""
    offers: Offers
    now: float


def keywords(what: Announcement) -> list[str]:
    """Return the lines of the EHLO reply after the first.

    SIZE 1870, 8BITMIME 6152, ENHANCEDSTATUSCODES 2034, CHUNKING 3030 (without BINARYMIME), PIPELINING 2920, LIMITS
    9422, STARTTLS 3207, AUTH 4954, DSN 3461, SMTPUTF8 6531, REQUIRETLS 8689, FUTURERELEASE 4865.
    """
    offers = what.offers
    lines = ["PIPELINING", f"SIZE {what.size_limit:d}", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING"]
    lines.append(f"LIMITS RCPTMAX={what.max_recipients}")
    if what.starttls:
        lines.append("STARTTLS")
    if what.auth:
        lines.append(f"AUTH {' '.join(what.auth)}")
    if offers.dsn:
        lines.append("DSN")
    if offers.smtputf8:
        lines.append("SMTPUTF8")
    if offers.require_tls:
        lines.append("REQUIRETLS")
    if offers.max_hold:
        latest = datetime.fromtimestamp(what.now + offers.max_hold, UTC)
        lines.append(f"FUTURERELEASE {offers.max_hold} {latest:%Y-%m-%dT%H:%M:%SZ}")
    return lines
