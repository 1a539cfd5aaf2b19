"""SCRAM-SHA-256: the RFC's own example, what is refused, and that a name without keys cannot be told from one with."""

import base64
import hashlib
import hmac

import pytest

from services.ingress.auth.saslprep import prepared, saslprep
from services.ingress.auth.scram import (
    ITERATIONS,
    ClientFirst,
    Exchange,
    Keys,
    Malformed,
    decoy,
    derive,
    read_first,
    read_keys,
)

# RFC 7677 section 3: user "user", password "pencil".
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SERVER_FIRST = f"r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode()
CLIENT_FINAL = f"c=biws,r={NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".encode()
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def exchange(keys: Keys | None = None) -> Exchange:
    first = read_first(CLIENT_FIRST)
    assert isinstance(first, ClientFirst)
    return Exchange(first, keys or derive("pencil", SALT, 4096), NONCE)


def test_the_example_of_rfc_7677() -> None:
    assert exchange().server_first == SERVER_FIRST
    assert exchange().finish(CLIENT_FINAL) == SERVER_FINAL


def test_a_wrong_password_a_replayed_nonce_and_another_header_prove_nothing() -> None:
    assert exchange(derive("pencils", SALT, 4096)).finish(CLIENT_FINAL) is None
    assert exchange()._replace(nonce=NONCE + "x").finish(CLIENT_FINAL) is None
    assert exchange().finish(CLIENT_FINAL.replace(b"c=biws", b"c=eSws")) is None
    assert exchange().finish(CLIENT_FINAL.replace(NONCE.encode(), b"rOprNGfwEbeRWgbNEkqO")) is None


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"c=biws",
        f"c=biws,r={NONCE}".encode(),
        f"r={NONCE},c=biws,p=AAAA".encode(),
        f"c=biws,r={NONCE},p=AAAA".encode(),
        f"c=biws,r={NONCE},p=!".encode(),
        f"c=biws,r={NONCE},p=\xff".encode("latin-1"),
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    ],
)
def test_a_malformed_last_message(message: bytes) -> None:
    assert isinstance(exchange().finish(message), Malformed)


FIRSTS = [
    (b"n,,n=user,r=abc", ClientFirst("n,,", "", "user", "abc", "n=user,r=abc")),
    (b"y,,n=user,r=abc", ClientFirst("y,,", "", "user", "abc", "n=user,r=abc")),
    (b"n,a=bob,n=user,r=abc", ClientFirst("n,a=bob,", "bob", "user", "abc", "n=user,r=abc")),
    (b"n,,n=a=2Cb=3Dc,r=abc", ClientFirst("n,,", "", "a,b=c", "abc", "n=a=2Cb=3Dc,r=abc")),
    (b"n,,n=user,r=abc,x=1", ClientFirst("n,,", "", "user", "abc", "n=user,r=abc,x=1")),
    ("n,,n=\xaa,r=abc".encode(), ClientFirst("n,,", "", "a", "abc", "n=\xaa,r=abc")),
    (b"p=tls-exporter,,n=user,r=abc", Malformed("channel binding is not supported")),
    (b"p=tls-unique,,n=user,r=abc", Malformed("channel binding is not supported")),
    (b"x,,n=user,r=abc", Malformed("no GS2 header")),
    (b"F,n,,n=user,r=abc", Malformed("no GS2 header")),
    (b"n=user,r=abc", Malformed("no GS2 header")),
    (b"", Malformed("no GS2 header")),
    (b"n,b=x,n=user,r=abc", Malformed("bad authorization identity")),
    (b"n,a=,n=user,r=abc", Malformed("bad authorization identity")),
    (b"n,,m=x,n=user,r=abc", Malformed("mandatory extensions are not supported")),
    (b"n,,n=user", Malformed("no name and nonce")),
    (b"n,,r=abc,n=user", Malformed("no name and nonce")),
    (b"n,,n=,r=abc", Malformed("bad name or nonce")),
    (b"n,,n=a=41,r=abc", Malformed("bad name or nonce")),
    (b"n,,n=a=2,r=abc", Malformed("bad name or nonce")),
    (b"n,,n=a\0b,r=abc", Malformed("bad name or nonce")),
    (b"n,,n=user,r=", Malformed("bad name or nonce")),
    (b"n,,n=user,r=a b", Malformed("bad name or nonce")),
    (b"n,,n=\xff,r=abc", Malformed("not UTF-8")),
]


@pytest.mark.parametrize(("message", "expected"), FIRSTS)
def test_first_messages(message: bytes, expected: ClientFirst | Malformed) -> None:
    assert read_first(message) == expected


def test_stored_keys_are_read_back() -> None:
    keys = derive("pencil", SALT, 4096)
    assert read_keys(str(keys)) == keys
    assert str(keys).startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
    for text in ("", "$", str(keys)[:-8], str(keys).replace("256", "1"), str(keys).replace("4096", "0"), f"{keys}$"):
        assert read_keys(text) is None, text
    assert read_keys(str(keys).replace("4096", "9" * 9)) is None
    assert read_keys(str(keys).replace("W22Z", "W22!")) is None


def test_a_decoy_is_stable_by_name_looks_like_keys_and_fits_no_password() -> None:
    one = decoy(b"secret", "eve")
    assert one == decoy(b"secret", "eve")
    assert one.salt != decoy(b"secret", "eva").salt
    assert one.salt != decoy(b"other", "eve").salt
    real = derive("x", b"0" * 16)
    assert [len(part) for part in one[1:]] == [len(part) for part in real[1:]]
    assert one.iterations == real.iterations == ITERATIONS
    assert exchange(one._replace(iterations=4096)).finish(CLIENT_FINAL) is None


def test_keys_do_not_show_themselves_by_accident() -> None:
    keys = derive("pencil", SALT, 4096)
    for shown in (repr(keys), repr(exchange(keys)), f"{keys!r}"):
        assert base64.b64encode(keys.stored).decode() not in shown
        assert repr(keys.stored) not in shown


def test_the_stored_key_is_not_what_the_client_proves_with() -> None:
    keys = derive("pencil", SALT, 4096)
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", SALT, 4096)
    assert hmac.digest(salted, b"Client Key", "sha256") not in keys[1:]


PREPARED = [
    ("I\xadX", "IX"),
    ("user", "user"),
    ("USER", "USER"),
    ("\xaa", "a"),
    ("Ⅸ", "IX"),
    ("a\xa0b", "a b"),
    ("\x07", None),
    ("\u06271", None),
    ("\u0627", "\u0627"),
    ("\u0627a\u0627", None),
    ("\U0001f600", None),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), PREPARED)
def test_saslprep(text: str, expected: str | None) -> None:
    """The examples of RFC 4013 section 3, and more."""
    assert saslprep(text) == expected


def test_what_saslprep_forbids_is_taken_as_it_is() -> None:
    assert prepared("\U0001f600") == "\U0001f600"
    assert prepared("pa\xads") == "pas"
