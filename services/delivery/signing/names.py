"""Which header fields a signature covers. Pure."""

from collections.abc import Sequence

from shared.mailauth.fields import Field

ONCE_MORE = (
    *(b"from", b"to", b"cc", b"subject", b"reply-to", b"in-reply-to", b"references"),
    *(b"mime-version", b"content-type", b"content-transfer-encoding"),
)
"""What readers see and replies and decoders go by. Signed once more than they occur, so that none can be added
(RFC 6376 section 8.15)."""
IF_THERE = (b"date", b"message-id")
"""The same, but where they are missing, a relay on the way may add them (RFC 5321 section 6.4)."""
AS_THEY_ARE = (
    *(b"sender", b"resent-from", b"resent-to", b"resent-cc", b"resent-date", b"resent-message-id"),
    *(b"list-id", b"list-help", b"list-unsubscribe", b"list-subscribe", b"list-post", b"list-owner", b"list-archive"),
    b"list-unsubscribe-post",
    *(b"content-id", b"content-description", b"content-disposition", b"autocrypt", b"feedback-id"),
)
"""Signed where they are there; lists and whoever resends may add theirs (RFC 6376 section 5.4.1, RFC 8058)."""
MAX_NAMES = 200
"""Of h=: a message with more of these fields is no mail that anybody wrote, and verifiers look at so many only."""


def names_to_sign(fields: Sequence[Field], *besides: bytes) -> tuple[bytes, ...] | None:
    """Return the names for h=, those `besides` as they are there; None if they would be too many."""
    counts: dict[bytes, int] = {}
    for field in fields:
        counts[field.name] = counts.get(field.name, 0) + 1
    found: list[bytes] = []
    for name in ONCE_MORE:
        found += [name] * (counts.get(name, 0) + 1)
    for name in IF_THERE:
        found += [name] * (counts[name] + 1 if name in counts else 0)
    for name in (*AS_THEY_ARE, *besides):
        found += [name] * counts.get(name, 0)
    return tuple(found) if len(found) <= MAX_NAMES else None
