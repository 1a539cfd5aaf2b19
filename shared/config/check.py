"""What is valid key by key but wrong as a whole, above all anything that opens the relay. Pure."""

from collections.abc import Iterator
from itertools import combinations
from urllib.parse import urlsplit

from shared.config.findings import Check, Facts, Problem, Severity
from shared.config.model import Config, Hosted, Mode
from shared.config.next_hop import asked, is_mx
from shared.config.openings import OPENINGS
from shared.config.screener_rules import flaws

MAX_RETENTION = 30 * 86400
"""Less than the ring of day buckets is long (BROKER.md: one bucket a day, 31 of them)."""
MAX_ATTEMPT = 1500.0
"""Below the broker's consumer timeout of 30 minutes (BROKER.md 4)."""
MAX_MESSAGE = 120 * 1024**2
"""Below the broker's max_message_size in our rabbitmq.conf, 128 MiB, with room for the item (BROKER.md 2)."""


def problems(config: Config, facts: Facts) -> list[Problem]:
    """Return everything that is wrong or doubtful, the worst first."""
    found = [problem for check in CHECKS for problem in check(config, facts)]
    return sorted(found, key=lambda problem: problem.severity is not Severity.ERROR)


def _hosted(config: Config, _: Facts) -> Iterator[Problem]:
    for name, entry in config.relay.hosted.items():
        key = f'relay.hosted."{name}"'
        labels = name.strip(".").split(".")
        public = len(labels) == 1 or (len(labels) == 2 and len(labels[1]) == 2 and labels[0] in _SECOND_LEVEL)
        if public and name.startswith("."):
            reason = f"hosts every domain under {name}: mail for other people's domains would be relayed"
            yield Problem(Severity.ERROR, key, reason, "name the domains you host")
        elif public and name != "localhost":
            yield Problem(Severity.WARNING, key, "looks like a top-level domain", "write the whole domain")
        if any(map(is_mx, _hops(entry))) and not config.relay.own_addresses:
            reason = 'next hop "mx" needs relay.own_addresses, or mail may loop back to this relay'
            yield Problem(Severity.ERROR, key, reason, "list the addresses under which MX records name this relay")
        if isinstance(entry, Hosted) and entry.verify != "off" and not any(map(asked, entry.next_hop)):
            reason = '"mx", smtps:// and lmtp:// are not asked, and there is no other next hop'
            yield Problem(Severity.ERROR, f"{key}.verify", reason, 'name a host, or write "off"')
        for denied in config.relay.denied_destinations:
            if covers(denied, name):
                yield Problem(Severity.WARNING, key, f'also denied by "{denied}": nobody may send there', "keep one")


_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "ne", "net", "or", "org"})
"""As in co.uk: under a country's domain these are not anybody's own."""


def _hops(entry: str | tuple[str, ...] | Hosted) -> tuple[str, ...]:
    if isinstance(entry, Hosted):
        return entry.next_hop
    return (entry,) if isinstance(entry, str) else entry


def covers(pattern: str, other: str) -> bool:
    """Return whether every address that `other` stands for is one that `pattern` stands for.

    Both are deny patterns: "a.example", ".a.example" and "*.a.example" (subdomains), "*", "user@a.example".
    """
    if pattern == "*":
        return True
    pattern, other = (text.removeprefix("*") if text.startswith("*.") else text for text in (pattern, other))
    domain = other.rpartition("@")[2]
    if pattern.startswith("."):
        return domain.endswith(pattern)
    return pattern in {other, domain}


def _denied(config: Config, _: Facts) -> Iterator[Problem]:
    for key, patterns in (
        ("relay.denied_destinations", config.relay.denied_destinations),
        ("relay.denied_senders", config.relay.denied_senders),
    ):
        for first, second in combinations(patterns, 2):
            for wide, narrow in ((first, second), (second, first)):
                if covers(wide, narrow):
                    yield Problem(Severity.WARNING, key, f'"{narrow}" has no effect beside "{wide}"', "remove it")
                    break


