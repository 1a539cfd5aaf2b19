"""The relay rules of the configuration, compiled: domains, patterns, networks and recipient lists as values."""

import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from shared.config.model import Hosted, Relay
from shared.errors import ConfigError
from shared.smtp.address import BadAddress, Mailbox, parse_domain, parse_mailbox

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Patterns(NamedTuple):
    """Mailboxes and domains on a list. All keys are canonical; local parts in lower case."""

    domains: frozenset[str] = frozenset()
    """Exactly these."""
    parents: frozenset[str] = frozenset()
    """Any subdomain of these."""
    mailboxes: frozenset[tuple[str, str]] = frozenset()
    everything: bool = False

    def matches(self, mailbox: Mailbox) -> bool:
        """Return whether the mailbox is on the list."""
        return (
            self.everything
            or mailbox.domain in self.domains
            or (mailbox.local.lower(), mailbox.domain) in self.mailboxes
            or any(parent in self.parents for parent in parents_of(mailbox.domain))
        )


class Recipients(NamedTuple):
    """Who exists in a hosted domain: everybody if `listed` is None."""

    listed: frozenset[str] | None = None
    """Local parts and mailboxes in lower case."""

    def has(self, mailbox: Mailbox) -> bool:
        """Return whether the recipient exists; local parts are compared in lower case."""
        if self.listed is None:
            return True
        local = mailbox.local.lower()
        return local in self.listed or f"{local}@{mailbox.domain}" in self.listed


class HostedDomains(NamedTuple):
    """The domains we take mail for."""

    exact: dict[str, Recipients]
    subdomains: dict[str, Recipients]
    """Key: the parent, without the leading dot of the configuration."""

    def find(self, domain: str) -> Recipients | None:
        """Return who exists there, or None if the domain is not hosted. The longest match wins."""
        found = self.exact.get(domain)
        if found is not None:
            return found
        return next((self.subdomains[parent] for parent in parents_of(domain) if parent in self.subdomains), None)


class Rules(NamedTuple):
    """Everything the relay policy decides by."""

    hosted: HostedDomains
    postmaster: Mailbox
    """Where `<postmaster>` without a domain goes."""
    denied_destinations: Patterns = Patterns()
    denied_senders: Patterns = Patterns()
    trusted: tuple[Network, ...] = ()
    outsiders_may_use_hosted_senders: bool = False

    def trusts(self, address: str) -> bool:
        """Return whether a client's address, in text form, is in a trusted network."""
        client = plain_address(address)
        return client is not None and any(client in network for network in self.trusted)


def parents_of(domain: str) -> list[str]:
    """Return the domains above `domain`, nearest first: a.b.c gives b.c and c."""
    labels = domain.split(".")
    return [".".join(labels[index:]) for index in range(1, len(labels))]


def plain_address(text: str) -> Address | None:
    """Return a socket's address as a value: without scope, and IPv4 as IPv4 even on a dual-stack socket."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def compile_rules(relay: Relay) -> Rules:
    """Compile the [relay] table and read its recipient lists. Raise ConfigError naming the key."""
    postmaster = parse_mailbox(relay.postmaster)
    if isinstance(postmaster, BadAddress):
        raise ConfigError(f'relay.postmaster: "{relay.postmaster}": {postmaster.reason}; write local@domain')
    return Rules(
        hosted=_hosted(relay.hosted),
        postmaster=postmaster,
        denied_destinations=_patterns("relay.denied_destinations", relay.denied_destinations),
        denied_senders=_patterns("relay.denied_senders", relay.denied_senders),
        trusted=tuple(_network(text) for text in relay.trusted_networks),
        outsiders_may_use_hosted_senders=relay.allow_hosted_senders_from_outside,
    )


def _domain(key: str, text: str) -> str:
    domain = parse_domain(text)
    if isinstance(domain, BadAddress):
        raise ConfigError(f'{key}: "{text}": {domain.reason}; write such as "example.org" or ".example.org"')
    return domain


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigError(f'relay.trusted_networks: "{text}": {error}; write such as "192.0.2.0/24"') from error


def _patterns(key: str, texts: Iterable[str]) -> Patterns:
    """Read "example.org" (that domain), ".example.org" or "*.example.org" (below it), "user@example.org", "*"."""
    domains: set[str] = set()
    parents: set[str] = set()
    mailboxes: set[tuple[str, str]] = set()
    everything = False
    for text in texts:
        bare = text.removeprefix("*")
        if text == "*":
            everything = True
        elif bare.startswith("."):
            parents.add(_domain(key, bare[1:]))
        elif "@" in text.strip("@"):
            mailbox = parse_mailbox(text)
            if isinstance(mailbox, BadAddress):
                raise ConfigError(f'{key}: "{text}": {mailbox.reason}')
            mailboxes.add((mailbox.local.lower(), mailbox.domain))
        else:
            domains.add(_domain(key, text.removeprefix("@")))
    return Patterns(frozenset(domains), frozenset(parents), frozenset(mailboxes), everything)


def _hosted(table: dict[str, str | tuple[str, ...] | Hosted]) -> HostedDomains:
    exact: dict[str, Recipients] = {}
    subdomains: dict[str, Recipients] = {}
    for name, value in table.items():
        key = f'relay.hosted."{name}"'
        file = value.recipients if isinstance(value, Hosted) else None
        recipients = read_recipients(f"{key}.recipients", Path(file)) if file else Recipients()
        where = subdomains if name.startswith(".") else exact
        where[_domain(key, name.removeprefix("."))] = recipients
    return HostedDomains(exact, subdomains)


def read_recipients(key: str, path: Path) -> Recipients:
    """Read a list of recipients: one local part or mailbox a line, `#` begins a comment."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: cannot read {path}: {error}; name a readable UTF-8 text file") from error
    listed: set[str] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        mailbox = parse_mailbox(entry if "@" in entry else f"{entry}@localhost")
        if isinstance(mailbox, BadAddress):
            raise ConfigError(f'{key}: {path} line {number}: "{entry}": {mailbox.reason}')
        local = mailbox.local.lower()
        listed.add(f"{local}@{mailbox.domain}" if "@" in entry else local)
    return Recipients(frozenset(listed))
