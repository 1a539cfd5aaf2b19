"""Message ids: 26 characters, sorted by time, made once at ingress and kept through every stage."""

import hashlib
import os

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U, so that an id read over the telephone survives."""

LENGTH = 26
_TIME_CHARS = 10


_PAIRS = [a + b for a in ALPHABET for b in ALPHABET]


def _base32(number: int, chars: int) -> str:
    """Return an even number of characters, most significant first."""
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(5 * chars - 10, -1, -10)])


def new_id(now: float, entropy: bytes | None = None) -> str:
    """Return a new id: 48 bits of milliseconds since the epoch, then 80 bits of `entropy` (default: the system's)."""
    random = int.from_bytes((entropy or os.urandom(10))[:10], "big")
    return _base32(int(now * 1000) & (1 << 48) - 1, _TIME_CHARS) + _base32(random, LENGTH - _TIME_CHARS)


def derive_id(parent: str, purpose: str, now: float) -> str:
    """Return the id of a message that a stage generates from another (a DSN, say).

    The same parent, purpose and millisecond give the same id, so work that a crash makes a stage do
    again produces recognisable duplicates: pass a `now` that is a fact of the parent, not of the clock.
    """
    digest = hashlib.sha256(f"{parent}\0{purpose}".encode()).digest()
    return new_id(now, digest[:10])
