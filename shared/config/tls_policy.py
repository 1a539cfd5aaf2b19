"""How a session with a next hop must be protected, as the configuration says it. Pure."""

import re
from enum import StrEnum

import msgspec


class Tls(StrEnum):
    """How a session with a next hop is protected."""

    NONE = "none"
    MAY = "may"
    """STARTTLS where offered, any certificate; in clear if that fails (RFC 7435)."""
    ENCRYPT = "encrypt"
    """TLS or nothing; any certificate."""
    DANE = "dane"
    """TLS or nothing, with a certificate or an authority that TLSA records name (RFC 7672)."""
    FINGERPRINT = "fingerprint"
    """TLS or nothing, with one of the certificates whose SHA-256 is given."""
    VERIFY = "verify"
    """TLS or nothing, with a certificate for the host's name from a known authority."""

    @property
    def authenticates(self) -> bool:
        """True if the session is with whom it should be with, and nobody between."""
        return self in {Tls.DANE, Tls.FINGERPRINT, Tls.VERIFY}


class Policy(msgspec.Struct, frozen=True):
    """What is demanded of sessions."""

    tls: Tls
    fingerprints: tuple[bytes, ...] = ()
    """SHA-256 of whole certificates (DER); any of them will do, so that one can follow another."""


_DIGEST = re.compile(r"sha256:((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})", re.IGNORECASE)


def parse_policy(text: str) -> Policy:
    """Read "none", "may", "encrypt", "dane", "verify" or "fingerprint=sha256:…" (several by commas).

    Raise ValueError with the reason.
    """
    name, equals, digests = text.partition("=")
    if name not in set(Tls):
        raise ValueError(f'"{name}" is not known: valid are {", ".join(Tls)}')
    tls = Tls(name)
    if bool(equals) != (tls is Tls.FINGERPRINT):
        raise ValueError('write "fingerprint=sha256:" with the 64 digits, and the others without "="')
    return Policy(tls, tuple(_digest(each) for each in digests.split(","))) if equals else Policy(tls)


def _digest(text: str) -> bytes:
    match = _DIGEST.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is not a fingerprint: write "sha256:" and 64 hexadecimal digits')
    return bytes.fromhex(match[1].replace(":", ""))
