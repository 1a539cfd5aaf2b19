"""ARC sets in a header: found, put in order, or refused as a chain (RFC 8617 sections 4.2, 5.2). Pure."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from shared.mailauth.canonical import header
from shared.mailauth.fields import Field
from shared.mailauth.tags import read_tags

MAX_SETS = 50
RESULTS, SIGNATURE, SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
NAMES = frozenset((RESULTS, SIGNATURE, SEAL))

_INSTANCE = re.compile(r"[ \t]*i[ \t]*=[ \t]*([1-9][0-9]?)[ \t]*;", re.ASCII)
_ANY_INSTANCE = re.compile(r"(?:^|;)[ \t]*i[ \t]*=[ \t]*([0-9]{1,9})[ \t]*(?:;|$)", re.ASCII)


class ArcSet(NamedTuple):
    """What one relay added."""

    results: Field
    signature: Field
    seal: Field

    @property
    def claimed(self) -> str:
        """The seal's cv=: what its maker says of the chain before it; one of none, pass and fail."""
        return (read_tags(_text(self.seal)) or {}).get("cv", "").lower()


class BadChain(NamedTuple):
    """Why the sets in a header are no chain, whatever their signatures say."""

    reason: str


def read_chain(fields: Sequence[Field]) -> tuple[ArcSet, ...] | BadChain:
    """Return the sets, the oldest first; () if there is none."""
    found: dict[tuple[int, bytes], Field] = {}
    for field in fields:
        if field.name not in NAMES:
            continue
        number = _instance(field)
        if number is None:
            return BadChain("a field without i=")
        if (number, field.name) in found:
            return BadChain(f"two fields of one kind with i={number}")
        found[number, field.name] = field
    count = len(found) // len(NAMES)
    numbers = {number for number, _ in found}
    if numbers != set(range(1, count + 1)):
        return BadChain("the sets are not complete")
    if count > MAX_SETS:
        return BadChain(f"more than {MAX_SETS} sets")
    chain = tuple(
        ArcSet(*(found[number, name] for name in (RESULTS, SIGNATURE, SEAL))) for number in range(1, count + 1)
    )
    for number, one in enumerate(chain, 1):
        allowed = {"none"} if number == 1 else {"pass", "fail"} if number == count else {"pass"}
        if one.claimed not in allowed:
            return BadChain(f"cv={one.claimed[:20]!a} in the seal with i={number}")
    return chain


def highest_instance(fields: Sequence[Field]) -> int:
    """Return the highest i= of any ARC field, however broken the chain is; 0 if there is none."""
    texts = (_text(field) for field in fields if field.name in NAMES)
    return max((int(number) for text in texts for number in _ANY_INSTANCE.findall(text)), default=0)


def canonical_set(one: ArcSet) -> bytes:
    """Return a set as later seals cover it (section 5.1.1)."""
    return b"".join(header(field, relaxed=True) for field in one)


def _instance(field: Field) -> int | None:
    text = _text(field)
    if field.name == RESULTS:  # no list of tags: i= stands in front of the results
        found = _INSTANCE.match(text)
        return int(found[1]) if found else None
    value = (read_tags(text) or {}).get("i", "")
    return int(value) if re.fullmatch(r"[1-9][0-9]?", value, re.ASCII) else None


def _text(field: Field) -> str:
    return field.value.decode("latin-1")
