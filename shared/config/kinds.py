"""Kinds of text in sluice.toml: each is a `str` to the code that uses it, with what makes it valid beside it.

A check returns the canonical form, or raises ValueError with the reason; none of them does I/O.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from msgspec import Meta

from shared.config.address import parse_address
from shared.config.tls_policy import parse_policy
from shared.config.units import Quota

Check = Callable[[str], str]

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")


def domain(text: str) -> str:
    """Return a domain in lower case and A-labels, without the trailing dot."""
    name = text.strip().rstrip(".").lower()
    if not name.isascii():
        raise ValueError(f'"{text}": write the domain in A-labels{_a_labels(name)}')
    if "@" in name:
        raise ValueError(f'"{text}" is an address: write the domain alone, "{name.rpartition("@")[2]}"')
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f'"{text}" is not a domain: write such as "example.org"')
    return name


def selector(text: str) -> str:
    """Return a DKIM selector in lower case: labels with dots between them (RFC 6376 section 3.1)."""
    name = text.lower()
    if len(name) > 190 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f'"{text}" is not a selector: write letters, digits and hyphens, such as "s2026"')
    return name


def _a_labels(name: str) -> str:
    try:
        return f', "{name.encode("idna").decode()}"'
    except UnicodeError:
        return ""


def hosted_domain(text: str) -> str:
    """Return a domain, or ".domain" for all its subdomains."""
    if text.strip() in {"*", ".", "*."}:
        raise ValueError(f'"{text}" would host every domain and make an open relay: name the domains you host')
    if text.startswith("*."):
        raise ValueError(f'"{text}": write subdomains with a leading dot, "{text[1:]}"')
    return f".{domain(text[1:])}" if text.startswith(".") else domain(text)


def route_domain(text: str) -> str:
    """Return a domain, ".domain" for all its subdomains, or "*" for all the rest."""
    return "*" if text == "*" else hosted_domain(text)


def pattern(text: str) -> str:
    """Return a deny pattern: "example.org", ".example.org", "*.example.org", "*" or "user@example.org"."""
    if text == "*":
        return text
    local, at, name = text.rpartition("@")
    if at and local:
        return f"{local}@{domain(name)}"
    for prefix in ("*.", ".", ""):
        if name.startswith(prefix):
            return prefix + domain(name.removeprefix(prefix))
    raise AssertionError("the empty prefix fits every text")


def sender_pattern(text: str) -> str:
    """Return a sender pattern: "user@example.org", "*@example.org", "*@.example.org" (its subdomains) or "*"."""
    return pattern(text.removeprefix("*@"))


def claim(text: str) -> str:
    """Return the name of a claim."""
    if not text:
        raise ValueError('empty: name the claim that holds the user, such as "sub" or "email"')
    return text


def mailbox(text: str) -> str:
    """Return local@domain with the domain in its canonical form."""
    local, at, name = text.rpartition("@")
    if not at or not _LOCAL.fullmatch(local):
        raise ValueError(f'"{text}" is not a mailbox: write such as "postmaster@example.org"')
    return f"{local}@{domain(name)}"


def network(text: str) -> str:
    """Return a network in CIDR form; one address is a network of its own."""
    try:
        return str(ipaddress.ip_network(text.strip()))
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(f'"{text}" is not a network: write such as "10.0.0.0/8" or "2001:db8::/32"') from None
    raise ValueError(f'"{text}" has bits set beyond its prefix: write "{meant}" or "{text.partition("/")[0]}"')


def ip_address(text: str) -> str:
    """Return one IP address."""
    try:
        return str(ipaddress.ip_address(text.strip().strip("[]")))
    except ValueError:
        raise ValueError(f'"{text}" is not an IP address: write such as "192.0.2.1" or "2001:db8::1"') from None


def ip_version(version: int) -> Check:
    """Return a check that accepts addresses of one version only."""

    def check(text: str) -> str:
        address = ip_address(text)
        if ipaddress.ip_address(address).version != version:
            raise ValueError(f'"{text}" is not an IPv{version} address')
        return address

    return check


def listen_address(text: str) -> str:
    """Return "address:port" to listen on: an IP address, or localhost."""
    address = parse_address(text)
    if address.host != "localhost":
        ip_address(address.host)
    return text


def name_server(text: str) -> str:
    """Return "address:port"; the port is 53 unless given."""
    if text.count(":") > 1 and not text.startswith("["):
        text = f"[{text}]"
    address = parse_address(text, 53)
    ip_address(address.host)
    return str(address)


def count_quota(text: str) -> str:
    """Return a number in a time: "100/min"."""
    Quota.parse(text)
    return text


def octet_quota(text: str) -> str:
    """Return octets in a time: "1GiB/d"."""
    Quota.parse(text, octets=True)
    return text


_ANSWER = re.compile(r"\d{1,3}|\[\d{1,3}(?:\.\.\d{1,3})?(?:;\d{1,3}(?:\.\.\d{1,3})?)*\]")


def dns_list(text: str) -> str:
    """Return the zone of a DNS list, with the answers that count if not all do: "zone", "zone=127.0.0.[2..11;14]"."""
    name, equals, answers = text.replace(" ", "").partition("=")
    if not equals:
        return domain(name)
    fields = re.split(r"\.(?![^\[]*\])", answers)
    numbers = [int(number) for number in re.findall(r"\d+", answers)]
    if len(fields) != 4 or not all(_ANSWER.fullmatch(field) for field in fields) or max(numbers) > 255:
        raise ValueError(f'"{text}": the answers that count are four numbers: write "{name}=127.0.0.[2..11]"')
    return f"{domain(name)}={answers}"


def split_url(text: str, schemes: tuple[str, ...], example: str) -> SplitResult:
    """Return a URL in its parts. Raise ValueError for another scheme, or a port that cannot be."""
    url = urlsplit(text)
    try:
        port_is_good = url.port is None or url.port > 0
    except ValueError:
        port_is_good = False
    if url.scheme not in schemes:
        scheme = f'"{url.scheme}"' if url.scheme else "no scheme"
        raise ValueError(f"{scheme} in the URL: valid are {', '.join(schemes)}; write such as {example}")
    if not port_is_good:
        raise ValueError(f"the URL's port is not a number from 1 to 65535: write such as {example}")
    return url


def broker_url(text: str) -> str:
    """Return the broker's URL; an error never shows it, for it may hold a password."""
    url = split_url(
        text, ("sqlite", "amqp", "amqps"), '"sqlite:///var/lib/sluice/queue.db" or "amqp://user@rabbitmq:5672/"'
    )
    if url.scheme == "sqlite":
        if url.netloc or not url.path.strip("/"):
            raise ValueError('an SQLite URL has three slashes and a path: write such as "sqlite:///var/lib/queue.db"')
    elif not url.hostname:
        raise ValueError('the URL names no host: write such as "amqp://user@rabbitmq:5672/"')
    return text


