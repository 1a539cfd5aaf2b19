"""Check a client against the SPF record of a domain (RFC 7208 sections 4 to 6)."""

import ipaddress
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from services.ingress.mailauth.spf_macro import Identity, expand, needs_validated_name
from services.ingress.mailauth.spf_record import BadRecord, Mechanism, Spf, parse, select
from shared.dns.port import Resolver, Status

MAX_LOOKUPS = 10
"""Terms that ask DNS, over all records of one check (section 4.6.4)."""
MAX_VOID = 2
"""Of these, how many may find nothing."""
MAX_HOSTS = 10
"""Hosts of one `mx`, and names of one `ptr`."""

_DOMAIN = re.compile(r"(?!.{254})(?:[^.]{1,63}\.)+[^.]{1,63}")


class SpfFinding(NamedTuple):
    """What a check found."""

    result: Spf
    reason: str = ""
    """Why there is no better result, for the log and the field; "" if there is nothing to say."""


class _EndError(Exception):
    """The check ends here, with temperror or permerror, however deep it is in included records."""

    def __init__(self, result: Spf, reason: str) -> None:
        super().__init__(reason)
        self.finding = SpfFinding(result, reason)


async def check_host(resolver: Resolver, identity: Identity) -> SpfFinding:
    """Return what the domain of `identity` says of the client; never raises for what DNS or a record holds."""
    try:
        return SpfFinding(await _Check(resolver, identity).evaluate(identity.domain))
    except _EndError as end:
        return end.finding


def is_domain(name: str) -> bool:
    """Tell whether a name may be checked at all: several labels, none of them empty or too long (section 4.3)."""
    return _DOMAIN.fullmatch(name) is not None


class _Check:
    """One run of check_host: the counters are for all its records together."""

    def __init__(self, resolver: Resolver, identity: Identity) -> None:
        self._resolver = resolver
        self._identity = identity
        self._lookups = 0
        self._void = 0
        self._names: list[str] | None = None

    async def evaluate(self, domain: str) -> Spf:
        """Evaluate one domain's record, and what it includes or redirects to."""
        if not is_domain(domain):
            return Spf.NONE
        answer = await self._resolver.txt(domain)
        if answer.status is Status.FAILED:
            raise _EndError(Spf.TEMPERROR, f"no answer from DNS for {domain}")
        text = select([octets.decode("latin-1") for octets in answer.records])
        if text is None:
            return Spf.NONE
        record = text if isinstance(text, BadRecord) else parse(text)
        if isinstance(record, BadRecord):
            raise _EndError(Spf.PERMERROR, f"{domain}: {record.reason}")
        for mechanism in record.mechanisms:
            if await self._matches(mechanism, domain):
                return mechanism.qualifier
        if record.redirect is None:
            return Spf.NEUTRAL
        return await self._other(record.redirect, domain)

    async def _other(self, spec: str, domain: str) -> Spf:
        """Evaluate the record that `include` or `redirect` names; there must be one."""
        self._count()
        target = await self._expanded(spec, domain)
        result = await self.evaluate(target)
        if result is Spf.NONE:
            raise _EndError(Spf.PERMERROR, f"{domain}: no SPF record at {target[:100]!a}")
        return result

    async def _matches(self, mechanism: Mechanism, domain: str) -> bool:
        if mechanism.name == "all":
            return True
        if mechanism.network is not None:
            return self._identity.client in mechanism.network
        if mechanism.name == "include":
            return await self._other(mechanism.domain or "", domain) is Spf.PASS
        self._count()
        target = domain if mechanism.domain is None else await self._expanded(mechanism.domain, domain)
        asks: dict[str, Callable[[Mechanism, str], Awaitable[bool]]] = {
            "a": self._address,
            "mx": self._mx,
            "ptr": self._ptr,
            "exists": self._exists,
        }
        return is_domain(target) and await asks[mechanism.name](mechanism, target)

    async def _exists(self, _: Mechanism, name: str) -> bool:
        return self._has_any((await self._resolver.ipv4(name)).status, name)

    async def _ptr(self, _: Mechanism, domain: str) -> bool:
        return any(_is_within(name, domain) for name in await self._validated())

    async def _address(self, mechanism: Mechanism, host: str) -> bool:
        return await self._is_in(mechanism, host, count_void=True)

    async def _is_in(self, mechanism: Mechanism, host: str, *, count_void: bool) -> bool:
        """Tell whether the client is in the network of one of the host's addresses."""
        client = self._identity.client
        v4 = client.version == 4
        answer = await (self._resolver.ipv4(host) if v4 else self._resolver.ipv6(host))
        prefix = mechanism.prefix4 if v4 else mechanism.prefix6
        if not self._has_any(answer.status, host, count_void=count_void):
            return False
        networks = (ipaddress.ip_network(f"{address}/{prefix}", strict=False) for address in answer.addresses)
        return any(client in network for network in networks)

    async def _mx(self, mechanism: Mechanism, domain: str) -> bool:
        answer = await self._resolver.mx(domain)
        if not self._has_any(answer.status, domain):
            return False
        if len(answer.records) > MAX_HOSTS:
            raise _EndError(Spf.PERMERROR, f"more than {MAX_HOSTS} MX hosts at {domain}")
        for record in sorted(answer.records):
            if record.host and await self._is_in(mechanism, record.host, count_void=False):
                return True
        return False

    async def _validated(self) -> list[str]:
        """Return the client's names that lead back to its address (section 5.5); DNS trouble means there are none."""
        if self._names is None:
            client = self._identity.client
            answer = await self._resolver.ptr(str(client))
            self._names = []
            for name in answer.names[:MAX_HOSTS]:
                back = await (self._resolver.ipv4(name) if client.version == 4 else self._resolver.ipv6(name))
                if any(ipaddress.ip_address(address) == client for address in back.addresses):
                    self._names.append(name.lower().removesuffix("."))
        return self._names

    async def _expanded(self, spec: str, domain: str) -> str:
        name = "unknown"
        if needs_validated_name(spec):
            if self._names is None:
                self._count()
            names = await self._validated()
            name = min(names, key=lambda name: (name != domain, not _is_within(name, domain)), default=name)
        return expand(spec, self._identity, domain, name)

    def _count(self) -> None:
        self._lookups += 1
        if self._lookups > MAX_LOOKUPS:
            raise _EndError(Spf.PERMERROR, f"more than {MAX_LOOKUPS} terms that ask DNS")

    def _has_any(self, status: Status, name: str, *, count_void: bool = True) -> bool:
        """Tell whether a question found something, and count those that did not."""
        if status is Status.FAILED:
            raise _EndError(Spf.TEMPERROR, f"no answer from DNS for {name}")
        if status is not Status.FOUND and count_void:
            self._void += 1
            if self._void > MAX_VOID:
                raise _EndError(Spf.PERMERROR, f"more than {MAX_VOID} terms find nothing in DNS")
        return status is Status.FOUND


def _is_within(name: str, domain: str) -> bool:
    domain = domain.lower()
    return name == domain or name.endswith(f".{domain}")
