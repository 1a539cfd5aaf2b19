"""Every reply of ours that refuses something, with the rule it is logged and counted under, in one table.

A rule is named as the configuration key that changes it where there is one.
Enhanced codes: RFC 3463 and its registry.
"""

from typing import NamedTuple

from shared.smtp.reply import Reply


class Refuse(NamedTuple):
    """A command refused: what the client hears, and the rule an operator finds in log, metric and configuration."""

    reply: Reply
    rule: str
    ends: bool = False
    """Whether the session ends with it, as it does with every 421."""


def refuse(rule: str, code: int, enhanced: str, text: str) -> Refuse:
    """Return a refusal."""
    return Refuse(Reply(code, enhanced, text), rule)


# Commands.
UNKNOWN_COMMAND = refuse("syntax", 500, "5.5.1", "Command not recognised")
LINE_TOO_LONG = refuse("syntax", 500, "5.5.2", "Command line too long")
BAD_OCTETS = refuse("syntax", 500, "5.5.2", "Command contains control or non-UTF-8 octets")
NO_ARGUMENT = refuse("syntax", 501, "5.5.4", "This command takes no argument")
BAD_HELO = refuse("syntax", 501, "5.5.4", "A host name or address literal is needed after EHLO or HELO")
MAIL_SYNTAX = refuse("syntax", 501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]")
RCPT_SYNTAX = refuse("syntax", 501, "5.5.4", "Syntax: RCPT TO:<address> [parameters]")
VRFY_SYNTAX = refuse("syntax", 501, "5.5.4", "Syntax: VRFY address")
BDAT_SYNTAX = Refuse(
    Reply(501, "5.5.4", "Syntax: BDAT size [LAST]; goodbye, as no end of the chunk is known"), "syntax", ends=True
)
NOT_IMPLEMENTED = refuse("syntax", 502, "5.5.1", "Command not implemented")
NOT_SMTP = refuse("syntax", 421, "4.7.0", "This is an SMTP server, goodbye")
NO_HEADER = refuse(
    "ingress.listener.proxy_from", 421, "4.3.5", "A PROXY header is expected from this balancer, goodbye"
)
NO_HEADER_IN_TIME = refuse("ingress.proxy_timeout", 421, "4.3.5", "No PROXY header has come in time, goodbye")
NO_BALANCER = refuse("ingress.listener.proxy_from", 421, "4.7.0", "No PROXY header is taken from your address, goodbye")
TOO_MANY_ERRORS = refuse("errors", 421, "4.7.0", "Too many errors, goodbye")

# The order of commands.
NO_HELO = refuse("sequence", 503, "5.5.1", "Send EHLO first")
NESTED_MAIL = refuse("sequence", 503, "5.5.1", "A sender was given already")
NO_MAIL = refuse("sequence", 503, "5.5.1", "Send MAIL first")
NO_RCPT = refuse("sequence", 554, "5.5.1", "No valid recipients")
BDAT_OPEN = refuse("sequence", 503, "5.5.1", "The message is being sent by BDAT")
MAIL_OPEN = refuse("sequence", 503, "5.5.1", "Not within a mail transaction")

