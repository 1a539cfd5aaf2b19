"""Forward-confirmed reverse DNS: the name of a client's address, if that name has the address (RFC 8601 section 3)."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from services.ingress import replies
from services.ingress.policy.lists import Address, plain_address
from services.ingress.replies import Refuse
from shared.dns.port import AddressAnswer, Resolver, Status

MAX_NAMES = 10
"""So many of an address's names are tried (as in RFC 7208 section 4.6.4)."""
TIMEOUT = 5.0
"""Seconds for all of it, after which it has failed for now."""


class Reverse(NamedTuple):
    """What became of the question."""

    status: Status
    """FOUND; NO_NAME: the address has none; NO_DATA: none that leads back; FAILED: not known now."""
    name: str | None = None


def confirmed(address: Address, answers: Mapping[str, AddressAnswer]) -> Reverse:
    """Judge by the addresses of each name, in the order of the names."""
    for name, answer in answers.items():
        if any(plain_address(text) == address for text in answer.addresses):
            return Reverse(Status.FOUND, name)
    failed = any(answer.status is Status.FAILED for answer in answers.values())
    return Reverse(Status.FAILED if failed else Status.NO_DATA)


def decide(reverse: Reverse) -> Refuse | None:
    """Return why a client without a confirmed name is refused."""
    if reverse.status is Status.FOUND:
        return None
    return replies.REVERSE_DNS_TROUBLE if reverse.status is Status.FAILED else replies.NO_REVERSE_DNS


async def look_up(resolver: Resolver, address: Address, within: float = TIMEOUT) -> Reverse:
    """Ask for the names of an address, and for the addresses of each."""
    try:
        async with asyncio.timeout(within):
            pointer = await resolver.ptr(str(address))
            if pointer.status is not Status.FOUND:
                return Reverse(Status.FAILED if pointer.status is Status.FAILED else Status.NO_NAME)
            names = sorted(filter(None, pointer.names))[:MAX_NAMES]
            forward = resolver.ipv4 if address.version == 4 else resolver.ipv6
            answers = await asyncio.gather(*(forward(name) for name in names))
    except TimeoutError:
        return Reverse(Status.FAILED)
    return confirmed(address, dict(zip(names, answers, strict=True)))