def tls_policy(text: str) -> str:
    """Return how sessions with a domain's hosts are protected."""
    parse_policy(text)
    return text


def clamd_url(text: str) -> str:
    """Return clamd's address: "clamd://host:port", or "clamd:///path" of its UNIX socket."""
    parts = urlsplit(text)
    try:
        is_one = parts.scheme == "clamd" and bool(parts.hostname) != bool(parts.path.strip("/")) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or parts.query or parts.username:
        raise ValueError(
            f'"{text}" is not clamd\'s address: write "clamd://host:3310" or "clamd:///run/clamav/clamd.ctl"'
        )
    return text


def http_url(text: str) -> str:
    """Return an http or https URL."""
    url = split_url(text, ("http", "https"), '"http://rabbitmq:15672"')
    if url.password is not None:
        raise ValueError("the URL holds a password: give the secret by its own key")
    if not url.hostname:
        raise ValueError('the URL names no host: write such as "http://rabbitmq:15672"')
    return text


def ops_address(text: str) -> str:
    """Return "address:port", or "" for off."""
    return listen_address(text) if text else text


_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def plain_name(text: str) -> str:
    """Return a name for a rule or a group."""
    if not _NAME.fullmatch(text):
        raise ValueError(f'"{text}" is not a name: use lower case letters, digits and hyphens, such as "no-macros"')
    return text


def party(text: str) -> str:
    """Return a pattern of addresses, or "group:NAME"."""
    prefix, colon, name = text.partition(":")
    return f"group:{plain_name(name)}" if colon and prefix == "group" else pattern(text)


def name_glob(text: str) -> str:
    """Return a pattern of file names, in lower case."""
    if not text.strip():
        raise ValueError('empty: write a pattern such as "*.docm"')
    if text.startswith("."):
        raise ValueError(f'"{text}" is the whole name of a file: write "*{text}" for all that end so')
    if "/" in text or "\\" in text:
        raise ValueError(f'"{text}" holds a path: write the name alone, such as "*.docm"')
    return text.casefold()


_TYPE_GLOB = re.compile(r"[a-z0-9!#$&^_.+*?-]+/[a-z0-9!#$&^_.+*?-]+")


