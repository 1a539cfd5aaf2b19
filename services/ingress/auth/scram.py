"""SCRAM-SHA-256 as values (RFC 5802, RFC 7677): the keys that are stored, and the server's side of one exchange.

Channel binding is not offered: Python's ssl gives no tls-exporter value. A client that asks for it ("p=") is refused,
one that could have done it ("y") or cannot ("n") goes on, and its header is checked again in its last message.
"""

import base64
import binascii
import hashlib
import hmac
import re
from typing import NamedTuple

from services.ingress.auth.saslprep import prepared

ITERATIONS = 60_000
"""Of PBKDF2 when a password is set: ten times the RFC's least, and below the 65,536 that common clients refuse."""
SALT_OCTETS = 16
_SCHEME = "SCRAM-SHA-256"
_ESCAPED = re.compile(r"=2C|=3D")
_NONCE = re.compile(r"[!-+\--~]+")
_MAX_ITERATIONS = 10_000_000


class Keys(NamedTuple):
    """What the server keeps of a password (RFC 5802 section 3): enough to check a proof, not to make one."""

    iterations: int
    salt: bytes
    stored: bytes
    server: bytes

    def __repr__(self) -> str:
        return f"Keys(iterations={self.iterations}, (hidden))"

    def __str__(self) -> str:
        """Return the stored form, as PostgreSQL writes it."""
        return f"{_SCHEME}${self.iterations}:{_b64(self.salt)}${_b64(self.stored)}:{_b64(self.server)}"


def derive(password: str, salt: bytes, iterations: int = ITERATIONS) -> Keys:
    """Return the keys of a password. Takes as long as the iterations say."""
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password).encode(), salt, iterations)
    return Keys(iterations, salt, hashlib.sha256(_hmac(salted, b"Client Key")).digest(), _hmac(salted, b"Server Key"))


def read_keys(text: str) -> Keys | None:
    """Return the keys of their stored form; None if it is not one."""
    parts = text.split("$")
    if len(parts) != 3 or parts[0] != _SCHEME:
        return None
    iterations, colon, salt = parts[1].partition(":")
    stored, other_colon, server = parts[2].partition(":")
    if not (colon and other_colon and iterations.isascii() and iterations.isdecimal()) or len(iterations) > 8:
        return None
    octets = [_unb64(part) for part in (salt, stored, server)]
    if octets[0] is None or octets[1] is None or octets[2] is None:
        return None
    keys = Keys(int(iterations), octets[0], octets[1], octets[2])
    good = 0 < keys.iterations <= _MAX_ITERATIONS and keys.salt and len(keys.stored) == len(keys.server) == 32
    return keys if good else None


def decoy(secret: bytes, name: str) -> Keys:
    """Return keys for a name that has none: always the same for a secret and a name, and no password fits them."""
    salt = _hmac(secret, b"salt\0" + name.encode())[:SALT_OCTETS]
    return Keys(
        ITERATIONS, salt, _hmac(secret, b"stored\0" + name.encode()), _hmac(secret, b"server\0" + name.encode())
    )


class ClientFirst(NamedTuple):
    """The client's first message (RFC 5802 section 7)."""

    header: str
    """gs2-header, as it was sent."""
    identity: str
    """authzid: whom the client wants to act as, "" for itself."""
    user: str
    nonce: str
    bare: str


class Malformed(NamedTuple):
    """Not a message of this exchange; `reason` in a few words."""

    reason: str


def read_first(message: bytes) -> ClientFirst | Malformed:
    """Read the client's first message."""
    try:
        text = message.decode()
    except UnicodeDecodeError:
        return Malformed("not UTF-8")
    binding, *rest = text.split(",", 2)
    if len(rest) != 2:
        return Malformed("no GS2 header")
    if binding not in ("n", "y"):
        return Malformed("channel binding is not supported" if binding.startswith("p=") else "no GS2 header")
    identity = ""
    if rest[0]:
        found = _name(rest[0].removeprefix("a=")) if rest[0].startswith("a=") else None
        if found is None:
            return Malformed("bad authorization identity")
        identity = found
    return _bare(f"{binding},{rest[0]},", identity, rest[1])


def _bare(header: str, identity: str, bare: str) -> ClientFirst | Malformed:
    fields = bare.split(",")
    if bare.startswith("m="):
        return Malformed("mandatory extensions are not supported")
    if len(fields) < 2 or not fields[0].startswith("n=") or not fields[1].startswith("r="):
        return Malformed("no name and nonce")
    user, nonce = _name(fields[0][2:]), fields[1][2:]
    if user is None or not _NONCE.fullmatch(nonce):
        return Malformed("bad name or nonce")
    return ClientFirst(header, identity, user, nonce, bare)


def _name(text: str) -> str | None:
    """Return a name with its escapes undone (saslname); None if it is not one."""
    if not text or "\0" in text or "=" in _ESCAPED.sub("", text):
        return None
    return prepared(_ESCAPED.sub(lambda found: "," if found[0] == "=2C" else "=", text))


class Exchange(NamedTuple):
    """The server's side after the client's first message. `keys` may be a decoy's."""

    first: ClientFirst
    keys: Keys
    nonce: str
    """The whole one: the client's and what the server adds."""

    def __repr__(self) -> str:
        return "Exchange((hidden))"

    @property
    def server_first(self) -> bytes:
        """The challenge to send."""
        return f"r={self.nonce},s={_b64(self.keys.salt)},i={self.keys.iterations}".encode()

    def finish(self, message: bytes) -> bytes | Malformed | None:
        """Return the server's last message for the right proof, None for a wrong one."""
        without_proof, comma, proof_text = message.rpartition(b",p=")
        fields = without_proof.split(b",")
        if not comma or len(fields) < 2 or not fields[0].startswith(b"c=") or not fields[1].startswith(b"r="):
            return Malformed("no channel binding, nonce and proof")
        proof = _unb64(proof_text.decode("latin-1"))
        if proof is None or len(proof) != 32:
            return Malformed("bad proof")
        bound = hmac.compare_digest(fields[0][2:], base64.b64encode(self.first.header.encode()))
        fresh = hmac.compare_digest(fields[1][2:], self.nonce.encode())
        signed = b",".join((self.first.bare.encode(), self.server_first, without_proof))
        key = bytes(a ^ b for a, b in zip(proof, _hmac(self.keys.stored, signed), strict=True))
        proven = hmac.compare_digest(hashlib.sha256(key).digest(), self.keys.stored)
        if not (bound and fresh and proven):
            return None
        return b"v=" + base64.b64encode(_hmac(self.keys.server, signed))


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def _unb64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
