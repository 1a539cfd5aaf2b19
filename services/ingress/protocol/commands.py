"""A command line as a value (RFC 5321 section 4.1.1)."""

import re
from typing import NamedTuple

from services.ingress import replies
from services.ingress.replies import Refuse

MAX_LINE = 4096
"""Octets of a command: room for a 256 octet path, 500 of ORCPT and all the rest (RFC 5321 4.5.3.1.4, RFC 3461 5)."""
MAX_AUTH_LINE = 12288
"""Octets of AUTH and of a response in its dialogue (RFC 4954 section 4)."""

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_OTHER_PROTOCOLS = frozenset({"PROXY", "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"})


class Command(NamedTuple):
    """One command; the verb in upper case, the argument with its case kept and without spaces around it."""

    verb: str
    argument: str


def parse_command(line: bytes) -> Command | Refuse:
    """Read a line that came without its line end."""
    if len(line) > (MAX_AUTH_LINE if line[:5].upper() == b"AUTH " else MAX_LINE):
        return _refused(line, replies.LINE_TOO_LONG)
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return _refused(line, replies.BAD_OCTETS)
    # Of ASCII, isprintable says no to just the control octets.
    if not (text.isprintable() if text.isascii() else _CONTROL.search(line) is None):
        return _refused(line, replies.BAD_OCTETS)
    verb, _, argument = text.partition(" ")
    if verb.isascii():  # upper case makes ASCII letters of some that are not: of U+017F an S
        verb = verb.upper()
    if verb in _OTHER_PROTOCOLS:
        # A browser or proxy made to talk to us must not go on to "send" a body full of commands.
        return replies.NO_BALANCER if verb == "PROXY" else replies.NOT_SMTP
    return Command(verb, argument.strip(" "))


def too_long(beginning: bytes) -> Refuse:
    """Return the refusal of a line of which only the first octets were kept."""
    return _refused(beginning, replies.LINE_TOO_LONG)


def _refused(line: bytes, why: Refuse) -> Refuse:
    """Return the refusal of a line; after a faulty BDAT, what follows would be content taken for commands."""
    return replies.BDAT_SYNTAX if line[:4].upper() == b"BDAT" else why
