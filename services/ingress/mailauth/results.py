"""The Authentication-Results field: ours written, and those that only claim to be ours cut out (RFC 8601)."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from services.ingress.mailauth.arc import ArcFinding
from services.ingress.mailauth.dkim import DkimFinding
from services.ingress.mailauth.dmarc import DmarcFinding
from services.ingress.mailauth.spf import SpfFinding
from shared.mailauth.authserv import TOKEN, authserv_id
from shared.mailauth.fields import Field

_NAME = b"authentication-results"
_UNSEEN = bytes(octet for octet in range(256) if not 0x20 < octet < 0x7F)
"""Octets that a lenient reader may overlook in a field's name."""
_PLAIN = re.compile(rf"{TOKEN}(?:@{TOKEN})?", re.ASCII)


class Identity(NamedTuple):
    """What SPF was asked about: the property ("mailfrom" or "helo") and its value."""

    property: str
    value: str


def results_field(
    hostname: str,
    identity: Identity,
    spf: SpfFinding,
    dkim: Sequence[DkimFinding],
    dmarc: DmarcFinding,
    arc: ArcFinding,
) -> bytes:
    """Return the whole field with its final CRLF; what came from outside is a token or quoted."""
    lines = [_line("spf", spf.result, spf.reason, {f"smtp.{identity.property}": identity.value})]
    for one in dkim:
        properties = {"d": one.domain, "s": one.selector, "a": one.algorithm, "b": one.b}
        lines.append(
            _line("dkim", one.result, one.reason, {f"header.{name}": text for name, text in properties.items() if text})
        )
    if not dkim:
        lines.append("dkim=none")
    result = f"{dmarc.result} (p={dmarc.policy})" if dmarc.policy else dmarc.result
    lines.append(_line("dmarc", result, dmarc.reason, {"header.from": dmarc.author} if dmarc.author else {}))
    if arc.result is not None:
        lines.append(_line("arc", arc.result, arc.reason, {}))
    return ("Authentication-Results: " + ";\r\n\t".join([hostname, *lines]) + "\r\n").encode("ascii")


def _line(method: str, result: str, reason: str, properties: dict[str, str]) -> str:
    words = [f"{method}={result}", *([f"reason={_quoted(reason)}"] if reason else [])]
    words += [f"{name}={text if _PLAIN.fullmatch(text) else _quoted(text)}" for name, text in properties.items()]
    return " ".join(words)


def _quoted(text: str) -> str:
    """Return a quoted string of printable ASCII, shortened; quotes and backslashes in it become apostrophes."""
    safe = "".join(char if " " <= char <= "~" else "?" for char in text[:200])
    return '"' + safe.replace("\\", "'").replace('"', "'") + '"'


def without_claims(fields: Sequence[Field], hostname: str) -> tuple[Field, ...]:
    """Return the fields but for those that would pass for our own results (section 5).

    A field of that name, however written, stays only if it clearly bears another name than ours.
    """
    return tuple(field for field in fields if not _is_claim(field, hostname))


def may_have_claims(section: bytes) -> bool:
    """Return whether a header section may have a field of that name, however it is written. Quick, for most have none.

    A look at the octets alone: `without_claims` decides.
    """
    return _NAME in section.translate(None, _UNSEEN).lower()


def _is_claim(field: Field, hostname: str) -> bool:
    name = field.raw.replace(b"\r\n", b"").partition(b":")[0]
    if name.translate(None, _UNSEEN).lower() != _NAME:
        return False
    identity = authserv_id(field.value)
    return identity is None or identity.rstrip(".") == hostname.lower()
