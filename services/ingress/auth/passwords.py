"""Whether a password is right: by the users file, by an HTTP server, or by either.

Every attempt that fails has taken the same way, whether the name is known or not: one hash (of a password nobody has,
where there is no user), then one question to the HTTP server if there is one.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from services.ingress import replies
from services.ingress.auth.callout import Callout, Question
from services.ingress.auth.users import Users, canonical_name, hash_password, is_name, verify
from services.ingress.auth.watched import Watched
from services.ingress.replies import Refuse


class Hashes:
    """Checks passwords against the users file, in threads, so many at a time and no more."""

    def __init__(self, users: Watched[Users], limit: int) -> None:
        self.verified = 0
        """How many hashes have been computed."""
        self._users = users
        self._limit = limit
        self._busy = 0
        self._threads = ThreadPoolExecutor(limit, thread_name_prefix="argon2")
        self._nobody = hash_password(os.urandom(16).hex())

    async def check(self, user: str, password: str) -> str | Refuse | None:
        """Return the user's canonical name, or None for no."""
        if self._busy >= self._limit:
            return replies.AUTH_BUSY
        self._busy += 1
        # The slot belongs to the hash, not to the session that asked: one that hangs up frees no thread.
        hashing = asyncio.get_running_loop().run_in_executor(self._threads, self._verify, user, password)
        hashing.add_done_callback(self._free)
        return await asyncio.shield(hashing)

    def close(self) -> None:
        """End the threads, after what they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _free(self, hashing: "asyncio.Future[str | None]") -> None:
        self._busy -= 1
        if not hashing.cancelled():
            hashing.exception()

    def _verify(self, user: str, password: str) -> str | None:
        name = canonical_name(user)
        known = self._users.get().by_name.get(name)
        self.verified += 1
        good = verify(known.hashed if known else self._nobody, password)
        return name if good and known is not None else None


class Passwords:
    """All sources of passwords."""

    def __init__(self, hashes: Hashes | None, callout: Callout | None) -> None:
        self._hashes = hashes
        self._callout = callout

    async def check(self, question: Question) -> str | Refuse | None:
        """Return the user's canonical name, None for no, or a temporary refusal."""
        if self._hashes is not None:
            result = await self._hashes.check(question.user, question.password)
            if result is not None:
                return result
        # A name that nobody can have is not passed on: a server that tidies names would give one user many.
        if self._callout is not None and is_name(question.user):
            return await self._callout.check(question)
        return None

    def close(self) -> None:
        """End all threads, after what they are at."""
        for source in (self._hashes, self._callout):
            if source is not None:
                source.close()
