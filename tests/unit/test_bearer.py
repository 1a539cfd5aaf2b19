"""Tokens: the messages that carry them, whose they are, and which keys may be in a JWKS file."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from services.ingress.auth.bearer import Bearer, read_oauthbearer, read_xoauth2
from services.ingress.auth.tokens import LEEWAY, TokenRules, Tokens, load_keys, user_of
from shared.errors import ConfigError

RULES = TokenRules("https://id.example", "smtp", ("RS256", "ES256", "EdDSA"), "sub")
NOW = 1_800_000_000.0
CLAIMS: dict[str, Any] = {"iss": "https://id.example", "aud": "smtp", "exp": NOW + 300, "sub": "Bob@example.org"}

OAUTHBEARER = [
    (b"n,,\x01auth=Bearer abc\x01\x01", Bearer("", "abc")),
    (b"n,a=bob,\x01host=h\x01port=587\x01auth=Bearer a.b-c_d==\x01\x01", Bearer("bob", "a.b-c_d==")),
    (b"y,a=b=2Cc=3D,\x01auth=bearer abc\x01\x01", Bearer("b,c=", "abc")),
    (b"p=tls-exporter,,\x01auth=Bearer abc\x01\x01", None),
    (b"n,x,\x01auth=Bearer abc\x01\x01", None),
    (b"n,a=,\x01auth=Bearer abc\x01\x01", None),
    (b"n,a=b=41,\x01auth=Bearer abc\x01\x01", None),
    (b"n,,\x01auth=Basic abc\x01\x01", None),
    (b"n,,\x01auth=Bearer abc\x01auth=Bearer abd\x01\x01", None),
    (b"n,,\x01auth=Bearer abc\x01", None),
    (b"n,,\x01auth=Bearer a b\x01\x01", None),
    (b"n,,\x01\x01", None),
    (b"\x01", None),
    (b"\xff", None),
    (b"", None),
]


@pytest.mark.parametrize(("message", "expected"), OAUTHBEARER)
def test_oauthbearer_messages(message: bytes, expected: Bearer | None) -> None:
    assert read_oauthbearer(message) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"user=bob@example.org\x01auth=Bearer abc\x01\x01", Bearer("bob@example.org", "abc")),
        (b"user=\x01auth=Bearer abc\x01\x01", None),
        (b"auth=Bearer abc\x01\x01", None),
        (b"n,,\x01auth=Bearer abc\x01\x01", None),
        (b"user=bob\x01auth=Bearer abc", None),
    ],
)
def test_xoauth2_messages(message: bytes, expected: Bearer | None) -> None:
    assert read_xoauth2(message) == expected


def test_a_token_does_not_show_itself() -> None:
    assert "abc" not in repr(Bearer("bob", "abc"))


CASES: list[tuple[dict[str, Any], str | None]] = [
    ({}, "bob@example.org"),
    ({"aud": ["other", "smtp"]}, "bob@example.org"),
    ({"aud": "other"}, None),
    ({"aud": None}, None),
    ({"iss": "https://id.example/"}, None),
    ({"exp": NOW - LEEWAY}, None),
    ({"exp": NOW - LEEWAY + 1}, "bob@example.org"),
    ({"exp": None}, None),
    ({"exp": str(NOW + 300)}, None),
    ({"exp": True}, None),
    ({"nbf": NOW + LEEWAY + 1}, None),
    ({"nbf": NOW + LEEWAY}, "bob@example.org"),
    ({"nbf": "soon"}, None),
    ({"sub": ""}, None),
    ({"sub": "a b"}, None),
    ({"sub": 7}, None),
]


@pytest.mark.parametrize(("changes", "expected"), CASES)
def test_whose_a_token_is(changes: dict[str, Any], expected: str | None) -> None:
    assert user_of(CLAIMS | changes, RULES, NOW) == expected


def test_a_mailbox_that_the_issuer_has_not_verified_is_nobody() -> None:
    rules = RULES._replace(claim="email")
    claims = CLAIMS | {"email": "bob@example.org"}
    assert user_of(claims, rules, NOW) == "bob@example.org"
    assert user_of(claims | {"email_verified": True}, rules, NOW) == "bob@example.org"
    assert user_of(claims | {"email_verified": False}, rules, NOW) is None
    assert user_of(CLAIMS, rules, NOW) is None


def jwk(key: Any, **more: str) -> dict[str, Any]:
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        made = jwt.algorithms.RSAAlgorithm.to_jwk(public)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        made = jwt.algorithms.ECAlgorithm.to_jwk(public)
    else:
        made = jwt.algorithms.OKPAlgorithm.to_jwk(public)
    return {**json.loads(made), **more}


RSA, EC = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())


def write(path: Path, *keys: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"keys": keys}))
    return path


def test_tokens_of_every_kind_of_key_and_none_of_another(tmp_path: Path) -> None:
    ed = ed25519.Ed25519PrivateKey.generate()
    file = write(tmp_path / "jwks", jwk(RSA, kid="r"), jwk(EC, kid="e"), jwk(ed))
    tokens = Tokens(file, RULES)
    for key, algorithm, kid in ((RSA, "RS256", "r"), (EC, "ES256", "e"), (ed, "EdDSA", None)):
        headers = {"kid": kid} if kid else None
        assert tokens.check(jwt.encode(CLAIMS, key, algorithm, headers), NOW) == "bob@example.org", algorithm
    stranger = rsa.generate_private_key(65537, 2048)
    for bad in (
        jwt.encode(CLAIMS, stranger, "RS256"),
        jwt.encode(CLAIMS, RSA, "RS512"),
        jwt.encode(CLAIMS, RSA, "RS256", {"kid": "e"}),
        jwt.encode(CLAIMS, RSA, "RS256", {"crit": ["x"], "x": 1}),
        jwt.encode(CLAIMS, "", "none"),
        jwt.encode(CLAIMS, "k" * 64, "HS256"),
        jwt.encode(CLAIMS, RSA, "RS256")[:-8],
        "nonsense",
        "",
    ):
        assert tokens.check(bad, NOW) is None, bad


def test_a_new_jwks_counts_at_once_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "jwks", jwk(EC))
    tokens = Tokens(file, RULES)
    by_rsa, by_ec = jwt.encode(CLAIMS, RSA, "RS256"), jwt.encode(CLAIMS, EC, "ES256")
    assert (tokens.check(by_rsa, NOW), tokens.check(by_ec, NOW)) == (None, "bob@example.org")
    write(file, jwk(RSA, alg="RS256", use="sig"), jwk(EC, use="enc"))
    assert (tokens.check(by_rsa, NOW), tokens.check(by_ec, NOW)) == ("bob@example.org", None)
    file.write_text("nonsense")
    assert tokens.check(by_rsa, NOW) == "bob@example.org"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot read"),
        ("[]", "not a JWKS"),
        ('{"keys": []}', "no RSA, EC or Ed25519 key"),
        ('{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', "key 0 is not a public key"),
        ('{"keys": [{"kty": "EC", "d": "c2VjcmV0"}]}', "key 0 is not a public key"),
        ('{"keys": [{"kty": "RSA"}]}', "key 0 cannot be used"),
        ('{"keys": [7]}', "key 0 is not a public key"),
    ],
)
def test_a_bad_jwks_file_says_why(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "jwks").write_text(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        load_keys(tmp_path / "jwks")
    assert "c2VjcmV0" not in str(caught.value)
