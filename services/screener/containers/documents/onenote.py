"""OneNote: the files that a section holds (MS-ONESTORE 2.6.13)."""

from collections.abc import Iterator
from functools import partial

from services.screener.containers.member import Found, Member, Sign
from services.screener.containers.streams import stored

SIGNATURE = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")
_FILE = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
_MOST = 1000


def read_onenote(octets: bytes) -> Iterator[Found]:
    """Yield every file; their names stand elsewhere, and are not looked for."""
    at = octets.find(_FILE)
    for _ in range(_MOST):
        if at < 0:
            return
        size = int.from_bytes(octets[at + 16 : at + 24], "little")
        start = at + 36
        yield Member((), open=partial(stored, octets, start, min(len(octets), start + size)))
        at = octets.find(_FILE, at + 16)
    yield Sign.OVER_LIMIT
