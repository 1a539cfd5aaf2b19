"""AUTH: the PLAIN and LOGIN dialogues (RFC 4954, RFC 4616), and checking a password without stopping the world."""

import asyncio
import base64
import binascii
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from services.ingress import replies
from services.ingress.auth.users import canonical_name, hash_password, load_users, verify
from services.ingress.auth.watched import Watched
from services.ingress.protocol.input import LineTooLong
from services.ingress.replies import Refuse
from shared import log

MECHANISMS = ("PLAIN", "LOGIN")

Ask = Callable[[bytes], Awaitable[bytes]]
"""Send one challenge (already in base64) and return the client's answer line as it is."""


class Credentials(NamedTuple):
    """What a client presents. Never logged."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r}, password=(hidden))"


async def dialogue(mechanism: str, initial: bytes | None, ask: Ask) -> Credentials | Refuse:
    """Lead the client through a mechanism of MECHANISMS; `initial` is the response that came with AUTH, if any."""
    if mechanism == "PLAIN":
        answer = decode(initial if initial is not None else await ask(b""))
        return answer if isinstance(answer, Refuse) else plain(answer)
    user = decode(initial if initial is not None else await ask(b"VXNlcm5hbWU6"))  # "Username:"
    if isinstance(user, Refuse):
        return user
    password = decode(await ask(b"UGFzc3dvcmQ6"))  # "Password:"
    return password if isinstance(password, Refuse) else _credentials(user, password)


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


class Authenticator:
    """Checks passwords against the users file, in threads, so many at a time and no more.

    The file is read again when it has changed; a bad new one leaves the old in force.
    """

    def __init__(self, users_file: Path, limit: int) -> None:
        """Read the file. Raise ConfigError if it cannot be used."""
        self._limit = limit
        self._busy = 0
        self._threads = ThreadPoolExecutor(limit, thread_name_prefix="argon2")
        self._users = Watched(users_file, load_users)
        self._nobody = hash_password(os.urandom(16).hex())
        if not self._users.get().by_name:
            log.get().warning("no users", file=str(users_file), remedy="add one with `sluice user add`")

    async def check(self, credentials: Credentials) -> str | Refuse:
        """Return the user's canonical name. An unknown user takes as long and hears the same as a wrong password."""
        if self._busy >= self._limit:
            return replies.AUTH_BUSY
        self._busy += 1
        # The slot belongs to the hash, not to the session that asked: one that hangs up frees no thread.
        hashing = asyncio.get_running_loop().run_in_executor(self._threads, self._verify, credentials)
        hashing.add_done_callback(self._free)
        name = await asyncio.shield(hashing)
        return replies.AUTH_FAILED if name is None else name

    def close(self) -> None:
        """End the threads, after what they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _free(self, hashing: "asyncio.Future[str | None]") -> None:
        self._busy -= 1
        if not hashing.cancelled():
            hashing.exception()

    def _verify(self, credentials: Credentials) -> str | None:
        name = canonical_name(credentials.user)
        known = self._users.get().by_name.get(name)
        good = verify(known.hashed if known else self._nobody, credentials.password)
        return name if good and known is not None else None


async def identify(authenticator: Authenticator, mechanism: str, initial: str, ask: Ask) -> str | Refuse:
    """Lead the client through a mechanism and return the user's name.

    `initial` is the response that came with AUTH, "" if none did.
    """
    if mechanism not in MECHANISMS:
        return replies.UNKNOWN_MECHANISM if mechanism else replies.AUTH_SYNTAX
    try:
        credentials = await dialogue(mechanism, initial.encode() or None, ask)
    except LineTooLong:
        return replies.LINE_TOO_LONG
    return credentials if isinstance(credentials, Refuse) else await authenticator.check(credentials)
