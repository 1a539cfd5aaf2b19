"""The server's TLS context, made from the [tls] table."""

import ssl
from pathlib import Path

from shared.config.model import Ingress, Tls
from shared.errors import ConfigError

HANDSHAKE_SECONDS = 30.0


def handshake_seconds(settings: Ingress) -> float:
    """Return how long a handshake may take; a session's own time-outs look after what comes before and after it."""
    return min(HANDSHAKE_SECONDS, settings.command_timeout)


def server_context(tls: Tls, *, ask_clients: bool) -> ssl.SSLContext | None:
    """Return a context for TLS 1.2 and later, or None if no certificate is configured. Raise ConfigError.

    With `ask_clients` and `tls.client_ca`, clients are asked for a certificate and may have none. One that has expired
    or is not of that authority fails the handshake: OpenSSL, as Python drives it, knows no middle way. Mail servers
    often show a certificate of their own to whoever asks, so the relay's port must not ask.
    """
    if tls.certificate is None:
        if tls.key is not None:
            raise ConfigError("tls.key: there is a key and no certificate; set tls.certificate too")
        if tls.client_ca is not None:
            raise ConfigError("tls.client_ca: has no effect without our own certificate; set tls.certificate too")
        return None
    for key, file in (("tls.certificate", tls.certificate), ("tls.key", tls.key)):
        if file is not None:
            _check_readable(key, Path(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ConfigError(
            f"tls.certificate: {tls.certificate} with tls.key {tls.key or '(in the same file)'}: "
            f"not a usable pair of PEM certificate and key: {error}"
        ) from error
    if ask_clients and tls.client_ca is not None:
        _ask_clients(context, tls.client_ca)
    return context


def _ask_clients(context: ssl.SSLContext, authorities: str) -> None:
    read_authorities(context, "tls.client_ca", authorities)
    context.verify_mode = ssl.CERT_OPTIONAL


def read_authorities(context: ssl.SSLContext, key: str, file: str) -> int:
    """Trust the authorities in a file; return how many there are in all. Raise ConfigError if there are none."""
    _check_readable(key, Path(file))
    try:
        context.load_verify_locations(file)
    except (ssl.SSLError, OSError) as error:
        reason = f"{key}: {file}: no PEM certificates in it: {error}; name a file of authorities"
        raise ConfigError(reason) from error
    found = context.cert_store_stats()["x509_ca"]
    if not found:
        raise ConfigError(f"{key}: {file}: no certificate in it is an authority's; name a file of authorities")
    return found


def _check_readable(key: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ConfigError(f"{key}: cannot read {path}: {error.strerror}; name a readable PEM file") from error


def _no_password() -> str:
    """Refuse an encrypted key, for which OpenSSL would ask on the terminal."""
    raise ValueError("the key is protected by a password; store it without one")
