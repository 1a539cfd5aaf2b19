"""Which user a TLS client certificate stands for (EXTERNAL, RFC 4422 appendix A). Pure.

The certificate has been verified by the handshake: signed by an authority of `tls.client_ca`, in force, and for TLS
clients. Its names are the mailboxes of its subjectAltName and the common name of its subject.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from services.ingress.auth.users import canonical_name


def names(certificate: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the mailboxes and the common names of a certificate as `ssl` describes it, in lower case."""
    mailboxes = tuple(_safe(value) for kind, value in certificate.get("subjectAltName", ()) if kind == "email")
    pairs: Iterator[tuple[str, str]] = (pair for part in certificate.get("subject", ()) for pair in part)
    return tuple(filter(None, mailboxes)), tuple(filter(None, (_safe(v) for k, v in pairs if k == "commonName")))


def user_of(certificate: Mapping[str, Any], table: Mapping[str, str], users: Collection[str]) -> str | None:
    """Return the user's canonical name, or None.

    A name in `table` stands for the user written beside it. Without one, a mailbox stands for the user of the same
    name if there is one; a common name never does, since it may be anything. Two users are none.
    """
    mailboxes, common = names(certificate)
    mapped = {canonical_name(table[name]) for name in (*mailboxes, *common) if name in table}
    found = mapped or {name for name in mailboxes if name in users}
    return found.pop() if len(found) == 1 else None


def _safe(name: str) -> str:
    """Return a name in lower case, "" for one that programs read in different ways."""
    return canonical_name(name) if name.isprintable() and name == name.strip() else ""
