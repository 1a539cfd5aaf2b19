"""DNS lists of client addresses (RFC 5782): what is asked, and which answers count."""

import asyncio
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from services.ingress.policy.lists import Address
from shared.dns.port import AddressAnswer, Resolver, Status

LATE = AddressAnswer(Status.FAILED, detail="no answer in time")
ENTRY, NOBODY = "127.0.0.2", "127.0.0.1"
"""Every list of IPv4 addresses has the one and lacks the other, so that it can be tested (section 5)."""
_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
_ERRORS = ipaddress.ip_network("127.255.255.0/24")
"""How large lists say that they do not serve whoever asks; not one of these is about the address."""
_REFUSED = ipaddress.ip_address("127.0.0.1")
"""How others say it."""


class DnsList(NamedTuple):
    """One list."""

    zone: str
    answers: tuple[frozenset[int], ...] | None = None
    """The octets of the answers that count; None: whatever is an entry by convention."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "zone" or "zone=127.0.0.[2..11;14]", which is known to be well-formed."""
        zone, equals, answers = text.partition("=")
        fields = re.split(r"\.(?![^\[]*\])", answers)  # at the dots outside of brackets
        return cls(zone, tuple(map(_octets, fields)) if equals else None)

    def question(self, address: Address) -> str:
        """Return the name to ask for: octets or nibbles in reverse, in front of the zone (sections 2.1 and 2.4)."""
        reverse = address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
        return f"{reverse}.{self.zone}"

    def has(self, answer: AddressAnswer) -> bool:
        """Return whether an answer means that the address is on the list. A failure means that it is not."""
        return any(self._counts(ipaddress.ip_address(text)) for text in answer.addresses)

    def trouble(self, answer: AddressAnswer) -> str | None:
        """Return what is wrong with the list itself, if its answer is none."""
        if answer.status is Status.FAILED:
            return answer.detail or "failed"
        odd = [text for text in answer.addresses if _is_odd(ipaddress.ip_address(text))]
        return f"answers {', '.join(odd)}, which is about nobody" if odd and not self.has(answer) else None

    def fault(self, entry: AddressAnswer, nobody: AddressAnswer) -> str | None:
        """Return what is wrong with the list by its answers about ENTRY, which it must have, and NOBODY, which not."""
        for answer in (entry, nobody):
            trouble = self.trouble(answer)
            if trouble is not None:
                return trouble
        if not entry.addresses:
            return f"lacks its test entry {ENTRY}: it is no list, or does not serve this resolver"
        return "has every address" if nobody.addresses else None

    def _counts(self, answer: Address) -> bool:
        if self.answers is None:
            return not _is_odd(answer)
        return all(octet in octets for octet, octets in zip(answer.packed, self.answers, strict=True))


def _is_odd(answer: Address) -> bool:
    """Return whether an answer is no entry: an error, or what a zone given up by its owner answers to everything."""
    return answer not in _LOOPBACK or answer in _ERRORS or answer == _REFUSED


def _octets(field: str) -> frozenset[int]:
    """Read one number or "[2..11;14]"."""
    found: set[int] = set()
    for part in field.strip("[]").split(";"):
        first, _, last = part.partition("..")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def listed_by(blocks: Sequence[DnsList], allows: Sequence[DnsList], answers: Mapping[DnsList, AddressAnswer]) -> str:
    """Return the zone of the first block list that has the address, "" if none has or an allow list has it too."""
    if any(one.has(answers[one]) for one in allows):
        return ""
    return next((one.zone for one in blocks if one.has(answers[one])), "")


async def ask(
    resolver: Resolver, address: Address, lists: Sequence[DnsList], within: float
) -> dict[DnsList, AddressAnswer]:
    """Ask all lists at once; who has not answered in time has failed."""
    if not lists:
        return {}
    tasks = {one: asyncio.create_task(resolver.ipv4(one.question(address))) for one in lists}
    try:
        await asyncio.wait(tasks.values(), timeout=within)
        return {one: task.result() if task.done() else LATE for one, task in tasks.items()}
    finally:
        for task in tasks.values():
            task.cancel()
