"""The listeners: bound sockets from which sessions are made."""

import asyncio
import ssl
from typing import NamedTuple

from services.ingress.protocol.session import Session
from services.ingress.site import Premises
from shared.config.model import Listener, Mode
from shared.errors import ConfigError, SluiceError

BACKLOG = 1024


class Bound(NamedTuple):
    """A listener and where it really listens: the port is the system's choice for port 0."""

    listener: Listener
    host: str
    port: int


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of "host:port" or "[ipv6]:port"; host "" or "*" means every interface. Raise ConfigError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise ConfigError(f'ingress.listener.address: "{address}": write "host:port" or "[IPv6 address]:port"')
    return host.strip("[]").replace("*", ""), int(port)


def check_listeners(listeners: tuple[Listener, ...], tls: ssl.SSLContext | None) -> None:
    """Raise ConfigError if a listener cannot work: passwords need TLS."""
    for number, listener in enumerate(listeners):
        split_address(listener.address)
        if listener.mode is not Mode.RELAY and tls is None:
            raise ConfigError(
                f'ingress.listener[{number}] ({listener.address}): mode "{listener.mode}" needs TLS; '
                "set tls.certificate and tls.key"
            )


class Server:
    """Every listener. A connection goes by the site of the moment in which it comes."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self._listeners = premises.site.settings.listener
        self._servers: list[asyncio.Server] = []
        self.bound: list[Bound] = []

    async def start(self) -> None:
        """Listen everywhere, or nowhere: raise SluiceError naming the address that cannot be bound."""
        for number, listener in enumerate(self._listeners):
            try:
                await self._listen(number, listener)
            except (OSError, UnicodeError) as error:
                self.close()
                reason = getattr(error, "strerror", None) or error
                raise SluiceError(
                    f"ingress.listener {listener.address}: cannot listen: {reason}; "
                    "free the port, choose another, or run with the right to bind it"
                ) from error

    async def _listen(self, number: int, listener: Listener) -> None:
        host, port = split_address(listener.address)
        # Sessions do all TLS themselves: so a handshake is counted, timed and logged like whatever else clients do.
        server = await asyncio.get_running_loop().create_server(
            lambda: self._session(number), host or None, port, backlog=BACKLOG
        )
        self._servers.append(server)
        name = server.sockets[0].getsockname()
        self.bound.append(Bound(listener, name[0], name[1]))

    def _session(self, number: int) -> Session:
        site = self._premises.site
        return Session(site, site.door(number))

    def close(self) -> None:
        """Accept nothing more; open sessions go on."""
        for server in self._servers:
            server.close()
        self._servers.clear()