def _postmaster(config: Config, _: Facts) -> Iterator[Problem]:
    name = config.relay.postmaster.rpartition("@")[2]
    if not any(_matches(entry, name) for entry in (*config.relay.hosted, *config.delivery.route)):
        yield Problem(
            Severity.ERROR,
            "relay.postmaster",
            f'"{name}" is neither hosted nor routed: reports to the postmaster may not arrive',
            "name a mailbox in a domain of relay.hosted or delivery.route",
        )


def _matches(entry: str, domain: str) -> bool:
    return entry in {"*", domain} or (entry.startswith(".") and domain.endswith(entry))


def _listeners(config: Config, _: Facts) -> Iterator[Problem]:
    listeners = config.ingress.listener
    tls = config.tls.certificate is not None
    if not listeners:
        yield Problem(Severity.ERROR, "ingress.listener", "there is none", "add an [[ingress.listener]]")
    for index, listener in enumerate(listeners):
        key = f"ingress.listener[{index}]"
        if listener.mode is not Mode.RELAY and not tls:
            reason = f"mode {listener.mode} needs TLS, for passwords"
            yield Problem(Severity.ERROR, key, reason, "set tls.certificate and tls.key")
        if listener.mode is not Mode.RELAY and not _authenticates(config) and not listener.trusted_without_auth:
            reason = f"mode {listener.mode} without auth.users_file: nobody can send there"
            yield Problem(Severity.ERROR, key, reason, "set auth.users_file and add users with: sluice user add")
        if listener.mode is Mode.RELAY and listener.trusted_without_auth:
            reason = "trusted_without_auth has no effect on a relay listener"
            yield Problem(Severity.WARNING, key, reason, "remove it")
    for (first, one), (second, two) in combinations(enumerate(listeners), 2):
        if one.address == two.address and not one.address.endswith(":0"):
            yield Problem(Severity.ERROR, f"ingress.listener[{second}]", f"the same address as [{first}]", "change one")


def _authenticates(config: Config) -> bool:
    auth = config.auth
    return any((auth.users_file, auth.http_url, auth.jwks_file, config.tls.client_ca))


def _callout(config: Config, _: Facts) -> Iterator[Problem]:
    url = urlsplit(config.auth.http_url or "")
    if url.scheme == "http" and url.hostname not in {"localhost", "127.0.0.1", "::1"}:
        reason = "users' passwords cross the network in clear"
        yield Problem(Severity.WARNING, "auth.http_url", reason, "use https")


def _tls(config: Config, _: Facts) -> Iterator[Problem]:
    tls = config.tls
    if tls.key is not None and tls.certificate is None:
        yield Problem(Severity.ERROR, "tls.certificate", "missing beside tls.key", "set it as well")
    if config.auth.users_file and not tls.certificate:
        reason = "users can never authenticate: AUTH is offered under TLS only"
        yield Problem(Severity.WARNING, "auth.users_file", reason, "set tls.certificate and tls.key")


def _names(config: Config, facts: Facts) -> Iterator[Problem]:
    if "." not in config.hostname:
        reason = f'"{config.hostname}" is not a full name: other servers may refuse our greeting'
        yield Problem(Severity.WARNING, "hostname", reason, "set the name that DNS has for this machine")
    _, _, rest = config.broker.partition("://")
    if facts.readable_by_all and ":" in rest.rpartition("@")[0]:
        reason = "the URL holds a password and every user of this machine may read the file"
        yield Problem(Severity.WARNING, "broker", reason, "use broker_password_file, or chmod 600")


def _effects(config: Config, _: Facts) -> Iterator[Problem]:
    """Yield what was meant to protect and does nothing."""
    ingress = config.ingress
    if ingress.dnsbl.allow_zones and not ingress.dnsbl.zones:
        reason = "has no effect without ingress.dnsbl.zones"
        yield Problem(Severity.WARNING, "ingress.dnsbl.allow_zones", reason, "set zones, or remove it")
    for index, rate in enumerate(ingress.rate):
        key = f"ingress.rate[{index}]"
        if rate.per == "user" and not _authenticates(config):
            yield Problem(Severity.WARNING, key, "counts users, and nobody can authenticate", "count by client")
        if not any((rate.connections, rate.messages, rate.recipients, rate.bytes)):
            reason = "limits nothing"
            yield Problem(Severity.WARNING, key, reason, "set connections, messages, recipients or bytes")


