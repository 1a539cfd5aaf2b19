"""TLS contexts of outgoing sessions, made once each."""

import ssl
from functools import lru_cache

from services.delivery.route import Tls
from shared.errors import ConfigError


@lru_cache(maxsize=64)
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
