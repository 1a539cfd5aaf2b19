"""The one home of dnspython: it implements port.Resolver over UDP with TCP fallback, EDNS, and a bounded cache."""

import asyncio
import ipaddress
import re
from collections.abc import Sequence
from typing import NamedTuple

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.TXT
import dns.resolver
import dns.reversename

from shared.dns.port import AddressAnswer, Mx, MxAnswer, PtrAnswer, Status, TxtAnswer
from shared.errors import ConfigError

EDNS_PAYLOAD = 1232
"""Octets that pass every path unfragmented (DNS flag day 2020)."""
CACHE_ENTRIES = 10_000
TRY_SECONDS = 2.0
"""For one question to one name server; then the next one is asked."""
LIFETIME_SECONDS = 10.0
"""For one question over all servers and tries."""

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
"""What we ask for: A-labels, and underscores, which hosts in the field have. Anything else names nothing."""


_SERVER = re.compile(
    r"\[(?P<v6>[^]]+)](?::(?P<p6>\d+))?|(?P<v4>[0-9.]+)(?::(?P<p4>\d+))?|(?P<bare>[0-9A-Fa-f:]+)",
)


class _Found(NamedTuple):
    """The answer to one question, records in dnspython's own form."""

    status: Status
    records: tuple[object, ...] = ()
    detail: str = ""


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


def classify(error: type[dns.exception.DNSException]) -> Status:
    """Tell an answer that will stay from one that may change (BROKER.md 34); what is unknown is temporary."""
    if issubclass(error, dns.resolver.NXDOMAIN):
        return Status.NO_NAME
    if issubclass(error, dns.resolver.NoAnswer):
        return Status.NO_DATA
    return Status.FAILED


def combine(v6: AddressAnswer, v4: AddressAnswer) -> AddressAnswer:
    """Merge the answers to AAAA and A: what was found counts, else a failure, else what is known to be absent."""
    addresses = (*v6.addresses, *v4.addresses)
    if addresses:
        return AddressAnswer(Status.FOUND, addresses)
    for status in (Status.FAILED, Status.NO_DATA, Status.NO_NAME):
        for answer in (v4, v6):
            if answer.status is status:
                return answer
    return AddressAnswer(Status.NO_DATA)


class DnsResolver:
    """Implements port.Resolver; one per process, used from one event loop."""

    def __init__(self, nameservers: Sequence[str] = (), *, lifetime: float = LIFETIME_SECONDS) -> None:
        servers = [parse_nameserver(text) for text in nameservers]
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration as error:
            raise ConfigError("nameservers: empty, and the system has no /etc/resolv.conf: set it") from error
        if servers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in servers]
        self._resolver.use_edns(0, dns.flags.DO, EDNS_PAYLOAD)
        self._resolver.cache = dns.resolver.LRUCache(CACHE_ENTRIES)
        self._resolver.timeout = min(TRY_SECONDS, lifetime)
        self._resolver.lifetime = lifetime
        self._in_flight: dict[tuple[str, str], asyncio.Task[_Found]] = {}

    async def mx(self, domain: str) -> MxAnswer:
        """Ask for the MX records of an A-label domain."""
        found = await self._ask(domain, "MX")
        records = tuple(
            Mx(record.preference, _host(record.exchange))
            for record in found.records
            if isinstance(record, dns.rdtypes.ANY.MX.MX)
        )
        return MxAnswer(found.status, records, found.detail)

    async def addresses(self, host: str) -> AddressAnswer:
        """Ask for AAAA and A records of a host."""
        v6, v4 = await asyncio.gather(self._ask(host, "AAAA"), self._ask(host, "A"))
        return combine(_addresses(v6), _addresses(v4))

    async def ipv4(self, host: str) -> AddressAnswer:
        """Ask for A records alone."""
        return _addresses(await self._ask(host, "A"))

    async def ipv6(self, host: str) -> AddressAnswer:
        """Ask for AAAA records alone."""
        return _addresses(await self._ask(host, "AAAA"))

    async def txt(self, name: str) -> TxtAnswer:
        """Ask for TXT records."""
        found = await self._ask(name, "TXT")
        records = tuple(
            b"".join(record.strings) for record in found.records if isinstance(record, dns.rdtypes.ANY.TXT.TXT)
        )
        return TxtAnswer(found.status, records, found.detail)

    async def ptr(self, address: str) -> PtrAnswer:
        """Ask which names an IPv4 or IPv6 address has; what is no address has none."""
        try:
            question = dns.reversename.from_address(address).to_text(omit_final_dot=True)
        except (dns.exception.SyntaxError, ValueError):
            return PtrAnswer(Status.NO_NAME, detail=f"{address!a} is not an IP address")
        found = await self._ask(question, "PTR")
        names = tuple(_host(record.target) for record in found.records if isinstance(record, dns.rdtypes.ANY.PTR.PTR))
        return PtrAnswer(found.status, names, found.detail)

    async def _ask(self, name: str, kind: str) -> _Found:
        """Join the question if it is being asked already: a burst of mail to one domain is one look-up."""
        key = (name.lower().removesuffix("."), kind)
        task = self._in_flight.get(key)
        if task is None:
            task = self._in_flight[key] = asyncio.create_task(self._resolve(*key))
            task.add_done_callback(lambda _: self._in_flight.pop(key, None))
        return await asyncio.shield(task)  # one asker's cancellation is not the others'

    async def _resolve(self, name: str, kind: str) -> _Found:
        if not _NAME.fullmatch(name):
            return _Found(Status.NO_NAME, detail=f"{name!a} is not a domain name")
        try:
            answer = await self._resolver.resolve(dns.name.from_text(name), kind, search=False)
        except dns.exception.DNSException as error:
            if isinstance(error, (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel)):
                return _Found(Status.NO_NAME, detail=f"{name} is not a domain name")
            return _Found(classify(type(error)), detail=f"{kind} of {name}: {type(error).__name__}: {error}"[:300])
        except OSError as error:
            return _Found(Status.FAILED, detail=f"{kind} of {name}: {error}")
        return _Found(Status.FOUND, tuple(answer))


def _host(name: dns.name.Name) -> str:
    """Return a name in lower case without the trailing dot; the root is ""."""
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")


def _addresses(found: _Found) -> AddressAnswer:
    return AddressAnswer(found.status, tuple(str(record) for record in found.records), found.detail)
