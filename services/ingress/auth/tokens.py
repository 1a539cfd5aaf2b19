"""Signed tokens (JWT, RFC 7519) against the keys of a JWKS file (RFC 7517): whose is it, if it is good for us.

The algorithm is never the token's choice: it must be one of the configured ones, all of them asymmetric, and one that
belongs to the kind of the key. Who issued it and for whom are checked always; without the second, a token that the user
gave to some other application would open this door.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from services.ingress.auth.users import canonical_name, is_name
from services.ingress.auth.watched import Watched
from shared.errors import ConfigError

LEEWAY = 60.0
"""Seconds by which clocks may differ."""
MIN_RSA_BITS = 2048
MAX_KEYS = 100
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


class Key(NamedTuple):
    """One public key and what it may be used with."""

    kid: str | None
    algorithms: tuple[str, ...]
    public: Any


class TokenRules(NamedTuple):
    """Which tokens are for us."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    claim: str
    """That holds the user's name."""


class Tokens:
    """The keys, and who a token says its bearer is. The file is read again when it changes."""

    def __init__(self, file: Path, rules: TokenRules) -> None:
        """Raise ConfigError if the file cannot be used."""
        self._keys = Watched(file, load_keys)
        self._rules = rules

    def check(self, token: str, now: float) -> str | None:
        """Return the user's canonical name if the token is good at `now`, in seconds since 1970."""
        claims = read_token(token, self._keys.get(), self._rules.algorithms)
        return user_of(claims, self._rules, now) if claims is not None else None


def read_token(token: str, keys: tuple[Key, ...], algorithms: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the claims of a token that one of the keys has signed."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        return None
    algorithm = header.get("alg")
    # "crit" names extensions that must be understood (RFC 7515 section 4.1.11); there are none that we do.
    if algorithm not in algorithms or "crit" in header:
        return None
    for key in _fitting(keys, algorithm, header.get("kid")):
        try:
            payload = jwt.PyJWS().decode(token, key.public, algorithms=[algorithm])
            claims = json.loads(payload)
        except (jwt.PyJWTError, ValueError, RecursionError):
            continue
        return claims if isinstance(claims, dict) else None
    return None


def _fitting(keys: tuple[Key, ...], algorithm: str, kid: object) -> Iterator[Key]:
    return (key for key in keys if algorithm in key.algorithms and (kid is None or key.kid in (kid, None)))


def user_of(claims: Mapping[str, Any], rules: TokenRules, now: float) -> str | None:
    """Return the user's canonical name if issuer, audience and times are right. A token without end is not taken."""
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    start, end = _time(claims, "nbf", 0.0), _time(claims, "exp", None)
    for_us = claims.get("iss") == rules.issuer and rules.audience in audiences
    if not for_us or start is None or end is None or not start - LEEWAY <= now < end + LEEWAY:
        return None
    name = claims.get(rules.claim)
    unverified = rules.claim == "email" and claims.get("email_verified", True) is not True
    if not isinstance(name, str) or unverified or not is_name(name):
        return None
    return canonical_name(name)


def _time(claims: Mapping[str, Any], name: str, default: float | None) -> float | None:
    value = claims.get(name, default)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def load_keys(path: Path) -> tuple[Key, ...]:
    """Return the keys of a JWKS file that can verify a signature. Raise ConfigError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"auth.jwks_file: cannot read {path}: {error}; name a readable JWKS file") from None
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise ConfigError(f'auth.jwks_file: {path}: not a JWKS: write {{"keys": […]}} with at most {MAX_KEYS} keys')
    keys = tuple(key for number, jwk in enumerate(listed) for key in _key(f"{path} key {number}", jwk))
    if not keys:
        raise ConfigError(f"auth.jwks_file: {path}: no RSA, EC or Ed25519 key for signatures in it; add one")
    return keys


def _key(where: str, jwk: object) -> Iterator[Key]:
    """Yield a key, or none if it is of a kind or for a use that is not ours."""
    if not isinstance(jwk, dict) or jwk.get("kty") == "oct" or "d" in jwk:
        # A shared or private key would let every reader of the file make tokens.
        raise ConfigError(f"auth.jwks_file: {where} is not a public key; put public keys there only")
    if jwk.get("use", "sig") != "sig" or jwk.get("kty") not in ("RSA", "EC", "OKP"):
        return
    try:
        public = jwt.PyJWK(jwk).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        if jwk.get("kty") == "OKP" or jwk.get("crv") == "secp256k1":
            return
        raise ConfigError(f"auth.jwks_file: {where} cannot be used; remove it or write it anew") from None
    algorithms = _algorithms(public)
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < MIN_RSA_BITS:
        raise ConfigError(f"auth.jwks_file: {where} has {public.key_size} bits; use {MIN_RSA_BITS} or more")
    named = jwk.get("alg")
    if named is not None:
        algorithms = tuple(name for name in algorithms if name == named)
    kid = jwk.get("kid")
    if algorithms:
        yield Key(kid if isinstance(kid, str) else None, algorithms, public)


def _algorithms(public: object) -> tuple[str, ...]:
    """Return what a key of this kind may be used with (RFC 7518 section 3.1, RFC 8037 section 3.1)."""
    if isinstance(public, rsa.RSAPublicKey):
        return _RSA
    if isinstance(public, ec.EllipticCurvePublicKey):
        named = _CURVES.get(public.curve.name)
        return (named,) if named else ()
    return ("EdDSA",) if isinstance(public, ed25519.Ed25519PublicKey) else ()
