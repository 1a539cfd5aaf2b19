"""MTA-STS as it is written (RFC 8461): the record, the policy, its patterns. Pure."""

import re
from collections.abc import Sequence
from enum import StrEnum

import msgspec

MAX_AGE = 31_557_600
"""Seconds for which a policy is believed at most: a year (section 3.2)."""

_RECORD = re.compile(
    rb"v=STSv1[ \t]*;(?:[ \t]*(?!id=)[\w.-]+=[^;]*;)*[ \t]*id=([A-Za-z0-9]{1,32})[ \t]*(?:;.*)?", re.DOTALL
)
_VERSION = re.compile(rb"v=STSv1[ \t]*;")
_PATTERN = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_AGE = re.compile(r"[0-9]{1,10}")


class Mode(StrEnum):
    """What a domain asks senders to do with hosts that fail its policy."""

    ENFORCE = "enforce"
    """Not to deliver to them."""
    TESTING = "testing"
    """To deliver, and to report."""
    NONE = "none"


class StsPolicy(msgspec.Struct, frozen=True):
    """A domain's policy."""

    mode: Mode
    max_age: int
    """Seconds."""
    patterns: tuple[str, ...] = ()
    """Names of mail hosts, in lower case; "*." stands for one label."""


def policy_id(records: Sequence[bytes]) -> str | None:
    """Return the id of the policy that a domain says it has, from the TXT records at `_mta-sts`.

    None if there is no record, several, or one that is not to be understood: no policy then (section 3.1).
    """
    ours = [record for record in records if _VERSION.match(record)]
    match = _RECORD.fullmatch(ours[0]) if len(ours) == 1 else None
    return match[1].decode() if match else None


def parse(body: bytes) -> StsPolicy:
    """Read a policy file. Raise ValueError with what is wrong (section 3.2).

    Unknown fields are passed over, and of a repeated field, `mx` apart, the first counts.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    fields: dict[str, str] = {}
    patterns: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        name, colon, value = (part.strip(" \t") for part in line.partition(":"))
        if name == "mx":
            patterns.append(value.lower().removesuffix("."))
        elif colon:
            fields.setdefault(name, value)
        elif name:
            raise ValueError(f"a line without a colon: {line[:60]!a}")
    return _policy(fields, patterns)


def _policy(fields: dict[str, str], patterns: list[str]) -> StsPolicy:
    if fields.get("version") != "STSv1":
        raise ValueError("no version: STSv1")
    mode, age = fields.get("mode", ""), fields.get("max_age", "")
    if mode not in set(Mode):
        raise ValueError(f"no mode that is known: {mode[:60]!a}")
    if not _AGE.fullmatch(age):
        raise ValueError(f"no max_age: {age[:60]!a}")
    bad = next((pattern for pattern in patterns if not _PATTERN.fullmatch(pattern)), None)
    if bad is not None:
        raise ValueError(f"not a pattern of hosts: {bad[:60]!a}")
    if not patterns and mode != Mode.NONE:
        raise ValueError("no mx")
    return StsPolicy(Mode(mode), min(int(age), MAX_AGE), tuple(dict.fromkeys(patterns)))


def allows(policy: StsPolicy, host: str) -> bool:
    """Tell whether a mail host is one of the policy's; "*." stands for exactly one label (section 4.1)."""
    label, _, parent = host.partition(".")
    return host in policy.patterns or (bool(label) and f"*.{parent}" in policy.patterns)


def vouches(policy: StsPolicy | None, host: str) -> bool:
    """Tell whether a domain says by its policy, whatever its mode, that the mail host is its own."""
    return policy is not None and policy.mode is not Mode.NONE and allows(policy, host)
