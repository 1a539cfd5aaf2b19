"""Puts signatures in front of a message just before it is sent.

They are made anew at each attempt and never stored: a retry does not pile them up, reports quote the message as it
came, and a key that was replaced meanwhile is not used.
"""

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from services.delivery.routing.route import find
from services.delivery.signing.arc import arc_set, next_link, our_results, results_of
from services.delivery.signing.dkim import Signed, dkim_signature
from services.delivery.signing.keys import SigningKey, read_key
from services.delivery.signing.names import names_to_sign
from shared import log, metrics
from shared.config.model import Config
from shared.errors import ConfigError
from shared.mailauth.author import NoAuthor, author_domain
from shared.mailauth.fields import Parts, split
from shared.mailauth.signed import hash_body
from shared.model import Action, Item, Message, Origin
from shared.smtp.headers import starts_with_field

INLINE_OCTETS = 64 * 1024
"""A message up to this size is hashed at once; a longer one in a thread."""


class Unsigned(StrEnum):
    """Why a message goes without a signature or a seal: in the log and in the metric."""

    NO_KEY = "no key"
    NOT_OURS = "not ours"
    SEVERAL_AUTHORS = "several authors"
    FORGED = "dmarc did not pass"
    NO_HEADER = "no header"
    LONG_HEADER = "header section too long"
    NO_AUTHOR = "no From field"
    MANY_FIELDS = "too many fields"
    NO_RESULTS = "no results of ours"
    CHAIN_OVER = "nothing may be added to its chain"


class DkimKey(NamedTuple):
    """A key, and for how many seconds its signatures hold; 0 is for ever."""

    key: SigningKey
    valid_for: float


class Keys(NamedTuple):
    """What there is to sign with."""

    dkim: Mapping[str, tuple[DkimKey, ...]] = {}
    """By domain, or ".example.org" for its subdomains."""
    arc: SigningKey | None = None

    def all(self) -> dict[str, SigningKey]:
        """Return every key by the key of the configuration that names it, such as `delivery.dkim."example.org".s1`."""
        found = {f'delivery.dkim."{name}".{one.key.selector}': one.key for name in self.dkim for one in self.dkim[name]}
        return found | ({"delivery.arc": self.arc} if self.arc else {})


def read_keys(config: Config) -> Keys:
    """Return the configured keys. Raise ConfigError that names key and file of one that cannot be used."""
    dkim: dict[str, tuple[DkimKey, ...]] = {}
    for index, entry in enumerate(config.delivery.dkim):
        private = read_key(f"delivery.dkim[{index}].key", entry.key)
        key = SigningKey(entry.domain.removeprefix("."), entry.selector, private)
        dkim[entry.domain] = (*dkim.get(entry.domain, ()), DkimKey(key, entry.valid_for))
    arc = config.delivery.arc
    if arc is None:
        return Keys(dkim)
    key = SigningKey(arc.domain, arc.selector, read_key("delivery.arc.key", arc.key))
    if key.algorithm != "rsa-sha256":
        raise ConfigError(f"delivery.arc.key: {arc.key}: not RSA, all that verifiers of ARC know; name an RSA key")
    return Keys(dkim, key)


def dkim_keys(
    keys: Keys, item: Item, author: str | NoAuthor, postmaster: str, *, forged: bool = False
) -> tuple[DkimKey, ...] | Unsigned:
    """Return the keys that sign for our own mail: those of the author's domain, else of the envelope sender's.

    What we generate has no sender: the postmaster's domain counts instead. A message with several From fields is not
    signed: readers may show one that the signer has nothing to do with. Nothing a stranger sent is signed as ours, also
    if it is on its way out again from a host that we trust: a forwarder, say. `forged` tells that DMARC did not pass
    when it came.
    """
    if item.origin is Origin.INBOUND:
        return Unsigned.NOT_OURS
    if isinstance(author, NoAuthor) and author.several:
        return Unsigned.SEVERAL_AUTHORS
    claimed = None if isinstance(author, NoAuthor) else find(keys.dkim, author)
    if forged and claimed:
        return Unsigned.FORGED
    sender = item.envelope.sender or (postmaster if item.origin is Origin.GENERATED else "")
    domains = (author, sender.rpartition("@")[2].lower())
    found = (find(keys.dkim, domain) for domain in domains if not isinstance(domain, NoAuthor))
    return next(filter(None, found), Unsigned.NO_KEY)


