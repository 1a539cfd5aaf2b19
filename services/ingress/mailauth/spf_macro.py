"""SPF macros: the domain-spec of a term, read and expanded (RFC 7208 section 7). No I/O."""

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import quote

from services.ingress.policy.lists import Address

MAX_NAME = 253

_MACRO = re.compile(r"%(?:\{([slodiphcrtv])(\d{0,9})(r?)([-.+,/_=]*)\}|([%_-]))", re.IGNORECASE | re.ASCII)
"""Letter, how many parts to keep, whether reversed, delimiters; or what is escaped."""
_STRING = re.compile(rf"(?:[!-$&-~]|{_MACRO.pattern})*", re.IGNORECASE | re.ASCII)
_TOP_LABEL = re.compile(r"(?:[a-z0-9]*[a-z][a-z0-9]*|[a-z0-9]+-[a-z0-9-]*[a-z0-9])", re.IGNORECASE)
_ONLY_IN_EXPLANATIONS = "crt"
_ESCAPES = {"%": "%", "_": " ", "-": "%20"}


class Identity(NamedTuple):
    """Whom a check is about: what the macros stand for, but for the current domain and the client's validated name."""

    client: Address
    helo: str
    local: str
    """Local part of the sender; "postmaster" where there is none."""
    domain: str
    """Domain of the sender."""


def is_macro_string(text: str) -> bool:
    """Tell whether `text` is a macro-string, whatever letters it uses."""
    return _STRING.fullmatch(text) is not None and not any(digits and not int(digits) for _, digits in _letters(text))


def is_domain_spec(text: str) -> bool:
    """Tell whether `text` is a domain-spec: a macro-string that ends in a macro or in a top label (section 7.1)."""
    if not is_macro_string(text) or any(letter in _ONLY_IN_EXPLANATIONS for letter, _ in _letters(text)):
        return False
    if any(found.end() == len(text) for found in _MACRO.finditer(text)):
        return True
    _, dot, top = text.removesuffix(".").rpartition(".")
    return bool(dot) and _TOP_LABEL.fullmatch(top) is not None


def needs_validated_name(text: str) -> bool:
    """Tell whether expanding `text` needs the client's name, for which DNS must be asked."""
    return any(letter == "p" for letter, _ in _letters(text))


def expand(text: str, identity: Identity, domain: str, validated: str = "unknown") -> str:
    """Return the domain that a domain-spec stands for, without its trailing dot, cut from the left to 253 octets."""
    values = _values(identity, domain, validated)

    def one(found: re.Match[str]) -> str:
        letter, digits, reverse, delimiters, escaped = found.groups("")
        if escaped:
            return _ESCAPES[escaped]
        parts = re.split(f"[{re.escape(delimiters or '.')}]", values[letter.lower()])
        parts = parts[::-1] if reverse else parts
        value = ".".join(parts[-int(digits) :] if digits else parts)
        return quote(value, safe="-._~") if letter.isupper() else value

    name = _MACRO.sub(one, text).removesuffix(".")
    while len(name) > MAX_NAME and "." in name:
        name = name.partition(".")[2]
    return name


def _values(identity: Identity, domain: str, validated: str) -> dict[str, str]:
    client = identity.client
    v6 = isinstance(client, ipaddress.IPv6Address)
    return {
        "s": f"{identity.local}@{identity.domain}",
        "l": identity.local,
        "o": identity.domain,
        "d": domain,
        "i": ".".join(client.exploded.replace(":", "")) if v6 else str(client),
        "p": validated,
        "v": "ip6" if v6 else "in-addr",
        "h": identity.helo,
    }


def _letters(text: str) -> list[tuple[str, str]]:
    """Return letter (lower case) and digits of each macro."""
    return [(found[1].lower(), found[2]) for found in _MACRO.finditer(text) if found[1]]
