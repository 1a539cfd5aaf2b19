"""The server's TLS context, made from the [tls] table."""

import ssl
from pathlib import Path

from shared.config.model import Tls
from shared.errors import ConfigError


def server_context(tls: Tls) -> ssl.SSLContext | None:
    """Return a context for TLS 1.2 and later, or None if no certificate is configured. Raise ConfigError."""
    if tls.certificate is None:
        if tls.key is not None:
            raise ConfigError("tls.key: there is a key and no certificate; set tls.certificate too")
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
    return context


def _check_readable(key: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ConfigError(f"{key}: cannot read {path}: {error.strerror}; name a readable PEM file") from error


def _no_password() -> str:
    """Refuse an encrypted key, for which OpenSSL would ask on the terminal."""
    raise ValueError("the key is protected by a password; store it without one")
