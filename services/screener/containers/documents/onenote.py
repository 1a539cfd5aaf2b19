"""OneNote: the files that a section holds, and what they are called (MS-ONESTORE 2.6.13, MS-ONE 2.3.61, 2.3.62)."""

from collections.abc import Iterator
from functools import partial
from itertools import islice

from services.screener.containers.member import Found, Member, Sign
from services.screener.containers.streams import stored

SIGNATURE = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")
_FILE = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
_NAME = bytes.fromhex("9c1d001c")
"""The property EmbeddedFileName; the values of all properties of an object follow the list of what they are."""
_MOST = 1000
_NEAR = 512
"""Octets after the property's number in which its value begins."""


def read_onenote(octets: bytes) -> Iterator[Found]:
    """Yield every file, and every name: which name is whose stands in a third place."""
    yield from (Member((name,)) for name in dict.fromkeys(islice(_names(octets), _MOST)))
    at = octets.find(_FILE)
    for _ in range(_MOST):
        if at < 0:
            return
        size = int.from_bytes(octets[at + 16 : at + 24], "little")
        start = at + 36
        yield Member((), open=partial(stored, octets, start, min(len(octets), start + size)))
        at = octets.find(_FILE, at + 16)
    yield Sign.OVER_LIMIT


def _names(octets: bytes) -> Iterator[str]:
    """Yield the strings near each mention of the property: its value, and the path that the file came from."""
    at = octets.find(_NAME)
    for _ in range(_MOST):
        if at < 0:
            return
        found = (_string(octets, place) for place in range(at + 4, at + 4 + _NEAR))
        yield from islice(filter(None, found), 2)
        at = octets.find(_NAME, at + 4)


def _string(octets: bytes, at: int) -> str:
    """Return the string with its length before it and a NUL at its end that begins here, or nothing."""
    size = int.from_bytes(octets[at : at + 4], "little")
    if not 4 <= size <= 1024 or octets[at + 2 + size : at + 4 + size] != b"\0\0":
        return ""
    text = octets[at + 4 : at + 2 + size].decode("utf-16-le", "replace")
    return text if text.isprintable() and "\ufffd" not in text else ""
