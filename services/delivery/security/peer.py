"""Whether the server behind a TLS session is the one that it should be, where OpenSSL has not looked at that."""

import asyncio
import hashlib
import ssl
from datetime import datetime

from services.delivery.security import dane
from services.delivery.security.protection import Protection, Result
from shared.config.tls_policy import Tls


class Distrust(Exception):  # noqa: N818  (it is no error of ours)
    """The server is not who it should be."""

    def __init__(self, text: str, result: Result) -> None:
        super().__init__(text)
        self.result = result


def check(transport: asyncio.BaseTransport | None, tls: Tls, protection: Protection, now: datetime) -> None:
    """Raise Distrust if the server does not match the fingerprints or TLSA records; other policies have none."""
    if tls is Tls.FINGERPRINT:
        reason = _by_fingerprint(chain(transport)[:1], protection.fingerprints)
    elif tls is Tls.DANE:
        reason = dane.refusal(protection.tlsa, chain(transport), protection.names, now)
    else:
        return
    if reason is not None:
        raise Distrust(reason, Result.VALIDATION)


def _by_fingerprint(leaf: list[bytes], wanted: tuple[bytes, ...]) -> str | None:
    if any(hashlib.sha256(der).digest() in wanted for der in leaf):
        return None
    return "the server's certificate has none of the fingerprints given"


def chain(transport: asyncio.BaseTransport | None) -> list[bytes]:
    """Return the certificates that the server sent (DER), its own first; none without TLS."""
    session = transport.get_extra_info("ssl_object") if transport is not None else None
    if not isinstance(session, ssl.SSLObject):
        return []
    if hasattr(session, "get_unverified_chain"):  # public since Python 3.13
        return list(session.get_unverified_chain())
    certificates = session._sslobj.get_unverified_chain() or ()  # type: ignore[attr-defined]  # noqa: SLF001  (there, but not public)
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in certificates]


def result_of(error: Exception) -> Result:
    """Return what a failed handshake is called in TLS reports."""
    cause = error if isinstance(error, ssl.SSLCertVerificationError) else error.__cause__
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return Result.VALIDATION
    return _CERTIFICATE.get(cause.verify_code, Result.NOT_TRUSTED)


_CERTIFICATE = {10: Result.EXPIRED, 62: Result.HOST_MISMATCH, 64: Result.HOST_MISMATCH}
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH."""
