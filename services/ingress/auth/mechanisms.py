"""The mechanisms: what EHLO offers, and the octets of PLAIN, LOGIN and EXTERNAL (RFC 4954, RFC 4616, RFC 4422)."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from services.ingress import replies
from services.ingress.replies import Refuse

SCRAM, PLAIN, LOGIN = "SCRAM-SHA-256", "PLAIN", "LOGIN"
OAUTHBEARER, XOAUTH2, EXTERNAL = "OAUTHBEARER", "XOAUTH2", "EXTERNAL"
MECHANISMS = (SCRAM, PLAIN, LOGIN, OAUTHBEARER, XOAUTH2, EXTERNAL)
"""Everything there is, in the order it is offered."""

Ask = Callable[[bytes], Awaitable[bytes]]
"""Send one challenge (already in base64) and return the client's answer line as it is."""


class Sources(NamedTuple):
    """What there is to check a client against."""

    users: bool = False
    """A users file."""
    callout: bool = False
    tokens: bool = False
    certificate: bool = False
    """This client has shown a certificate that stands for a user."""


def offered(sources: Sources) -> tuple[str, ...]:
    """Return the mechanisms that can succeed. SCRAM needs keys, which only the users file has."""
    wanted = {
        SCRAM: sources.users,
        PLAIN: sources.users or sources.callout,
        LOGIN: sources.users or sources.callout,
        OAUTHBEARER: sources.tokens,
        XOAUTH2: sources.tokens,
        EXTERNAL: sources.certificate,
    }
    return tuple(name for name in MECHANISMS if wanted[name])


class Credentials(NamedTuple):
    """What a client presents. Never logged."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r}, password=(hidden))"


async def response(initial: bytes | None, ask: Ask, challenge: bytes = b"") -> bytes | Refuse:
    """Return the octets of the initial response, or of the answer to a challenge where there was none."""
    return decode(initial if initial is not None else await ask(base64.b64encode(challenge)))


def decode(answer: bytes) -> bytes | Refuse:
    """Return the octets of one response; `*` cancels and `=` is an empty one (RFC 4954 section 4)."""
    if answer == b"*":
        return replies.AUTH_ABORTED
    if answer == b"=":
        return b""
    try:
        return base64.b64decode(answer, validate=True)
    except binascii.Error:
        return replies.AUTH_ENCODING


async def ask_password(mechanism: str, initial: bytes | None, ask: Ask) -> Credentials | Refuse:
    """Lead the client through PLAIN or LOGIN; `initial` is the response that came with AUTH, if any."""
    if mechanism == PLAIN:
        answer = await response(initial, ask)
        return answer if isinstance(answer, Refuse) else plain(answer)
    user = await response(initial, ask, b"Username:")
    if isinstance(user, Refuse):
        return user
    password = await response(None, ask, b"Password:")
    return password if isinstance(password, Refuse) else _credentials(user, password)


def plain(message: bytes) -> Credentials | Refuse:
    """Read PLAIN's `authzid NUL authcid NUL password`; acting as somebody else is not on offer."""
    parts = message.split(b"\0")
    if len(parts) != 3:
        return replies.AUTH_ENCODING
    identity, user, password = parts
    return replies.AUTH_FAILED if identity not in (b"", user) else _credentials(user, password)


def _credentials(user: bytes, password: bytes) -> Credentials | Refuse:
    try:
        return Credentials(user.decode(), password.decode())
    except UnicodeDecodeError:
        return replies.AUTH_ENCODING
