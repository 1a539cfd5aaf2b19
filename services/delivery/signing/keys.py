"""Private keys: read from files, made anew, and the DNS records of their public halves (RFC 6376, 8301, 8463)."""

import base64
import hashlib
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from shared.errors import ConfigError

RSA_BITS = 2048
"""What is made: the most that fits every receiver and one DNS answer over UDP."""
MIN_RSA_BITS, MAX_RSA_BITS = 1024, 4096
"""What receivers must be able to verify (RFC 8301 section 3.2)."""
STRING = 255
"""Octets of one string in a TXT record."""

Private = RSAPrivateKey | Ed25519PrivateKey


class SigningKey(msgspec.Struct, frozen=True):
    """A key with the names it is published under; nothing it shows of itself is secret."""

    domain: str
    """d="""
    selector: str
    private: Private

    @property
    def name(self) -> str:
        """Where DNS has the public key."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def algorithm(self) -> str:
        """The a= tag."""
        return "rsa-sha256" if isinstance(self.private, RSAPrivateKey) else "ed25519-sha256"

    @property
    def is_short(self) -> bool:
        """Tell whether it is an RSA key of fewer bits than signers should use (RFC 8301 section 3.2)."""
        return isinstance(self.private, RSAPrivateKey) and self.private.key_size < RSA_BITS

    @property
    def public(self) -> bytes:
        """The public key as p= has it before base64."""
        key = self.private.public_key()
        if isinstance(self.private, RSAPrivateKey):
            return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)

    def is_published_as(self, octets: bytes) -> bool:
        """Tell whether a record's p= is this key; RSA keys have two forms (RFC 6376 section 3.6.1)."""
        forms = {self.public}
        if isinstance(self.private, RSAPrivateKey):
            forms.add(self.private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1))
        return octets in forms

    @property
    def record(self) -> str:
        """The text of the TXT record at `name`."""
        kind = self.algorithm.partition("-")[0]
        return f"v=DKIM1; k={kind}; p={base64.b64encode(self.public).decode('ascii')}"

    def sign(self, octets: bytes) -> bytes:
        """Return the signature; Ed25519 signs the hash of the octets (RFC 8463 section 3)."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(octets, PKCS1v15(), SHA256())
        return self.private.sign(hashlib.sha256(octets).digest())


def zone_line(key: SigningKey) -> str:
    """Return the record as a line of a zone file, in strings that DNS can hold."""
    text = key.record
    strings = " ".join(f'"{text[start : start + STRING]}"' for start in range(0, len(text), STRING))
    return f"{key.name}. IN TXT ( {strings} )"


def make_key(kind: str) -> bytes:
    """Return a new private key of kind "rsa" or "ed25519" as PEM, not encrypted."""
    private: Private = generate_private_key(65537, RSA_BITS) if kind == "rsa" else Ed25519PrivateKey.generate()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_key(where: str, path: str) -> Private:
    """Return the private key in a PEM file. Raise ConfigError that begins with the key `where`, never with a secret."""
    try:
        octets = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{where}: {path}: {error.strerror}; name a readable PEM file") from None
    remedy = "make one with: sluice dkim key"
    try:
        private = load_pem_private_key(octets, None)
    except TypeError:
        raise ConfigError(f"{where}: {path}: the key is encrypted with a password; {remedy}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{where}: {path}: not a private key in PEM form; {remedy}") from None
    if isinstance(private, RSAPrivateKey):
        if not MIN_RSA_BITS <= private.key_size <= MAX_RSA_BITS:
            bits = f"{MIN_RSA_BITS} to {MAX_RSA_BITS}"
            raise ConfigError(
                f"{where}: {path}: an RSA key of {private.key_size} bits: receivers verify {bits}; {remedy}"
            )
        return private
    if isinstance(private, Ed25519PrivateKey):
        return private
    raise ConfigError(f"{where}: {path}: neither an RSA key nor an Ed25519 key; {remedy}")
