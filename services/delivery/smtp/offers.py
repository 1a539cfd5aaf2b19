"""What a host offers in its EHLO reply, and the commands and objections that follow for a message. Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from shared.model import Envelope, Recipient
from shared.smtp.reply import Reply

BATCH = 100
"""Recipients of one transaction: what every host must take (RFC 5321 section 4.5.3.1.8)."""


class Offers(NamedTuple):
    """What the host's EHLO reply offers."""

    size: int | None = None
    """Octets; None where it sets no limit."""
    eight_bit: bool = False
    dsn: bool = False
    smtputf8: bool = False
    require_tls: bool = False
    pipelining: bool = False
    chunking: bool = False
    recipients: int = BATCH
    """At most so many in one transaction (LIMITS RCPTMAX, RFC 9422)."""
    transactions: int | None = None
    """At most so many in one session (LIMITS MAILMAX)."""
    lmtp: bool = False
    """It answers the content once for each recipient (RFC 2033)."""

    @classmethod
    def of(cls, keywords: Mapping[str, str]) -> "Offers":
        """Read EHLO keywords, in lower case, with their parameters."""
        limits = _limits(keywords.get("limits", ""))
        return cls(
            size=_number(keywords.get("size", "")),
            eight_bit="8bitmime" in keywords,
            dsn="dsn" in keywords,
            smtputf8="smtputf8" in keywords,
            require_tls="requiretls" in keywords,
            pipelining="pipelining" in keywords,
            chunking="chunking" in keywords,
            recipients=min(limits.get("RCPTMAX") or BATCH, BATCH),
            transactions=limits.get("MAILMAX"),
        )


def _number(text: str) -> int | None:
    """Return a positive number of at most 15 digits; nothing else is a limit."""
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) and int(text) else None


def _limits(text: str) -> dict[str, int | None]:
    """Read the parameter of LIMITS: `NAME=VALUE` by spaces (RFC 9422 section 3)."""
    pairs = (word.partition("=") for word in text.upper().split())
    return {name: _number(value) for name, _, value in pairs}


def carries(recipient: Recipient, offers: Offers) -> bool:
    """Tell whether the host takes such an address. Domains are A-labels here: only a local part can be too much."""
    return offers.smtputf8 or recipient.address.isascii()


def needs_smtputf8(envelope: Envelope, content: bytes) -> bool:
    """Tell whether an address or the header goes beyond ASCII (RFC 6531 section 3.1), whatever was declared."""
    return not all(recipient.address.isascii() for recipient in envelope.recipients) or _is_utf8(envelope, content)


def _is_utf8(envelope: Envelope, content: bytes) -> bool:
    """Tell whether a message is internationalised whoever gets it."""
    if envelope.sender is not None and not envelope.sender.isascii():
        return True
    if not envelope.smtputf8:
        return False
    end = content.find(b"\r\n\r\n")
    return not (content if end < 0 else content[:end]).isascii()


def objection(envelope: Envelope, content: bytes, offers: Offers, host: str) -> Reply | None:
    """Return why this message cannot go to a host with these offers, or None; asking the host would say no more."""
    if not offers.smtputf8 and _is_utf8(envelope, content):
        return Reply(553, "5.6.7", f"the sender or the header is not ASCII, and {host} lacks SMTPUTF8")
    if envelope.require_tls and envelope.sender is not None and not offers.require_tls:
        return Reply(550, "5.7.30", f"REQUIRETLS support is required, and {host} lacks it")
    if offers.size is not None and len(content) > offers.size:
        return Reply(552, "5.3.4", f"{len(content)} octets exceed the limit of {host}, {offers.size}")
    return None


def mail_line(envelope: Envelope, content: bytes, offers: Offers) -> bytes:
    """Return the MAIL command with the parameters that the host understands."""
    parts = [f"MAIL FROM:<{envelope.sender or ''}>"]
    if offers.size is not None:
        parts.append(f"SIZE={len(content)}")
    if offers.eight_bit and (envelope.body == "8BITMIME" or not content.isascii()):
        parts.append("BODY=8BITMIME")
    if offers.smtputf8 and needs_smtputf8(envelope, content):
        parts.append("SMTPUTF8")
    if offers.require_tls and envelope.require_tls:
        parts.append("REQUIRETLS")
    if offers.dsn and envelope.ret:
        parts.append(f"RET={envelope.ret}")
    if offers.dsn and envelope.envid:
        parts.append(f"ENVID={envelope.envid}")
    return " ".join(parts).encode()


def rcpt_line(recipient: Recipient, offers: Offers) -> bytes:
    """Return the RCPT command; what the sender asked to be told goes along where the host offers DSN (RFC 3461)."""
    parts = [f"RCPT TO:<{recipient.address}>"]
    if offers.dsn and recipient.notify:
        parts.append(f"NOTIFY={','.join(recipient.notify)}")
    if offers.dsn and recipient.orcpt:
        parts.append(f"ORCPT={_orcpt(recipient)}")
    return " ".join(parts).encode()


def _orcpt(recipient: Recipient) -> str:
    """Return ORCPT in ASCII, unless the recipient itself needs SMTPUTF8 (RFC 6533 section 3, utf-8-addr-xtext)."""
    orcpt = recipient.orcpt or ""
    if orcpt.isascii() or not recipient.address.isascii():
        return orcpt
    return "".join(each if each.isascii() else f"\\x{{{ord(each):X}}}" for each in orcpt)
