"""Looking at our certificate as a client of ours will, without a network."""

import contextlib
import ssl
from pathlib import Path
from typing import Any

from shared.config.findings import Problem, Severity

EXPIRES_SOON = 14 * 86400
"""Seconds before the end of a certificate's life from which it is worth a warning."""


def problems(certificate: str, key: str, now: float) -> list[Problem]:
    """Return what is wrong with a certificate and its key, or one finding that they are good."""
    for name, path in (("tls.certificate", certificate), ("tls.key", key)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            remedy = "name a PEM file that this user may read"
            return [Problem(Severity.ERROR, name, f'cannot read "{path}": {error.strerror}', remedy)]
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password=lambda: "")
        until = ssl.cert_time_to_seconds(_own_certificate(context, certificate)["notAfter"])
    except ssl.SSLError as error:
        return [Problem(Severity.ERROR, "tls.certificate", _reason(error), "give a PEM certificate and its own key")]
    return [_expiry(until - now)]


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if error.reason == "KEY_VALUES_MISMATCH":
        return "tls.key is not the key of this certificate"
    return f"certificate or key cannot be used: {error.reason or error}"


def _expiry(left: float) -> Problem:
    days = f"{left / 86400:.0f} days"
    if left < EXPIRES_SOON:
        return Problem(Severity.WARNING, "tls.certificate", f"ends in {days}", "renew it")
    return Problem(Severity.OK, "tls.certificate", f"fits its key, ends in {days}")


def _own_certificate(context: ssl.SSLContext, certificate: str) -> dict[str, Any]:
    """Shake hands with ourselves in memory; raise SSLError, for an expired certificate say."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return dict(client.getpeercert() or {})
