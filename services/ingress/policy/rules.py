"""The relay rules of the configuration, compiled: domains, patterns, networks and recipient lists as values."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from services.ingress.policy.lists import Entry, Networks, entries, plain_address, read_list
from shared.config.address import Address as NextHop
from shared.config.model import Auth, Hosted, Listener, Relay
from shared.config.next_hop import asked
from shared.errors import ConfigError
from shared.smtp.address import BadAddress, Mailbox, parse_domain, parse_mailbox


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
            or (bool(self.parents) and any(parent in self.parents for parent in parents_of(mailbox.domain)))
        )


class Recipients(NamedTuple):
    """Who exists in a hosted domain: everybody if `listed` is None."""

    listed: frozenset[str] | None = None
    """Local parts and mailboxes in lower case."""
    ask: tuple[NextHop, ...] = ()
    """Next hops that are to be asked by call-out, in order."""

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
    verifies: bool = False
    """Whether a next hop is asked by call-out for any of them."""

    def find(self, domain: str) -> Recipients | None:
        """Return who exists there, or None if the domain is not hosted. The longest match wins."""
        found = self.exact.get(domain)
        if found is not None or not self.subdomains:
            return found
        return next((self.subdomains[parent] for parent in parents_of(domain) if parent in self.subdomains), None)


class Rules(NamedTuple):
    """Everything the relay policy decides by."""

    hosted: HostedDomains
    postmaster: Mailbox
    """Where `<postmaster>` without a domain goes."""
    denied_destinations: Patterns = Patterns()
    denied_senders: Patterns = Patterns()
    denied_clients: Networks = Networks()
    trusted: Networks = Networks()
    balancers: Networks = Networks()
    """Never trusted, as anybody may be behind one."""
    outsiders_may_use_hosted_senders: bool = False
    senders: Mapping[str, Patterns] = MappingProxyType({})
    """What a user may send as; "*" is every user without an entry."""
    check_authors: bool = False
    """Whether the From field of a user's message is judged like its sender."""

    def trusts(self, address: str) -> bool:
        """Return whether a client's address, in text form, is in a trusted network."""
        client = plain_address(address)
        return client in self.trusted and client not in self.balancers

    def denies(self, address: str) -> bool:
        """Return whether a client's address, in text form, is to be turned away."""
        return plain_address(address) in self.denied_clients


def parents_of(domain: str) -> list[str]:
    """Return the domains above `domain`, nearest first: a.b.c gives b.c and c."""
    labels = domain.split(".")
    return [".".join(labels[index:]) for index in range(1, len(labels))]


def balancers_of(listeners: Iterable[Listener]) -> Networks:
    """Return where the balancers are that begin with a PROXY header."""
    return Networks.of(
        entry
        for listener in listeners
        for entry in entries(f"ingress.listener ({listener.address}).proxy_from", listener.proxy_from, None)
    )


def compile_rules(relay: Relay, auth: Auth = Auth(), listeners: Iterable[Listener] = ()) -> Rules:  # noqa: B008  (a frozen value)
    """Compile the [relay] table, the lists it names, and what users may send as. Raise ConfigError naming the key."""
    postmaster = parse_mailbox(relay.postmaster)
    if isinstance(postmaster, BadAddress):
        raise ConfigError(f'relay.postmaster: "{relay.postmaster}": {postmaster.reason}; write local@domain')
    return Rules(
        hosted=_hosted(relay.hosted),
        postmaster=postmaster,
        denied_destinations=read_patterns(
            entries("relay.denied_destinations", relay.denied_destinations, relay.denied_destinations_file)
        ),
        denied_senders=read_patterns(entries("relay.denied_senders", relay.denied_senders, relay.denied_senders_file)),
        denied_clients=Networks.of(entries("relay.denied_clients", relay.denied_clients, relay.denied_clients_file)),
        trusted=Networks.of(entries("relay.trusted_networks", relay.trusted_networks, None)),
        balancers=balancers_of(listeners),
        outsiders_may_use_hosted_senders=relay.allow_hosted_senders_from_outside,
        senders=_senders(auth.senders),
        check_authors=auth.check_from_header,
    )


def _domain(key: str, text: str) -> str:
    domain = parse_domain(text)
    if isinstance(domain, BadAddress):
        raise ConfigError(f'{key}: "{text}": {domain.reason}; write such as "example.org" or ".example.org"')
    return domain


def read_patterns(listed: Iterable[Entry]) -> Patterns:
    """Read "example.org" (that domain), ".example.org" or "*.example.org" (below it), "user@example.org", "*"."""
    domains: set[str] = set()
    parents: set[str] = set()
    mailboxes: set[tuple[str, str]] = set()
    everything = False
    for key, text in listed:
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


def _senders(table: Mapping[str, Iterable[str]]) -> dict[str, Patterns]:
    """Compile the patterns by user, in lower case; "*@" in front of a domain says the same as the domain alone."""
    return {
        name.lower(): read_patterns(
            entries(f'auth.senders."{name}"', tuple(text.removeprefix("*@") for text in texts), None)
        )
        for name, texts in table.items()
    }


def _hosted(table: dict[str, str | tuple[str, ...] | Hosted]) -> HostedDomains:
    exact: dict[str, Recipients] = {}
    subdomains: dict[str, Recipients] = {}
    for name, value in table.items():
        key = f'relay.hosted."{name}"'
        recipients = _recipients(key, value) if isinstance(value, Hosted) else Recipients()
        where = subdomains if name.startswith(".") else exact
        where[_domain(key, name.removeprefix("."))] = recipients
    verifies = any(recipients.ask for recipients in (*exact.values(), *subdomains.values()))
    return HostedDomains(exact, subdomains, verifies)


def _recipients(key: str, hosted: Hosted) -> Recipients:
    listed = read_recipients(f"{key}.recipients", Path(hosted.recipients)).listed if hosted.recipients else None
    if hosted.verify == "off":
        return Recipients(listed)
    hops = tuple(filter(None, map(asked, hosted.next_hop)))
    if not hops:
        raise ConfigError(f'{key}.verify: "mx", smtps:// and lmtp:// are not asked; add a next hop, or "off"')
    return Recipients(listed, hops)


def read_recipients(key: str, path: Path) -> Recipients:
    """Read a list of recipients: one local part or mailbox a line, `#` begins a comment."""
    listed: set[str] = set()
    for where, entry in read_list(key, path):
        mailbox = parse_mailbox(entry if "@" in entry else f"{entry}@localhost")
        if isinstance(mailbox, BadAddress):
            raise ConfigError(f'{where}: "{entry}": {mailbox.reason}')
        local = mailbox.local.lower()
        listed.add(f"{local}@{mailbox.domain}" if "@" in entry else local)
    return Recipients(frozenset(listed))
