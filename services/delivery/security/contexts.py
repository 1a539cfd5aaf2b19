"""TLS contexts of outgoing sessions, made once each from the routes."""

import ssl

from services.delivery.routing.route import NextHop, Routes, Tls
from shared.errors import ConfigError


class Contexts:
    """The context of each policy, and of each file of authorities that a route names."""

    def __init__(self, routes: Routes) -> None:
        """Read every file now: a bad one stops the process or the reload, not a message. Raise ConfigError.

        Also those of routes that do not verify: a message that requires TLS does, whatever its route says (RFC 8689).
        """
        hops = [hop for table in (routes.hosted, routes.static) for hops in table.values() for hop in hops]
        named = {hop.ca for hop in hops if isinstance(hop, NextHop)}
        self._verifying = {ca: context(Tls.VERIFY, ca) for ca in named | {None}}
        self._any = context(Tls.MAY, None)

    def of(self, tls: Tls, ca: str | None) -> ssl.SSLContext:
        """Return the context for a policy; `ca` is one of the routes' or None, the system's."""
        return self._verifying[ca] if tls is Tls.VERIFY else self._any


def context(tls: Tls, ca: str | None) -> ssl.SSLContext:
    """Return the client context for a policy. Raise ConfigError if the authorities cannot be read.

    Only VERIFY looks at certificates: where TLS is opportunistic any encryption is better than none (RFC 7435).
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls is not Tls.VERIFY:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        return made
    try:
        if ca is None:
            made.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            made.load_verify_locations(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f'delivery.route: cannot read the certificate authorities "{ca}": {error}') from error
    return made