# TLS and authentication.
TLS_ACTIVE = refuse("sequence", 503, "5.5.1", "TLS is active already")
NO_TLS = refuse("tls.certificate", 502, "5.5.1", "TLS is not available")
AUTH_NEEDS_TLS = refuse("auth", 538, "5.7.11", "Encryption required: send STARTTLS first")
NO_AUTH = refuse("auth", 502, "5.5.1", "Authentication is not available")
AUTHENTICATED = refuse("sequence", 503, "5.5.1", "Authenticated already")
UNKNOWN_MECHANISM = refuse("auth", 504, "5.5.4", "Authentication mechanism not supported")
AUTH_SYNTAX = refuse("auth", 501, "5.5.4", "Syntax: AUTH mechanism [initial response]")
AUTH_ENCODING = refuse("auth", 501, "5.5.2", "The response is not valid base64 or not of this mechanism")
AUTH_ABORTED = refuse("auth", 501, "5.7.0", "Authentication cancelled")
AUTH_FAILED = refuse("auth", 535, "5.7.8", "Authentication credentials invalid")
AUTH_BUSY = refuse("auth.max_concurrent_hashes", 454, "4.7.0", "Too many authentications at once, try again later")
AUTH_TOO_LONG = refuse("auth", 500, "5.5.6", "Authentication exchange line is too long")
AUTH_LOCKED = refuse("auth.lockout", 454, "4.7.0", "Too many failed authentications, try again later")
AUTH_CALLOUT_BUSY = refuse(
    "auth.max_concurrent_callouts", 454, "4.7.0", "Too many authentications at once, try again later"
)
AUTH_CALLOUT_FAILED = refuse("auth.http_url", 454, "4.7.0", "Temporary authentication failure, try again later")
AUTH_REQUIRED = refuse("ingress.listener", 530, "5.7.0", "Authentication required")
AUTH_REQUIRED_TLS = refuse("ingress.listener", 530, "5.7.0", "Must issue STARTTLS and AUTH first")

# Policy.
DENIED_DESTINATION = refuse("relay.denied_destinations", 550, "5.7.1", "Mail to this destination is not allowed")
DENIED_CLIENT = refuse("relay.denied_clients", 554, "5.7.1", "No mail is accepted from your address")
EARLY_TALKER = refuse("ingress.greeting_delay", 554, "5.5.1", "You spoke before the greeting")
TURNED_AWAY = refuse("turned away", 503, "5.5.1", "No mail is accepted in this session, send QUIT")
NO_REVERSE_DNS = refuse(
    "ingress.require_reverse_dns", 550, "5.7.25", "Your address has no name in DNS that leads back to it"
)
REVERSE_DNS_TROUBLE = refuse(
    "ingress.require_reverse_dns", 450, "4.7.25", "The name of your address cannot be looked up now, try again later"
)
NOT_VERIFIED = refuse(
    "relay.hosted.verify", 550, "5.1.1", "No such recipient: the mail server of the domain refuses it"
)
VERIFY_LATER = refuse(
    "ingress.call_out.uncertain", 451, "4.4.3", "The recipient cannot be verified now, try again later"
)
DENIED_SENDER = refuse("relay.denied_senders", 550, "5.7.1", "Mail from this sender is not allowed")
FOREIGN_SENDER = refuse("auth.senders", 550, "5.7.1", "You may not use this sender address")
SPOOFED_SENDER = refuse(
    "relay.allow_hosted_senders_from_outside", 550, "5.7.1", "Mail from this domain is not accepted from outside"
)
RELAYING_DENIED = refuse("relay.hosted", 550, "5.7.1", "Relaying denied")
ROUTED_LOCAL_PART = refuse("local part", 550, "5.7.1", "Relaying denied: local part with routing characters")
NO_SUCH_USER = refuse("relay.hosted.recipients", 550, "5.1.1", "No such recipient here")
NULL_RECIPIENT = refuse("syntax", 553, "5.1.3", "The null path is not a recipient")
NEEDS_SMTPUTF8 = refuse("syntax", 553, "5.6.7", "A non-ASCII address needs the SMTPUTF8 parameter")