def was_changed(item: Item) -> bool:
    """Tell whether we cut parts out, which breaks the signatures that a message came with."""
    return item.verdict is not None and item.verdict.action is Action.STRIP and item.release is None


class Signer:
    """Signs by one configuration."""

    def __init__(self, keys: Keys, hostname: str, postmaster: str) -> None:
        self._keys = keys
        self._hostname = hostname
        self._postmaster = postmaster

    async def signed(self, message: Message, now: float) -> Message:
        """Return the message with its signatures in front, or as it is if there is nothing to sign with or for."""
        if not self._is_signed(message.item):
            return message
        if len(message.content) <= INLINE_OCTETS:
            prefix = self.prefix(message, now)
        else:
            prefix = await asyncio.to_thread(self.prefix, message, now)
        return Message(message.item, prefix + message.content) if prefix else message

    def _is_signed(self, item: Item) -> bool:
        if item.origin is Origin.INBOUND:
            return self._keys.arc is not None and was_changed(item)
        return bool(self._keys.dkim)

    def prefix(self, message: Message, now: float) -> bytes:
        """Return the fields that go in front; b"" if none do. Either is counted, and the second is logged."""
        sealing = message.item.origin is Origin.INBOUND
        made = self._fields(message, now)
        result = made if isinstance(made, Unsigned) else "signed"
        metrics.signatures.labels("arc" if sealing else "dkim", result).inc()
        if not isinstance(made, Unsigned):
            return made
        if made is not Unsigned.NO_KEY:  # other domains' mail, as a rule
            log.get().warning("not sealed" if sealing else "not signed", id=message.item.id, reason=str(made))
        return b""

    def _fields(self, message: Message, now: float) -> bytes | Unsigned:
        if not starts_with_field(message.content):
            return Unsigned.NO_HEADER
        parts = split([message.content])
        if parts is None:
            return Unsigned.LONG_HEADER
        if message.item.origin is Origin.INBOUND:
            return self._sealed(parts, now)
        results = our_results(parts.fields, self._hostname)
        forged = results is not None and results_of(results, b"dmarc") != [b"pass"]
        author = author_domain(parts.fields)
        keys = dkim_keys(self._keys, message.item, author, self._postmaster, forged=forged)
        if isinstance(keys, Unsigned):
            return keys
        signed = _signed(parts, now)
        if isinstance(signed, Unsigned):
            return signed
        return b"".join(dkim_signature(one.key, signed, one.valid_for) for one in keys)

    def _sealed(self, parts: Parts, now: float) -> bytes | Unsigned:
        results = our_results(parts.fields, self._hostname)
        if self._keys.arc is None or results is None:
            return Unsigned.NO_RESULTS
        chain = next_link(parts.fields, results)
        if chain is None:
            return Unsigned.CHAIN_OVER
        signed = _signed(parts, now, b"dkim-signature")
        return signed if isinstance(signed, Unsigned) else arc_set(self._keys.arc, signed, results, chain)


def _signed(parts: Parts, now: float, *besides: bytes) -> Signed | Unsigned:
    names = names_to_sign(parts.fields, *besides)
    if names is None:
        return Unsigned.MANY_FIELDS
    if not any(field.name == b"from" for field in parts.fields):
        return Unsigned.NO_AUTHOR
    return Signed(parts.fields, names, hash_body(parts.body, relaxed=True).digest, now)
