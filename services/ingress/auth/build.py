"""The authenticator that the configuration describes."""

import ssl
from pathlib import Path

from services.ingress.auth.attempts import Attempts, Limits
from services.ingress.auth.authenticator import Authenticator, Stores
from services.ingress.auth.callout import Callout, Where
from services.ingress.auth.passwords import Hashes, Passwords
from services.ingress.auth.tokens import TokenRules, Tokens
from services.ingress.auth.users import canonical_name, load_users
from services.ingress.auth.watched import Watched
from shared import log
from shared.clock import Clock
from shared.config.model import Auth, Config
from shared.errors import ConfigError


def attempts(auth: Auth) -> Attempts:
    """Return the memory of failed attempts, which outlives a reload."""
    return Attempts(
        Limits(
            per_address=auth.max_failures_per_address,
            per_account=auth.max_failures_per_account,
            delay=auth.failure_delay,
            lockout=auth.lockout,
        )
    )


def authenticator(config: Config, memory: Attempts, clock: Clock) -> Authenticator | None:
    """Return who authenticates, or None if there is nothing to check anybody against. Raise ConfigError."""
    auth = config.auth
    users = Watched(Path(auth.users_file), load_users) if auth.users_file else None
    if users is not None and not users.get().by_name:
        log.get().warning("no users", file=auth.users_file, remedy="add one with `sluice user add`")
    tokens = _tokens(auth)
    callout = _callout(auth)
    if users is None and callout is None and tokens is None and config.tls.client_ca is None:
        return None
    hashes = Hashes(users, auth.max_concurrent_hashes) if users is not None else None
    passwords = Passwords(hashes, callout) if hashes is not None or callout is not None else None
    table = {canonical_name(name): user for name, user in auth.certificates.items()}
    return Authenticator(Stores(users, passwords, tokens, table), memory, clock)


def _tokens(auth: Auth) -> Tokens | None:
    if auth.jwks_file is None:
        return None
    for key, value in (("token_issuer", auth.token_issuer), ("token_audience", auth.token_audience)):
        if value is None:
            raise ConfigError(f"auth.{key}: needed beside auth.jwks_file, or tokens for others would be taken; set it")
    if not auth.token_algorithms:
        raise ConfigError('auth.token_algorithms: empty; name at least one, such as "RS256"')
    rules = TokenRules(auth.token_issuer or "", auth.token_audience or "", auth.token_algorithms, auth.token_user_claim)
    return Tokens(Path(auth.jwks_file), rules)


def _callout(auth: Auth) -> Callout | None:
    if auth.http_url is None:
        return None
    context = None
    if auth.http_url.startswith("https:"):
        try:
            context = ssl.create_default_context(cafile=auth.http_ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"auth.http_ca: {auth.http_ca}: {error}; name a file of PEM certificates") from error
    return Callout(Where(auth.http_url, auth.http_timeout, auth.max_concurrent_callouts, auth.http_secret, context))
