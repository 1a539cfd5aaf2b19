"""Mailboxes and paths of the SMTP envelope, parsed strictly (RFC 5321 section 4.1.2, RFC 6531 section 3.3).

What leaves this module is canonical, so that policy is decided on what the mailbox means and not on how it was
written: the domain in lower case and A-labels without a trailing dot, the local part with its case kept and quoted
only where it must be. Anything that is not exactly one mailbox is a `BadAddress` that says why.
"""

import re
from typing import NamedTuple

import idna

MAX_LOCAL = 64
MAX_DOMAIN = 255
MAX_MAILBOX = 254
"""A path has 256 octets with its angle brackets (RFC 5321 section 4.5.3.1.3)."""

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~\x80-\U0010ffff]|\\[ -~])*)"')
_QUOTE = '"'
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
"""With the underscore, which no host name has but real mail domains do."""
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that resolvers read as part of an IPv4 address."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_PLAIN_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN_END = r"(?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_PLAIN_DOMAIN = rf"(?:[A-Za-z0-9_]{_PLAIN_END}\.)*[A-Za-z]{_PLAIN_END}"
_PLAIN_PATH = re.compile(rf"<({_PLAIN_ATOM}(?:\.{_PLAIN_ATOM})*)@({_PLAIN_DOMAIN})>(?= |\Z)")
"""The path of nearly every command: ASCII, no quotes, the last label no number. For this one look is enough."""


class BadAddress(NamedTuple):
    """Not a mailbox; `reason` in a few words for the reply."""

    reason: str


class Mailbox(NamedTuple):
    """One canonical mailbox. `local` is the meaning of the local part: without quotes and backslashes."""

    local: str
    domain: str
    """Lower case, A-labels; "" only for `<postmaster>`."""

    @property
    def is_ascii(self) -> bool:
        """False if only SMTPUTF8 (RFC 6531) can carry it."""
        return self.local.isascii()

    @property
    def is_postmaster(self) -> bool:
        """True for the mailbox that must exist everywhere (RFC 5321 section 4.5.1), in any case."""
        return self.local.lower() == "postmaster"

    def __str__(self) -> str:
        local = quote_local(self.local)
        return f"{local}@{self.domain}" if self.domain else local


class Path(NamedTuple):
    """What stood between the angle brackets, and what follows them. `mailbox` None is the null path `<>`."""

    mailbox: Mailbox | None
    rest: str


def quote_local(local: str) -> str:
    """Return a local part as it is written: bare if it may be, else as a quoted string."""
    if _DOT_STRING.fullmatch(local):
        return local
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parse_domain(text: str) -> str | BadAddress:
    """Return a domain in lower case and A-labels, without a trailing dot."""
    ascii_form = text if text.isascii() else _to_ascii(text)
    if ascii_form is None:
        return BadAddress("the domain is not a valid internationalised name")
    domain = ascii_form.lower().removesuffix(".")
    if len(domain) > MAX_DOMAIN:
        return BadAddress("the domain is longer than 255 octets")
    labels = domain.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        return BadAddress("the domain is not a valid name")
    if _NUMBER.fullmatch(labels[-1]):
        return BadAddress("the domain is a number, not a name")
    return domain


def parse_mailbox(text: str) -> Mailbox | BadAddress:
    """Parse `local@domain`, without angle brackets, as in configuration and after them in commands."""
    found = _local(text)
    if isinstance(found, BadAddress):
        return found
    local, end = found
    if text[end : end + 1] != "@":
        return BadAddress("no domain after the local part" if end == len(text) else "the local part is malformed")
    rest = text[end + 1 :]
    domain = BadAddress("address literals are not accepted") if rest.startswith("[") else parse_domain(rest)
    if isinstance(domain, BadAddress):
        return domain
    mailbox = Mailbox(local, domain)
    return mailbox if len(str(mailbox).encode()) <= MAX_MAILBOX else BadAddress("the address is longer than 254 octets")


def parse_path(text: str) -> Path | BadAddress:
    """Parse a path with its angle brackets and return it with the parameters that follow, not yet read.

    `text` is what follows `FROM:` or `TO:`; spaces before the bracket, common in practice, are forgiven.
    `<postmaster>` without a domain is a mailbox with the domain "" (RFC 5321 section 4.1.1.3).
    """
    plain = _PLAIN_PATH.match(text)
    if plain is not None and plain.end(1) - 1 <= MAX_LOCAL and plain.end(2) - 1 <= MAX_MAILBOX:
        return Path(Mailbox(plain[1], plain[2].lower()), text[plain.end() :].strip(" "))
    return _parse_any_path(text.lstrip(" "))


def _parse_any_path(text: str) -> Path | BadAddress:
    if not text.startswith("<"):
        return BadAddress("the address is not in angle brackets")
    end = _closing_bracket(text)
    if end < 0:
        return BadAddress("the address has no closing angle bracket")
    inner, rest = text[1:end], text[end + 1 :]
    if rest and not rest.startswith(" "):
        return BadAddress("text directly after the closing angle bracket")
    if not inner:
        return Path(None, rest.strip(" "))
    mailbox = Mailbox(inner, "") if inner.lower() == "postmaster" else parse_mailbox(inner)
    return mailbox if isinstance(mailbox, BadAddress) else Path(mailbox, rest.strip(" "))


def _closing_bracket(text: str) -> int:
    """Return the index of the first `>` outside a quoted string, or -1."""
    quoted = escaped = False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == ">" and not quoted:
            return index
    return -1


def _local(text: str) -> tuple[str, int] | BadAddress:
    """Return the meaning of the local part at the start of `text` and where it ends."""
    if _SURROGATE.search(text):
        return BadAddress("the address is not valid UTF-8")
    if text.startswith("@"):
        return BadAddress("source routes are not accepted")
    found = _QUOTED.match(text) or _DOT_STRING.match(text)
    if found is None:
        return BadAddress(f"the {'quoted ' if text.startswith(_QUOTE) else ''}local part is malformed")
    local = re.sub(r"\\(.)", r"\1", found[1]) if found.re is _QUOTED else found[0]
    if len(local.encode()) > MAX_LOCAL:
        return BadAddress("the local part is longer than 64 octets")
    return local, found.end()


def _to_ascii(domain: str) -> str | None:
    try:
        return idna.encode(domain, uts46=True, std3_rules=True, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None
