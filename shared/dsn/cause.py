"""Why a message was not taken, and what that means to the person who sent it."""

from enum import StrEnum
from typing import NamedTuple


class Cause(StrEnum):
    """Classes of causes; what a sender can do differs from one to the next."""

    UNKNOWN_MAILBOX = "unknown mailbox"
    INACTIVE_MAILBOX = "inactive mailbox"
    MAILBOX_FULL = "mailbox full"
    TOO_LARGE = "too large"
    SPAM = "spam"
    """Refused for what it says."""
    FORBIDDEN_CONTENT = "forbidden content"
    """Refused for a file or a link in it."""
    BLOCKED = "blocked"
    """Refused for where it comes from: our address, its reputation or its reverse name."""
    RATE_LIMITED = "rate limited"
    GREYLISTED = "greylisted"
    UNAUTHENTICATED = "unauthenticated"
    """SPF, DKIM or DMARC."""
    SENDER_REFUSED = "sender refused"
    NO_DOMAIN = "no domain"
    """The domain does not exist, or takes no mail."""
    RELAY_DENIED = "relay denied"
    """Its servers do not know the domain as theirs."""
    LOOP = "loop"
    TLS_REQUIRED = "tls required"
    UNSUPPORTED = "unsupported"
    """The other side cannot take a message of this form."""
    POLICY = "policy"
    UNREACHABLE = "unreachable"
    WITHDRAWN = "withdrawn"
    """Given up by an operator of this relay."""
    TEMPORARY = "temporary"
    """Another temporary failure."""
    OTHER = "other"


class Words(NamedTuple):
    """What a person is told."""

    happened: str
    """One sentence."""
    to_do: str
    """What helps once it has failed for good."""


WORDS: dict[Cause, Words] = {
    Cause.UNKNOWN_MAILBOX: Words(
        "There is no mailbox with this address.",
        "Check the spelling, above all before the @, or ask the recipient for the present address.",
    ),
    Cause.INACTIVE_MAILBOX: Words(
        "The mailbox is no longer in use, or is switched off.",
        "Reach the recipient in another way and ask for an address that works.",
    ),
    Cause.MAILBOX_FULL: Words(
        "The recipient's mailbox is full.",
        "Ask the recipient in another way to make room, then send the message again.",
    ),
    Cause.TOO_LARGE: Words(
        "The message is larger than the recipient's system takes.",
        "Send it with fewer or smaller attachments, or share them by a link.",
    ),
    Cause.SPAM: Words(
        "The recipient's system takes the message for spam.",
        "Write it differently, with fewer links and pictures, or ask the recipient to have your address let through.",
    ),
    Cause.FORBIDDEN_CONTENT: Words(
        "The recipient's system does not accept a file or a link in the message.",
        "Take it out, or share it in another way, and send the message again.",
    ),
    Cause.BLOCKED: Words(
        "The recipient's system does not accept mail from the server that sends yours.",
        "Nothing is wrong with your message or the address. Please pass this report on to your postmaster.",
    ),
    Cause.RATE_LIMITED: Words(
        "The recipient's system takes only so many messages at a time.",
        "Send the message again later; if you write to many people, do it in smaller groups.",
    ),
    Cause.GREYLISTED: Words(
        "The recipient's system puts off mail from senders that it does not know yet.",
        "Send the message again in an hour or so.",
    ),
    Cause.UNAUTHENTICATED: Words(
        "The recipient's system could not verify that the message comes from the domain of your address.",
        "Use the address that belongs to this mail system. If you did, pass this report on to your postmaster:"
        " SPF, DKIM or DMARC of the domain need attention.",
    ),
    Cause.SENDER_REFUSED: Words(
        "The recipient's system does not accept mail from your address.",
        "Check your own address in your mail program, or write from another one.",
    ),
    Cause.NO_DOMAIN: Words(
        "The domain, the part after the @, does not exist or takes no mail.",
        "Check the spelling after the @, or ask the recipient for the present address.",
    ),
    Cause.RELAY_DENIED: Words(
        "The servers named for the recipient's domain do not accept mail for it.",
        "Check the spelling after the @. If it is right, only those who run that domain can mend it.",
    ),
    Cause.LOOP: Words(
        "The message goes round in circles between mail systems.",
        "Only those who run the recipient's mail system can mend it; tell them, or use another address.",
    ),
    Cause.TLS_REQUIRED: Words(
        "The message may travel encrypted only, and no safe connection to the recipient's system could be made.",
        "Send it without that demand if its content allows, or pass this report on to your postmaster.",
    ),
    Cause.UNSUPPORTED: Words(
        "The recipient's system cannot take a message of this form.",
        "Send it as plain text, without unusual characters in addresses, from another mail program if need be.",
    ),
    Cause.POLICY: Words(
        "A rule of the recipient's system forbids the message.",
        "Ask the recipient, in another way, to have mail from you let through.",
    ),
    Cause.UNREACHABLE: Words(
        "The recipient's mail system could not be reached.",
        "Check the spelling after the @. If it is right, send the message again in a day or two.",
    ),
    Cause.WITHDRAWN: Words(
        "The operators of this mail relay have ended the attempts to deliver the message.",
        "Reach the recipient in another way, or ask the postmaster for the reason.",
    ),
    Cause.TEMPORARY: Words(
        "The recipient's mail system could not take the message when it was asked to.",
        "Send the message again in a day or two, or reach the recipient in another way.",
    ),
    Cause.OTHER: Words(
        "The recipient's mail system did not accept the message.",
        "Check the address and what the other side said, correct it, and send the message again.",
    ),
}
