"""AUTH (RFC 4954): one client led through one mechanism, to a user's name or to the reply that says no.

Whatever fails hears the same, at the same price: an unknown user, a wrong password, a user without SCRAM keys, a token
that has ended. Failures are counted by attempts.py and their replies held back as it says.
"""

import asyncio
import base64
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from services.ingress import replies
from services.ingress.auth import certificates, scram
from services.ingress.auth.attempts import Attempts
from services.ingress.auth.bearer import OAUTHBEARER_ERROR, XOAUTH2_ERROR, read_oauthbearer, read_xoauth2
from services.ingress.auth.callout import Question
from services.ingress.auth.mechanisms import (
    EXTERNAL,
    OAUTHBEARER,
    SCRAM,
    XOAUTH2,
    Ask,
    Sources,
    ask_password,
    offered,
    response,
)
from services.ingress.auth.passwords import Passwords
from services.ingress.auth.tokens import Tokens
from services.ingress.auth.users import Users, canonical_name
from services.ingress.auth.watched import Watched
from services.ingress.policy.limits import client_key
from services.ingress.protocol.input import LineTooLong
from services.ingress.replies import Refuse
from shared import log
from shared.clock import Clock

Check = Callable[[], Awaitable[str | Refuse | None]]
"""Return the user's canonical name, None for no, or a refusal that is nobody's failure."""


class Peer(NamedTuple):
    """The client as authentication sees it."""

    address: str
    certificate: Mapping[str, Any] | None = None
    """As `ssl` describes one that the handshake has verified."""


class Stores(NamedTuple):
    """What there is to check a client against; each may be missing."""

    users: Watched[Users] | None
    passwords: Passwords | None
    tokens: Tokens | None
    certificates: Mapping[str, str]
    """Names in certificates -> users."""


