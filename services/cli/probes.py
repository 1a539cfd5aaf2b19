"""What `sluice check` tries out: files, DNS, broker, clamd. Each probe returns findings and raises nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

from services.cli import tls
from services.cli.common import extra, operating
from services.screener.antivirus.answer import State, Unavailable
from services.screener.antivirus.clamd import Clamd
from shared.broker.adapters import is_embedded, shown_url
from shared.broker.sqlite.url import path_of
from shared.config.findings import Problem, Severity
from shared.config.model import Config, Hosted
from shared.config.next_hop import host_of
from shared.dns.port import Resolver, Status
from shared.errors import SluiceError

_CLAMD_PATIENCE = 10.0
"""Seconds; it scans some megabytes of zeros in less than one."""

Probe = Callable[[Config], Awaitable[list[Problem]]]


async def certificates(config: Config) -> list[Problem]:
    """Load certificate and key."""
    if config.tls.certificate is None:
        return [Problem(Severity.OK, "tls", "not configured: clients cannot use TLS or authenticate")]
    return tls.problems(config.tls.certificate, config.tls.key or config.tls.certificate, time.time())


async def files(config: Config) -> list[Problem]:
    """Read every other file that ingress would read, as it does."""
    try:
        with extra("ingress"):
            from services.cli.readers import readers
    except SluiceError as error:
        return [Problem(Severity.WARNING, "files", f"not tried: {error}")]
    return [_read(key, reader) for key, reader in readers(config)]


def _read(key: str, reader: Callable[[], int]) -> Problem:
    try:
        count = reader()
    except SluiceError as error:
        reason, _, remedy = str(error).removeprefix(f"{key}: ").rpartition("; ")
        return Problem(Severity.ERROR, key, reason or remedy, remedy if reason else "")
    if not count and key == "auth.users_file":
        return Problem(Severity.WARNING, key, "no users", "add one: sluice user add NAME")
    return Problem(Severity.OK, key, f"{count} entries")


async def names(config: Config) -> list[Problem]:
    """Ask the configured name servers for our own name and for each next hop."""
    try:
        with extra("delivery"):
            from shared.dns.resolver import DnsResolver
        resolver = DnsResolver(config.delivery.nameservers, dnssec=config.delivery.dnssec)
    except SluiceError as error:
        return [Problem(Severity.WARNING, "delivery.nameservers", f"not tried: {error}")]
    answer = await resolver.mx(config.hostname)
    if answer.status is Status.FAILED:
        remedy = "set delivery.nameservers to servers that answer"
        return [Problem(Severity.ERROR, "delivery.nameservers", f"no answer: {answer.detail}", remedy)]
    found = [Problem(Severity.OK, "delivery.nameservers", f'asked for "{config.hostname}": {answer.status}')]
    found.append(_dnssec(config.delivery.dnssec, validates=await resolver.validates()))
    return found + [await _resolves(resolver, key, host) for key, host in _hosts(config)]


def _dnssec(setting: str, *, validates: bool) -> Problem:
    key = "delivery.dnssec"
    if validates:
        return Problem(
            Severity.OK, key, "a name server validates: DANE protects mail to domains that publish TLSA records"
        )
    if setting != "always":
        return Problem(Severity.OK, key, f'"{setting}": nobody is believed to validate, and DANE protects no mail')
    remedy = "run a resolver that validates, such as unbound, on this machine and name it in delivery.nameservers"
    return Problem(Severity.WARNING, key, "the name servers do not validate: DANE protects no mail", remedy)


def _hosts(config: Config) -> Iterator[tuple[str, str]]:
    for domain, entry in config.relay.hosted.items():
        hops = entry.next_hop if isinstance(entry, Hosted) else (entry,) if isinstance(entry, str) else entry
        for hop in filter(None, map(host_of, hops)):
            yield f'relay.hosted."{domain}"', hop.host


async def _resolves(resolver: Resolver, key: str, host: str) -> Problem:
    if host.replace(".", "").isdecimal() or ":" in host:
        return Problem(Severity.OK, key, host)
    answer = await resolver.addresses(host)
    if answer.status is not Status.FOUND:
        reason = f'next hop "{host}" has no address: {answer.status} {answer.detail}'.strip()
        return Problem(Severity.ERROR, key, reason, "correct the name, or add it to DNS")
    return Problem(Severity.OK, key, f"{host} is {', '.join(answer.addresses)}")


async def sending(config: Config) -> list[Problem]:
    """Try what delivery's connections and mail go out with."""
    try:
        with extra("delivery"):
            from services.cli import sending as ours
            from shared.dns.resolver import DnsResolver
        resolver = DnsResolver(config.delivery.nameservers)
    except SluiceError as error:
        return [Problem(Severity.WARNING, "delivery", f"not tried: {error}")]
    found = [*ours.sources(config), *await ours.names(config, resolver)]
    return [*found, *ours.tls_files(config), *await ours.signing(config, resolver)]


