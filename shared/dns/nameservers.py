"""The name servers of the configuration: which of them to ask first, and whose word about DNSSEC counts."""

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Any

import dns.exception
import dns.message
import dns.nameserver

from shared.dns.exchange import over_tcp, over_udp
from shared.errors import ConfigError

QUIET_TRIES = 3
"""Tries in a row that a server leaves unanswered before others are asked first."""
QUIET_SECONDS = 60.0
"""For so long; each question to a dead server costs the whole time-out of a try."""
DOCKER = ipaddress.ip_address("127.0.0.11")
"""The resolver that Docker gives a container: on loopback, but it hands on whatever a server elsewhere says."""

_SERVER = re.compile(
    r"\[(?P<v6>[^]]+)](?::(?P<p6>\d+))?|(?P<v4>[0-9.]+)(?::(?P<p4>\d+))?|(?P<bare>[0-9A-Fa-f:]+)",
)


class Nameserver(dns.nameserver.Do53Nameserver):
    """One server; it remembers how many tries in a row it left unanswered."""

    def __init__(self, address: str, port: int, clock: Callable[[], float]) -> None:
        super().__init__(address, port)
        self._clock = clock
        self._unanswered = 0
        self._since = 0.0

    @property
    def is_quiet(self) -> bool:
        """True while others are to be asked first."""
        return self._unanswered >= QUIET_TRIES and self._clock() - self._since < QUIET_SECONDS

    async def async_query(self, *args: Any, **kwargs: Any) -> dns.message.Message:
        """Ask it, as dnspython's resolver does, and remember whether it answered."""
        exchange = over_tcp if kwargs["max_size"] else over_udp
        try:
            answer = await exchange(args[0], self.address, self.port, kwargs["timeout"])
        except (dns.exception.Timeout, OSError):
            self._unanswered += 1
            self._since = self._clock()
            raise
        except dns.exception.DNSException:  # a truncated answer is an answer, and so is garbage
            self._unanswered = 0
            raise
        self._unanswered = 0
        return answer


def in_order(servers: Sequence[Nameserver], validating: Sequence[Nameserver]) -> list[Nameserver]:
    """Return the servers in the order in which to ask: as configured, those that have been quiet last.

    Where only some of them are trusted to validate the order stays: whose own zone is slow must not lead us elsewhere.
    """
    if 0 < len(validating) < len(servers):
        return list(servers)
    return sorted(servers, key=lambda server: server.is_quiet)


def vouches(address: str, dnssec: str) -> bool:
    """Tell whether to believe a name server that says that an answer was validated.

    "loopback": if it is on this machine, since anybody on the way could say so (RFC 7672 section 2.1.1).
    """
    if dnssec != "loopback":
        return dnssec == "always"
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return parsed.is_loopback and parsed != DOCKER


def parse_nameserver(text: str) -> tuple[str, int]:
    """Split "address:port", "[address]:port" or an address alone (port 53). Raise ConfigError otherwise."""
    match = _SERVER.fullmatch(text)
    try:
        address = ipaddress.ip_address((match["v6"] or match["v4"] or match["bare"]) if match else text)
    except ValueError as error:
        raise _no_nameserver(text, str(error)) from error
    port = int((match["p6"] or match["p4"] or 53) if match else 53)
    if not 0 < port < 65536:
        raise _no_nameserver(text, "no such port")
    return str(address), port


def _no_nameserver(text: str, why: str) -> ConfigError:
    return ConfigError(
        f'nameservers: "{text}" is not a name server ({why}): write "192.0.2.1", "192.0.2.1:53" or "[2001:db8::1]:53"'
    )