class Authenticator:
    """Who a client is. One for all sessions of a process."""

    def __init__(self, stores: Stores, attempts: Attempts, clock: Clock) -> None:
        self._stores = stores
        self._attempts = attempts
        self._clock = clock
        self._secret = os.urandom(32)

    def mechanisms(self, peer: Peer) -> tuple[str, ...]:
        """Return what this client is offered, under TLS."""
        stores = self._stores
        return offered(
            Sources(
                users=stores.users is not None,
                callout=stores.passwords is not None,
                tokens=stores.tokens is not None,
                certificate=self._shown(peer) is not None,
            )
        )

    async def identify(self, peer: Peer, mechanism: str, initial: str, ask: Ask) -> str | Refuse:
        """Lead the client through a mechanism, in upper case, and return the user's canonical name.

        `initial` is the response that came with AUTH, "" if none did.
        """
        if mechanism not in self.mechanisms(peer):
            return replies.UNKNOWN_MECHANISM if mechanism else replies.AUTH_SYNTAX
        first = initial.encode() or None
        try:
            if mechanism == SCRAM:
                return await self._scram(peer, first, ask)
            if mechanism in (OAUTHBEARER, XOAUTH2):
                return await self._bearer(peer, mechanism, first, ask)
            if mechanism == EXTERNAL:
                return await self._external(peer, first, ask)
            return await self._password(peer, mechanism, first, ask)
        except LineTooLong:
            return replies.AUTH_TOO_LONG

    def close(self) -> None:
        """End the threads, after what they are at."""
        if self._stores.passwords is not None:
            self._stores.passwords.close()

    # The mechanisms.

    async def _password(self, peer: Peer, mechanism: str, initial: bytes | None, ask: Ask) -> str | Refuse:
        passwords = self._stores.passwords
        given = await ask_password(mechanism, initial, ask)
        if isinstance(given, Refuse) or passwords is None:
            return given if isinstance(given, Refuse) else replies.UNKNOWN_MECHANISM
        question = Question(given.user, given.password, peer.address, mechanism)
        return await self._attempt(peer, given.user, lambda: passwords.check(question))

    async def _scram(self, peer: Peer, initial: bytes | None, ask: Ask) -> str | Refuse:
        message = await response(initial, ask)
        first = message if isinstance(message, Refuse) else scram.read_first(message)
        if isinstance(first, Refuse | scram.Malformed):
            return first if isinstance(first, Refuse) else replies.AUTH_ENCODING
        if first.identity not in ("", first.user):
            return replies.AUTH_FAILED
        if self._is_locked(peer, first.user):
            return replies.AUTH_LOCKED
        return await self._prove(peer, first, ask)

    async def _prove(self, peer: Peer, first: scram.ClientFirst, ask: Ask) -> str | Refuse:
        name, keys = self._keys(first.user)
        exchange = scram.Exchange(first, keys, first.nonce + secrets.token_urlsafe(18))
        proof = await response(None, ask, exchange.server_first)
        if isinstance(proof, Refuse):
            return proof
        result = exchange.finish(proof)
        if isinstance(result, scram.Malformed):
            return replies.AUTH_ENCODING
        user = await self._attempt(peer, first.user, lambda: _done(name if result is not None else None))
        if result is None or isinstance(user, Refuse):
            return user
        last = await response(None, ask, result)
        return last if isinstance(last, Refuse) else user

    def _keys(self, user: str) -> tuple[str | None, scram.Keys]:
        """Return the user's name and keys; None and a decoy's for who is unknown or has none."""
        name = canonical_name(user)
        users = self._stores.users.get() if self._stores.users is not None else Users({})
        known = users.by_name.get(name)
        decoy = scram.decoy(users.secret or self._secret, name)
        return (name, known.keys) if known is not None and known.keys is not None else (None, decoy)

    async def _bearer(self, peer: Peer, mechanism: str, initial: bytes | None, ask: Ask) -> str | Refuse:
        message = await response(initial, ask)
        if isinstance(message, Refuse):
            return message
        given = read_oauthbearer(message) if mechanism == OAUTHBEARER else read_xoauth2(message)
        tokens = self._stores.tokens
        if given is None or tokens is None:
            return replies.AUTH_ENCODING
        user = tokens.check(given.token, self._clock())
        agreed = user if given.identity in ("", user) or canonical_name(given.identity) == user else None
        result = await self._attempt(peer, given.identity, lambda: _done(agreed))
        if result is replies.AUTH_FAILED:
            # The reason goes out as a challenge first; whatever the client says to it, the answer is no.
            await ask(base64.b64encode(OAUTHBEARER_ERROR if mechanism == OAUTHBEARER else XOAUTH2_ERROR))
        return result

    async def _external(self, peer: Peer, initial: bytes | None, ask: Ask) -> str | Refuse:
        identity = await response(initial, ask)
        if isinstance(identity, Refuse):
            return identity
        user = self._shown(peer)
        try:
            agreed = not identity or canonical_name(identity.decode()) == user
        except UnicodeDecodeError:
            return replies.AUTH_ENCODING
        # Nothing is guessed here, so nothing is counted.
        return user if agreed and user is not None else replies.AUTH_FAILED

    def _shown(self, peer: Peer) -> str | None:
        if not peer.certificate:
            return None
        users = self._stores.users.get().by_name if self._stores.users is not None else {}
        return certificates.user_of(peer.certificate, self._stores.certificates, users)

    # Guessing.

    def _is_locked(self, peer: Peer, account: str) -> bool:
        account = canonical_name(account)
        return self._attempts.locked_for(time.monotonic(), client_key(peer.address), account) > 0

    async def _attempt(self, peer: Peer, account: str, check: Check) -> str | Refuse:
        """Look at what a client presents, unless too much has failed before; count how it ends."""
        if self._is_locked(peer, account):
            return replies.AUTH_LOCKED
        result = await check()
        if isinstance(result, Refuse):
            return result
        address, name = client_key(peer.address), canonical_name(account)
        if result is not None:
            self._attempts.succeeded(time.monotonic(), address, name or result)
            return result
        failed = self._attempts.failed(time.monotonic(), address, name)
        if failed.locked:
            # Named only if it is a user's: what was sent as a name may be a password.
            users = self._stores.users.get().by_name if self._stores.users is not None else {}
            known = {"user": name} if name in users else {}
            log.get().warning("authentication locked", client=peer.address, locked=failed.locked, **known)
        await asyncio.sleep(failed.delay)
        return replies.AUTH_FAILED


async def _done(result: str | None) -> str | None:
    return result
