"""OAUTHBEARER (RFC 7628) and XOAUTH2: a token in the client's one message, as values."""

import json
import re
from typing import NamedTuple

_PAIR = re.compile(r"([A-Za-z]+)=([!-~ \t\r\n]*)")
_VALUE = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/-]+=*)")
"""RFC 6750 section 2.1; the scheme in any case."""

OAUTHBEARER_ERROR = json.dumps({"status": "invalid_token"}, separators=(",", ":")).encode()
"""The challenge that says why not (RFC 7628 section 3.2.2); the client answers with one octet or with nothing."""
XOAUTH2_ERROR = json.dumps({"status": "401", "schemes": "bearer"}, separators=(",", ":")).encode()


class Bearer(NamedTuple):
    """What a client presents. Never logged."""

    identity: str
    """Whom the client says it is; "" if it leaves that to the token."""
    token: str

    def __repr__(self) -> str:
        return f"Bearer(identity={self.identity!r}, token=(hidden))"


def read_oauthbearer(message: bytes) -> Bearer | None:
    """Read `n,a=user,^Ahost=…^Aport=…^Aauth=Bearer token^A^A`; None if it is not that. No channel binding."""
    header, *pairs = _split(message)
    binding, *rest = header.split(",")
    if binding not in ("n", "y") or len(rest) != 2 or rest[1]:
        return None
    identity = _unescaped(rest[0].removeprefix("a=")) if rest[0].startswith("a=") else rest[0] or ""
    if identity is None or (rest[0] and not rest[0].startswith("a=")):
        return None
    return _bearer(identity, pairs)


def read_xoauth2(message: bytes) -> Bearer | None:
    """Read `user=name^Aauth=Bearer token^A^A`; None if it is not that."""
    first, *pairs = _split(message)
    name = first.removeprefix("user=")
    return _bearer(name, pairs) if name and name != first else None


def _split(message: bytes) -> list[str]:
    try:
        return message.decode().split("\x01")
    except UnicodeDecodeError:
        return [""]


def _bearer(identity: str, pairs: list[str]) -> Bearer | None:
    """Read what follows the first field: pairs, and the two ^A at the end."""
    if len(pairs) < 3 or pairs[-2:] != ["", ""]:
        return None
    found = [_PAIR.fullmatch(pair) for pair in pairs[:-2]]
    values = [pair[2] for pair in found if pair is not None and pair[1].lower() == "auth"]
    token = _VALUE.fullmatch(values[0]) if len(values) == 1 and None not in found else None
    return Bearer(identity, token[1]) if token else None


def _unescaped(text: str) -> str | None:
    """Return a saslname with its escapes undone (RFC 5801 section 4); None if it is not one."""
    if not text or "=" in text.replace("=2C", "").replace("=3D", ""):
        return None
    return text.replace("=2C", ",").replace("=3D", "=")
