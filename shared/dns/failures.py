"""Why DNS gave no answer, in words for reports: no name server's address, no exception's name. Pure."""

import os

import dns.exception
import dns.resolver

from shared.dns.exchange import NotRecursive


def reason(error: Exception) -> str:
    """Return what each name server did, each kind of it once."""
    tries = error.kwargs.get("errors") if isinstance(error, dns.exception.DNSException) else None
    return ", ".join(dict.fromkeys(_word(one[3]) for one in tries)) if tries else _word(error)


def _word(what: object) -> str:
    """Return one try's end: a response code as text, or an exception."""
    if isinstance(what, str):
        return what
    if isinstance(what, dns.exception.Timeout):
        return "timed out"
    if isinstance(what, OSError) and what.errno:
        return os.strerror(what.errno)
    if isinstance(what, EOFError):
        return "connection closed"
    if isinstance(what, NotRecursive):
        return "the name server does not recurse"
    return f"malformed answer ({type(what).__name__})"
