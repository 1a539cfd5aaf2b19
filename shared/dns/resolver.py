"""The one home of dnspython: it implements port.Resolver over UDP with TCP fallback, EDNS, and a bounded cache."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.resolver
import dns.reversename

from shared.dns import records
from shared.dns.cache import Cache
from shared.dns.failures import reason
from shared.dns.nameservers import Nameserver, in_order, parse_nameserver, vouches
from shared.dns.port import AddressAnswer, Mx, MxAnswer, PtrAnswer, Status, Tlsa, TlsaAnswer, TxtAnswer
from shared.dns.records import Found
from shared.errors import ConfigError
from shared.smtp.address import BadAddress, parse_domain

EDNS_PAYLOAD = 1232
"""Octets that pass every path unfragmented (DNS flag day 2020)."""
CACHE_OCTETS, HOSTS_OCTETS = 24 * 1024 * 1024, 8 * 1024 * 1024
LIFETIME_SECONDS = 10.0
"""For one question over all servers and tries."""
TRIES = 5
"""The part of it that one name server has for one try; then the next one is asked."""
MAX_QUESTIONS = 500
"""At a time; each has a socket of its own, and a hostile zone may make a dozen of one message."""
FAILURE_SECONDS = 10.0
"""How long a failure is an answer (RFC 9520 section 3.2: 1 s at least, 5 min at most)."""

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
"""What we ask for: A-labels, and underscores, which hosts in the field have. Anything else names nothing."""
_BAD_NAMES = (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel)


class DnsResolver:
    """Implements port.Resolver; one per process, used from one event loop.

    `dnssec` says which name servers are believed that they validate: "loopback" (those on this machine), "always" or
    "never". `clock` measures how long answers hold.
    """

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        *,
        lifetime: float = LIFETIME_SECONDS,
        dnssec: str = "loopback",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        servers = [parse_nameserver(text) for text in nameservers] or _system_servers()
        self._servers = [Nameserver(address, port, clock) for address, port in servers]
        self._validating = [server for server in self._servers if vouches(server.address, dnssec)]
        self._asking = _dnspython(self._servers, lifetime)
        self._asking_validating = _dnspython(self._validating, lifetime)
        self._clock = clock
        self._cache: Cache[Found] = Cache(CACHE_OCTETS)
        self._hosts: Cache[AddressAnswer] = Cache(HOSTS_OCTETS)
        """Both families together: what is asked for with each message costs one look."""
        self._turns = asyncio.Semaphore(MAX_QUESTIONS)
        self._in_flight: dict[tuple[str, str], asyncio.Task[Found]] = {}

    async def mx(self, domain: str) -> MxAnswer:
        """Ask for the MX records of a domain."""
        found = await self._ask(domain, "MX")
        hosts = tuple(record for record in found.records if isinstance(record, Mx))
        return MxAnswer(found.status, hosts, found.detail, found.secure)

    async def addresses(self, host: str) -> AddressAnswer:
        """Ask for AAAA and A records of a host."""
        name = _key(host)
        known = self._hosts.get(name, self._clock())
        return await self._ask_both(name) if known is None else known

    async def all_addresses(self, hosts: Sequence[str]) -> list[AddressAnswer]:
        """Ask for the addresses of several hosts at the same time."""
        now = self._clock()
        known = [self._hosts.get(_key(host), now) for host in hosts]
        if None not in known:  # without the tasks that asking at the same time takes
            return [answer for answer in known if answer is not None]
        return await asyncio.gather(*(self.addresses(host) for host in hosts))

    async def ipv4(self, host: str) -> AddressAnswer:
        """Ask for A records alone."""
        return records.addresses(await self._ask(host, "A"))

    async def ipv6(self, host: str) -> AddressAnswer:
        """Ask for AAAA records alone."""
        return records.addresses(await self._ask(host, "AAAA"))

    async def txt(self, name: str) -> TxtAnswer:
        """Ask for TXT records."""
        found = await self._ask(name, "TXT")
        texts = tuple(record for record in found.records if isinstance(record, bytes))
        return TxtAnswer(found.status, texts, found.detail)

    async def tlsa(self, port: int, host: str) -> TlsaAnswer:
        """Ask a validating resolver for the TLSA records of a TCP port; without one there are none."""
        if not self._validating:
            return TlsaAnswer(Status.NO_DATA, detail="no name server is trusted to validate")
        found = await self._ask(f"_{port}._tcp.{_key(host)}", "TLSA")
        tlsas = tuple(record for record in found.records if isinstance(record, Tlsa))
        return TlsaAnswer(found.status, tlsas, found.detail, found.secure)

    async def validates(self) -> bool:
        """Tell whether a name server that is believed to validate does so: the root zone is signed."""
        try:
            return bool(self._validating) and (await self._query(dns.name.root, "TLSA")).secure
        except (dns.exception.DNSException, OSError):
            return False

    async def ptr(self, address: str) -> PtrAnswer:
        """Ask which names an IPv4 or IPv6 address has; what is no address has none."""
        try:
            question = dns.reversename.from_address(address).to_text(omit_final_dot=True)
        except (dns.exception.SyntaxError, ValueError):
            return PtrAnswer(Status.NO_NAME, detail=f"{address!a} is not an IP address")
        found = await self._ask(question, "PTR")
        names = tuple(record for record in found.records if isinstance(record, str))
        return PtrAnswer(found.status, names, found.detail)

    async def _ask_both(self, name: str) -> AddressAnswer:
        v6, v4 = await asyncio.gather(self._ask(name, "AAAA"), self._ask(name, "A"))
        answer = records.combine(records.addresses(v6), records.addresses(v4))
        until = min(v6.until, v4.until)
        if answer.status is Status.FOUND and self._validating:
            canonical, alias_secure = (v6 if v6.records else v4).canonical, False
            if (
                not answer.secure and canonical != name
            ):  # it may still be a host of a signed zone (RFC 7672 section 2.1.3)
                alias = await self._ask(name, "CNAME")
                alias_secure, until = alias.secure, min(until, alias.until)
            bases = records.bases(name, canonical, secure=answer.secure, alias_secure=alias_secure)
            answer = answer._replace(bases=bases)
        if until > self._clock():
            self._hosts.put(name, answer, until, v6.weight + v4.weight)
        return answer

    async def _ask(self, name: str, kind: str) -> Found:
        """Join the question if it is being asked already: a burst of mail to one domain is one look-up."""
        key = (_key(name), kind)
        known = self._cache.get(key, self._clock())
        if known is not None:
            return known
        task = self._in_flight.get(key)
        if task is None:
            task = self._in_flight[key] = asyncio.create_task(self._resolve(*key))
            task.add_done_callback(lambda _: self._in_flight.pop(key, None))
        return await asyncio.shield(task)  # one asker's cancellation is not the others'

    async def _resolve(self, name: str, kind: str) -> Found:
        found = await self._look_up(name, kind)
        if found.until > self._clock():
            self._cache.put((name, kind), found, found.until, found.weight)
        return found

    async def _look_up(self, name: str, kind: str) -> Found:
        if not _NAME.fullmatch(name):
            return Found(Status.NO_NAME, detail=f"{name!a} is not a domain name")
        try:
            async with self._turns:
                return await self._query(dns.name.from_text(name), kind)
        except _BAD_NAMES:
            return Found(Status.NO_NAME, detail=f"{name} is not a domain name")
        except (dns.exception.DNSException, OSError) as error:
            return Found(
                Status.FAILED, detail=f"{kind} of {name}: {reason(error)}", until=self._clock() + FAILURE_SECONDS
            )

    async def _query(self, name: dns.name.Name, kind: str) -> Found:
        if kind == "TLSA":  # whether there are any is for nobody to say who cannot prove it: a denial switches DANE off
            resolver, servers = self._asking_validating, self._validating
        else:
            resolver, servers = self._asking, self._servers
        resolver.nameservers = in_order(servers, self._validating)
        try:
            answer = await resolver.resolve(name, kind, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as error:
            return records.read(error.response(name), kind, self._clock(), trusted=False)  # type: ignore[no-untyped-call]
        trusted = any(server.address == answer.nameserver for server in self._validating)
        return records.read(answer.response, kind, self._clock(), trusted=trusted)


def _dnspython(servers: Sequence[Nameserver], lifetime: float) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = list(servers)
    resolver.use_edns(0, dns.flags.DO, EDNS_PAYLOAD)
    resolver.timeout = lifetime / TRIES
    resolver.lifetime = lifetime
    return resolver


def _system_servers() -> list[tuple[str, int]]:
    try:
        system = dns.asyncresolver.Resolver()
    except dns.resolver.NoResolverConfiguration as error:
        raise ConfigError("nameservers: empty, and the system has no /etc/resolv.conf: set it") from error
    return [(str(server), system.port) for server in system.nameservers]


def _key(name: str) -> str:
    """Return a name as it is asked for: lower case, A-labels, no trailing dot."""
    if not name.isascii():
        domain = parse_domain(name)
        return name if isinstance(domain, BadAddress) else domain
    return name.lower().removesuffix(".")