def _limits(config: Config, _: Facts) -> Iterator[Problem]:
    ingress, delivery = config.ingress, config.delivery
    if ingress.max_message_size > MAX_MESSAGE:
        reason = f"more than the {MAX_MESSAGE} octets that a broker message can hold"
        yield Problem(Severity.ERROR, "ingress.max_message_size", reason, "lower it")
    if ingress.max_message_size > ingress.buffer // 8 * 5:
        reason = "five eighths are less than ingress.max_message_size: the largest messages would never be accepted"
        yield Problem(Severity.ERROR, "ingress.buffer", reason, "raise it")
    if config.quarantine.retention > MAX_RETENTION:
        yield Problem(Severity.ERROR, "quarantine.retention", "longer than the 30 days that can be kept", "lower it")
    if not delivery.retry:
        yield Problem(Severity.ERROR, "delivery.retry", "empty", "give at least one delay")
    if not all(delivery.retry):
        yield Problem(Severity.ERROR, "delivery.retry", "has a delay of 0: hosts would have no rest", "raise it")
    if delivery.delay_warning >= delivery.lifetime:
        reason = "not before delivery.lifetime: no warning will be sent"
        yield Problem(Severity.WARNING, "delivery.delay_warning", reason, "lower it")
    for key, limit in (
        ("delivery.attempt_timeout", delivery.attempt_timeout),
        ("screener.timeout", config.screener.timeout),
    ):
        if limit > MAX_ATTEMPT:
            reason = f"longer than {MAX_ATTEMPT:.0f} s: the broker may take the message back in between"
            yield Problem(Severity.ERROR, key, reason, "lower it")


def _routes(config: Config, _: Facts) -> Iterator[Problem]:
    for name in config.delivery.route_passwords:
        if "@" not in config.delivery.route.get(name, ""):
            reason = "no route with a user name has this name"
            yield Problem(
                Severity.WARNING, f'delivery.route_passwords."{name}"', reason, f'set delivery.route."{name}"'
            )


def _dane(config: Config, _: Facts) -> Iterator[Problem]:
    if config.delivery.dnssec != "never":
        return
    for name, policy in config.delivery.tls_policy.items():
        if policy == "dane":
            reason = (
                "no name server is believed that it validates (delivery.dnssec): its mail waits until it is returned"
            )
            yield Problem(Severity.ERROR, f'delivery.tls_policy."{name}"', reason, "let one validate, or write verify")


def _held(config: Config, _: Facts) -> Iterator[Problem]:
    for domain in config.delivery.hold:
        reason = "mail for every domain" if domain == "*" else f'new mail for "{domain}"'
        remedy = "when that is over, remove it, and run: sluice queue resume"
        yield Problem(Severity.WARNING, "delivery.hold", f"{reason} is held, and not delivered", remedy)


def _signing(config: Config, _: Facts) -> Iterator[Problem]:
    names = [(entry.domain, entry.selector) for entry in config.delivery.dkim]
    for index, name in enumerate(names):
        if name in names[:index]:
            reason = f"domain and selector of delivery.dkim[{names.index(name)}]: one of the two keys cannot be in DNS"
            yield Problem(Severity.ERROR, f"delivery.dkim[{index}]", reason, "give each key a selector of its own")
    if config.delivery.arc is not None and not config.ingress.authentication.verify:
        reason = "seals nothing: there are no results without ingress.authentication.verify"
        yield Problem(Severity.WARNING, "delivery.arc", reason, "set it to true")


def _screener(config: Config, _: Facts) -> Iterator[Problem]:
    for flaw in flaws(config.screener):
        yield Problem(Severity.ERROR, *flaw)


CHECKS: tuple[Check, ...] = (
    *OPENINGS,
    _hosted,
    _denied,
    _postmaster,
    _listeners,
    _tls,
    _callout,
    _names,
    _effects,
    _limits,
    _routes,
    _held,
    _dane,
    _signing,
    _screener,
)
