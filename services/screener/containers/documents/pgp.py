"""OpenPGP: messages that only their recipient can read, in armour or binary; nothing can be seen in them (RFC 9580)."""

import re
from collections.abc import Iterator

from services.screener.containers.member import Found, Sign

ARMOUR = b"-----BEGIN PGP MESSAGE-----"
_ARMOURED = re.compile(
    rb"(?:\A|\n)-----BEGIN PGP MESSAGE-----[ \t]*\r?\n"
    rb"(?:[A-Za-z]{1,20}: [^\n]{0,500}\n){0,10}[ \t]*\r?\n?[A-Za-z0-9+/=]{4}"
)
_KEY, _PASSWORD = 1, 3
"""Packets that hold a session's key: for a public key, for a password (section 5.1, 5.3)."""
_ENCRYPTED = frozenset({_KEY, _PASSWORD, 9, 18, 20})
"""Those, and what may follow them: encrypted data (section 5.7, 5.13)."""
_VERSIONS = {_KEY: (3, 6), _PASSWORD: (4, 5, 6)}


def is_pgp(octets: bytes) -> bool:
    """Return whether it is an encrypted message, or a text with one in it."""
    if octets[:1] >= b"\x80":
        return _begins_encrypted(octets)
    return ARMOUR in octets and _ARMOURED.search(octets) is not None


def read_pgp(_: bytes) -> Iterator[Found]:
    """Say that the content cannot be seen."""
    yield Sign.PGP


def _begins_encrypted(octets: bytes) -> bool:
    """Return whether a packet with a session's key comes first, and what belongs after it second."""
    first, start, size = _packet(octets, 0)
    if first not in _VERSIONS or octets[start : start + 1] not in {bytes((each,)) for each in _VERSIONS[first]}:
        return False
    second, _, _ = _packet(octets, start + size)
    return second in _ENCRYPTED


def _packet(octets: bytes, at: int) -> tuple[int, int, int]:
    """Return the type of a packet, where its body begins, and its length; 0 for none (section 4.2)."""
    head = octets[at : at + 6]
    if len(head) < 6 or not head[0] & 0x80:
        return 0, 0, 0
    if head[0] & 0x40:
        if head[1] < 192:
            return head[0] & 0x3F, at + 2, head[1]
        if head[1] < 224:
            return head[0] & 0x3F, at + 3, ((head[1] - 192) << 8) + head[2] + 192
        return head[0] & 0x3F, at + 6, int.from_bytes(head[2:6])
    width = (1, 2, 4, 0)[head[0] & 3]
    return head[0] >> 2 & 0xF, at + 1 + width, int.from_bytes(head[1 : 1 + width])