async def lists(config: Config) -> list[Problem]:
    """Ask each list of client addresses for the entries that tell whether it works (RFC 5782 section 5)."""
    dnsbl = config.ingress.dnsbl
    try:
        with extra("ingress"):
            from services.ingress.policy.dnsbl import ENTRY, NOBODY, DnsList
            from shared.dns.resolver import DnsResolver
        resolver = DnsResolver(config.ingress.nameservers)
    except SluiceError as error:
        return [Problem(Severity.WARNING, "ingress.dnsbl", f"not tried: {error}")]
    found = []
    for key, texts in (("zones", dnsbl.zones), ("allow_zones", dnsbl.allow_zones)):
        for one in map(DnsList.parse, texts):
            entry, nobody = await asyncio.gather(
                *(resolver.ipv4(one.question(IPv4Address(text))) for text in (ENTRY, NOBODY))
            )
            found.append(_list(f"ingress.dnsbl.{key}", one.zone, one.fault(entry, nobody)))
    return found


def _list(key: str, zone: str, fault: str | None) -> Problem:
    if fault is None:
        return Problem(Severity.OK, key, f"{zone} works")
    remedy = "remove it, or set ingress.nameservers to a resolver that it serves"
    return Problem(Severity.WARNING, key, f"{zone} {fault}", remedy)


async def broker(config: Config) -> list[Problem]:
    """Connect to the broker."""
    url = shown_url(config)
    if is_embedded(config):
        path = path_of(config.broker)
        if not await asyncio.to_thread(path.exists):
            return [_new_file(path)]
    try:
        async with operating(config):
            return [Problem(Severity.OK, "broker", f"{url} answers")]
    except (SluiceError, OSError) as error:
        return [Problem(Severity.ERROR, "broker", f"{url}: {error}", "start it, or correct the URL or the password")]


def _new_file(path: Path) -> Problem:
    if path.parent.is_dir():
        return Problem(Severity.OK, "broker", f"{path} will be made by the first start")
    remedy = "create it, or write an absolute path with four slashes: sqlite:////var/lib/sluice/queue.db"
    return Problem(Severity.ERROR, "broker", f"the folder {path.parent.absolute()} does not exist", remedy)


async def antivirus(config: Config) -> list[Problem]:
    """Have clamd scan as much as the screener trusts it to look at in one file."""
    key, url = "screener.antivirus", config.screener.antivirus
    if url is None:
        return []
    clamd = Clamd(url, _CLAMD_PATIENCE, 1)
    try:
        answer = await clamd.scan([b"sluice check", bytes(config.screener.antivirus_max_file)])
    except Unavailable as error:
        return [Problem(Severity.ERROR, key, f"{error}; mail would wait", "start clamd, or correct its address")]
    finally:
        await clamd.close()
    if answer.state is State.UNSCANNABLE:
        reason = f"{url} does not scan a file of {config.screener.antivirus_max_file} octets: {answer.name}"
        remedy = "set it to clamd.conf's MaxFileSize, and StreamMaxLength and MaxScanSize there to no less"
        return [Problem(Severity.WARNING, "screener.antivirus_max_file", reason, remedy)]
    return [Problem(Severity.OK, key, f"{url} scans")]


PROBES: tuple[Probe, ...] = (certificates, files, names, sending, lists, broker, antivirus)