def type_glob(text: str) -> str:
    """Return a pattern of media types, in lower case."""
    if not _TYPE_GLOB.fullmatch(text.lower()):
        raise ValueError(f'"{text}" is not a type: write such as "application/pdf" or "image/*"')
    return text.lower()


def words(text: str) -> str:
    """Return words to look for."""
    if not text.strip():
        raise ValueError("empty: write a word or several")
    return text


def one_of(*choices: str) -> Check:
    """Return a check that accepts `choices` only."""

    def check(text: str) -> str:
        if text not in choices:
            raise ValueError(f'"{text}" is not known: valid are {", ".join(choices)}')
        return text

    return check


FilePath = Annotated[str, Meta(extra={"path": True})]
"""A path: relative ones start at the configuration file's folder."""
Secret = Annotated[str, Meta(extra={"secret": True})]
"""A text that no log shows; also read from the file that `<key>_file` names."""
Domain = Annotated[str, Meta(extra={"check": domain})]
Selector = Annotated[str, Meta(extra={"check": selector})]
HostedDomain = Annotated[str, Meta(extra={"check": hosted_domain})]
RouteDomain = Annotated[str, Meta(extra={"check": route_domain})]
Pattern = Annotated[str, Meta(extra={"check": pattern})]
SenderPattern = Annotated[str, Meta(extra={"check": sender_pattern})]
Claim = Annotated[str, Meta(extra={"check": claim})]
Algorithm = Annotated[
    str,
    Meta(
        extra={
            "check": one_of(*("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"))
        }
    ),
]
"""Of signed tokens: asymmetric ones only (RFC 7518 section 3.1), since a shared key makes tokens as well."""
Mailbox = Annotated[str, Meta(extra={"check": mailbox})]
Network = Annotated[str, Meta(extra={"check": network})]
IpAddress = Annotated[str, Meta(extra={"check": ip_address})]
Ipv4Address = Annotated[str, Meta(extra={"check": ip_version(4)})]
Ipv6Address = Annotated[str, Meta(extra={"check": ip_version(6)})]
ListenAddress = Annotated[str, Meta(extra={"check": listen_address})]
NameServer = Annotated[str, Meta(extra={"check": name_server})]
BrokerUrl = Annotated[str, Meta(extra={"check": broker_url, "broker": True})]
TlsPolicy = Annotated[str, Meta(extra={"check": tls_policy})]
Dane = Annotated[str, Meta(extra={"check": one_of("auto", "off")})]
ClamdUrl = Annotated[str, Meta(extra={"check": clamd_url})]
HttpUrl = Annotated[str, Meta(extra={"check": http_url})]
OpsAddress = Annotated[str, Meta(extra={"check": ops_address})]
CountQuota = Annotated[str, Meta(extra={"check": count_quota})]
OctetQuota = Annotated[str, Meta(extra={"check": octet_quota})]
DnsList = Annotated[str, Meta(extra={"check": dns_list})]
Dnssec = Annotated[str, Meta(extra={"check": one_of("loopback", "always", "never")})]
Verification = Annotated[str, Meta(extra={"check": one_of("off", "call-out")})]
Uncertain = Annotated[str, Meta(extra={"check": one_of("accept", "defer")})]
RateKey = Annotated[str, Meta(extra={"check": one_of("client", "network", "user")})]
RuleAction = Annotated[str, Meta(extra={"check": one_of("strip", "block", "quarantine")})]
ScreenAction = Annotated[str, Meta(extra={"check": one_of("allow", "strip", "block", "quarantine")})]
RuleName = Annotated[str, Meta(extra={"check": plain_name})]
GroupName = Annotated[str, Meta(extra={"check": plain_name})]
Party = Annotated[str, Meta(extra={"check": party})]
NameGlob = Annotated[str, Meta(extra={"check": name_glob})]
TypeGlob = Annotated[str, Meta(extra={"check": type_glob})]
Words = Annotated[str, Meta(extra={"check": words})]
WhichDirection = Annotated[str, Meta(extra={"check": one_of("inbound", "outbound")})]
SpfFailAction = Annotated[str, Meta(extra={"check": one_of("accept", "reject")})]
DmarcAction = Annotated[str, Meta(extra={"check": one_of("report", "enforce")})]
BareLineEnds = Annotated[str, Meta(extra={"check": one_of("refuse", "repair")})]
AmbiguousAction = Annotated[str, Meta(extra={"check": one_of("pass", "block", "quarantine")})]
Level = Annotated[str, Meta(extra={"check": one_of("debug", "info", "warning", "error")})]
Count = Annotated[int, Meta(ge=1)]
Port = Annotated[int, Meta(ge=1, le=65535)]
PrefixLength = Annotated[int, Meta(ge=1, le=64)]
