"""The author's domain, by which DMARC goes: exactly one, or none (RFC 5322 section 3.6.2, RFC 7489 section 6.6.1)."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.mailauth.fields import Field
from shared.mailauth.syntax import without_comments
from shared.smtp.address import BadAddress, parse_domain

MAX_VALUE = 20_000

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^\[\]\\]*\]|[^ \t\r\n"()<>\[\]:;@\\,]+|[<>:;@,]', re.DOTALL)
_SPECIALS = frozenset("<>:;@,")


class NoAuthor(NamedTuple):
    """There is no one author's domain. `several` if readers may see different ones: what a forger would send."""

    reason: str
    several: bool = False


def author_domain(fields: Sequence[Field]) -> str | NoAuthor:
    """Return the domain of From, lower case and in A-labels."""
    values = [field.value for field in fields if field.name == b"from"]
    if len(values) != 1:
        return NoAuthor("several From fields" if values else "no From field", several=bool(values))
    text = without_comments(values[0][:MAX_VALUE].decode("utf-8", "surrogateescape"))
    if text is None or len(values[0]) > MAX_VALUE or _TOKEN.sub("", text).strip(" \t"):
        return NoAuthor("From is malformed")
    domains = {_domain(mailbox) for mailbox in _mailboxes(_TOKEN.findall(text))}
    if len(domains) > 1:
        return NoAuthor("several domains in From", several=True)
    return next(iter(domains), None) or NoAuthor("no address in From")


def _mailboxes(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield the words of each mailbox; what stands before the colon of a group is its name."""
    mailbox: list[str] = []
    angle = False
    for word in words:
        angle = word == "<" or (angle and word != ">")
        if word == ":" and not angle:
            mailbox = []
        elif word in {",", ";"} and not angle:
            if mailbox:
                yield mailbox
            mailbox = []
        else:
            mailbox.append(word)
    if mailbox:
        yield mailbox


def _domain(mailbox: list[str]) -> str | None:
    """Return the domain of one mailbox; a name in front of `<...>` may be anything, as it is in real mail."""
    address = mailbox
    if "<" in mailbox or ">" in mailbox:
        if mailbox.count("<") != 1 or mailbox.count(">") != 1 or mailbox[-1] != ">":
            return None
        address = mailbox[mailbox.index("<") + 1 : -1]
    if len(address) < 3 or address[-2] != "@" or _SPECIALS.intersection(address[:-2]):
        return None
    domain = parse_domain(address[-1])
    return None if isinstance(domain, BadAddress) else domain
