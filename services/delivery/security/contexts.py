"""TLS contexts of outgoing sessions, made once each from the routes."""

import ssl
from typing import NamedTuple

from services.delivery.routing.route import NextHop, Routes
from shared.config.tls_policy import Tls
from shared.errors import ConfigError


class Files(NamedTuple):
    """The files of a context."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


class Contexts:
    """The contexts of each set of files that routes name: that verify, that do not, and that do with little."""

    def __init__(self, routes: Routes, ca: str | None = None) -> None:
        """Read every file now: a bad one stops the process or the reload, not a message. Raise ConfigError.

        Also those of routes that do not verify: a message that requires TLS does, whatever its route says (RFC 8689).
        `ca` stands for the system's authorities.
        """
        hops = [hop for table in (routes.hosted, routes.static) for hops in table.values() for hop in hops]
        named = {_files(hop) for hop in hops if isinstance(hop, NextHop)}
        self._verifying = {files: verifying(files._replace(ca=files.ca or ca)) for files in named | {Files()}}
        self._unverifying = {files: _unverifying(files) for files in named | {Files()}}
        self._lenient = {files: _lenient(files) for files in named | {Files()}}

    def of(self, tls: Tls, hop: NextHop) -> ssl.SSLContext:
        """Return the context for sessions with a host.

        Only VERIFY has OpenSSL look at certificates: DANE and fingerprints are compared afterwards (see peer), and
        where it does not matter who the server is any encryption is better than none (RFC 7435).
        """
        if tls is Tls.VERIFY:
            return self._verifying[_files(hop)]
        return (self._unverifying if tls.authenticates else self._lenient)[_files(hop)]


def _files(hop: NextHop) -> Files:
    return Files(hop.ca, hop.certificate, hop.key)


def verifying(files: Files) -> ssl.SSLContext:
    """Return a client context that verifies certificates and their names. Raise ConfigError for an unreadable file."""
    made = _context(files)
    try:
        if files.ca is None:
            made.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            made.load_verify_locations(cafile=files.ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f'delivery: cannot read the certificate authorities "{files.ca}": {error}') from error
    return made


def _unverifying(files: Files) -> ssl.SSLContext:
    made = _context(files)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def _lenient(files: Files) -> ssl.SSLContext:
    """Return a context for old servers, too: short keys and ciphers that Python leaves out beat clear text."""
    made = _unverifying(files)
    made.set_ciphers("DEFAULT:!PSK:!SRP:@SECLEVEL=0")
    return made


def _context(files: Files) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    try:
        if files.certificate is not None:
            made.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ConfigError(f'delivery.route: cannot use the certificate "{files.certificate}": {error}') from error
    return made


def _no_password() -> str:
    """Keep OpenSSL from asking on the terminal."""
    raise ValueError("the key is encrypted: write it without a password")
