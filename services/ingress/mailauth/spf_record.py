"""SPF records: from text to terms, with every syntax error found before anything is evaluated (RFC 7208 section 12)."""

import ipaddress
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from services.ingress.mailauth.spf_macro import is_domain_spec, is_macro_string
from services.ingress.policy.lists import Network


class Spf(StrEnum):
    """What a check can say (section 2.6)."""

    PASS = "pass"  # noqa: S105  (a result, not a password)
    FAIL = "fail"
    SOFTFAIL = "softfail"
    NEUTRAL = "neutral"
    NONE = "none"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


QUALIFIERS = {"+": Spf.PASS, "-": Spf.FAIL, "~": Spf.SOFTFAIL, "?": Spf.NEUTRAL}


class Mechanism(NamedTuple):
    """One mechanism: what it says if it matches, and what it matches by."""

    qualifier: Spf
    name: str
    """all, include, a, mx, ptr, ip4, ip6 or exists."""
    domain: str | None = None
    """A domain-spec, not yet expanded; None means the current domain."""
    prefix4: int = 32
    prefix6: int = 128
    network: Network | None = None
    """Of ip4 and ip6."""


class Record(NamedTuple):
    """One record. `explanation` is checked for syntax only: we give none."""

    mechanisms: tuple[Mechanism, ...] = ()
    redirect: str | None = None


class BadRecord(NamedTuple):
    """Not a record that may be evaluated: permerror, with the reason in a few words."""

    reason: str


MAX_LENGTH = 10_000
"""Octets of a record: real ones have a few hundred, those that do not fit one packet a few thousand."""

_TERM = re.compile(r"([-+~?]?)([a-z][a-z0-9_.-]*)(.*)", re.IGNORECASE | re.ASCII)
_CIDR = re.compile(r"(?P<spec>.*?)(?:/(?P<four>0|[1-9][0-9]{0,2}))?(?://(?P<six>0|[1-9][0-9]{0,2}))?")


def select(texts: Sequence[str]) -> str | BadRecord | None:
    """Return the one SPF record among the TXT records of a name, None if there is none (section 4.5)."""
    records = [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]
    return BadRecord("several SPF records") if len(records) > 1 else next(iter(records), None)


def parse(text: str) -> Record | BadRecord:
    """Parse a record that `select` returned."""
    if len(text) > MAX_LENGTH:
        return BadRecord("the record is too long")
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    for term in text.split(" ")[1:]:
        if not term:
            continue
        found = _TERM.fullmatch(term)
        if found is None:
            return BadRecord(f"{term[:60]!a} is no term")
        sign, name, rest = found[1], found[2].lower(), found[3]
        if rest.startswith("="):
            if sign or not _is_modifier(name, rest[1:]) or (name in {"redirect", "exp"} and name in modifiers):
                return BadRecord(f"{term[:60]!a} is no valid modifier, or is there twice")
            modifiers[name] = rest[1:]
            continue
        mechanism = _mechanism(QUALIFIERS[sign or "+"], name, rest)
        if mechanism is None:
            return BadRecord(f"{term[:60]!a} is no valid mechanism")
        mechanisms.append(mechanism)
    return Record(tuple(mechanisms), modifiers.get("redirect"))


def _is_modifier(name: str, value: str) -> bool:
    """Unknown modifiers are ignored, but their values must be macro-strings (section 6)."""
    return is_domain_spec(value) if name in {"redirect", "exp"} else is_macro_string(value)


def _mechanism(qualifier: Spf, name: str, rest: str) -> Mechanism | None:
    if name == "all":
        return Mechanism(qualifier, name) if not rest else None
    if name in {"ip4", "ip6"}:
        network = _network(name, rest[1:]) if rest.startswith(":") else None
        return Mechanism(qualifier, name, network=network) if network is not None else None
    if name in {"include", "exists"} or (name == "ptr" and rest):
        domain = rest[1:] if rest.startswith(":") else ""
        return Mechanism(qualifier, name, domain) if is_domain_spec(domain) else None
    if name == "ptr":
        return Mechanism(qualifier, name)
    return _address(qualifier, name, rest) if name in {"a", "mx"} else None


def _address(qualifier: Spf, name: str, rest: str) -> Mechanism | None:
    """Read what follows `a` and `mx`: a domain-spec and prefix lengths for both families, all of it optional."""
    found = _CIDR.fullmatch(rest)
    if found is None:
        return None
    spec, four, six = found["spec"], int(found["four"] or 32), int(found["six"] or 128)
    if four > 32 or six > 128:
        return None
    domain = spec[1:] if spec.startswith(":") else None
    if spec and (domain is None or not is_domain_spec(domain)):
        return None
    return Mechanism(qualifier, name, domain, four, six)


def _network(name: str, text: str) -> Network | None:
    address, slash, prefix = text.partition("/")
    if slash and not re.fullmatch(r"0|[1-9][0-9]{0,2}", prefix):
        return None
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return network if network.version == int(name[2]) and "%" not in address else None