# Limits.
TOO_MANY_CONNECTIONS = refuse("ingress.max_connections", 421, "4.7.0", "Too many connections, try again later")
TOO_MANY_FROM_CLIENT = refuse(
    "ingress.max_connections_per_client", 421, "4.7.0", "Too many connections from your address, try again later"
)
RATE_CONNECTIONS = refuse(
    "ingress.rate.connections", 421, "4.7.0", "Too many connections in this time, try again later"
)
RATE_MESSAGES = refuse("ingress.rate.messages", 450, "4.7.1", "Too many messages in this time, try again later")
RATE_RECIPIENTS = refuse("ingress.rate.recipients", 450, "4.7.1", "Too many recipients in this time, try again later")
RATE_BYTES = refuse("ingress.rate.bytes", 450, "4.7.1", "Too much mail in this time, try again later")
TOO_MANY_RECIPIENTS = refuse("ingress.max_recipients", 452, "4.5.3", "Too many recipients in this transaction")
HELD_TOO_LONG = refuse("ingress.max_hold", 501, "5.5.4", "Mail is not held for that long")
TOO_LARGE = refuse("ingress.max_message_size", 552, "5.3.4", "Message exceeds the size limit")
NO_ROOM = refuse("ingress.buffer", 452, "4.3.1", "Out of buffer space, try again later")
TIMED_OUT = refuse("ingress.command_timeout", 421, "4.4.2", "Timed out waiting for you, goodbye")
DATA_TIMED_OUT = refuse("ingress.data_timeout", 421, "4.4.2", "Timed out waiting for the message, goodbye")
TOO_SLOW = refuse("ingress.minimum_rate", 421, "4.4.2", "The message comes too slowly, goodbye")

# Mail authentication.
SPF_FAIL = refuse(
    "ingress.authentication.spf_fail", 550, "5.7.23", "The sender's domain does not allow your address (SPF)"
)
DMARC_REJECT = refuse(
    "ingress.authentication.dmarc", 550, "5.7.1", "Refused by the policy of the author's domain (DMARC)"
)
SEVERAL_AUTHORS = refuse("ingress.authentication.dmarc", 550, "5.7.1", "The message has more than one author's domain")

# Content.
HEADER_TOO_LARGE = refuse("content", 552, "5.3.4", "The header section is larger than 1 MiB")
BARE_LINE_END = refuse("ingress.bare_line_ends", 550, "5.6.0", "Message contains a bare CR or LF; lines end in CRLF")
NUL_OCTET = refuse("content", 550, "5.6.0", "Message contains a NUL octet")
TOO_MANY_HOPS = refuse("ingress.max_hops", 554, "5.4.6", "Too many hops, the message is going round")
FOREIGN_AUTHOR = refuse("auth.check_from_header", 550, "5.7.1", "You may not use the address in the From field")
OWN_LOOP = refuse("loop", 554, "5.4.6", "The message has passed through here three times already")

# Our own trouble.
BROKER_TROUBLE = refuse("broker", 451, "4.3.2", "Temporarily unable to accept mail, try again later")
BROKER_FULL = refuse("broker full", 452, "4.3.1", "Out of queue space, try again later")
INTERNAL = refuse("internal error", 451, "4.3.0", "Internal error, try again later")
SHUTTING_DOWN = refuse("shutdown", 421, "4.3.2", "Service shutting down, try again later")


def listed(address: str, zone: str) -> Refuse:
    """Return the reply to a client that a block list has."""
    return refuse("ingress.dnsbl.zones", 550, "5.7.1", f"Your address {address} is listed by {zone}")


def bad_sender(reason: str) -> Refuse:
    """Return the reply to a MAIL whose path does not parse (5.1.7: bad sender's mailbox address syntax)."""
    return refuse("address", 553, "5.1.7", f"Bad sender address: {reason}")


def bad_recipient(reason: str) -> Refuse:
    """Return the reply to a RCPT whose path does not parse (5.1.3: bad destination mailbox address syntax)."""
    return refuse("address", 553, "5.1.3", f"Bad recipient address: {reason}")


def bad_parameter(reason: str) -> Refuse:
    """Return the reply to a parameter that is known and whose value is not one of its own."""
    return refuse("parameter", 501, "5.5.4", reason)


def unknown_parameter(name: str) -> Refuse:
    """Return the reply to a parameter not offered to this client."""
    return refuse("parameter", 555, "5.5.4", f"Parameter {name} not recognised or not offered")


def bad_author(reason: str) -> Refuse:
    """Return the reply to a submitted message whose From field does not say clearly who wrote it."""
    return refuse("auth.check_from_header", 550, "5.7.1", f"Bad From field: {reason}")
