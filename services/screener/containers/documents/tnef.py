"""TNEF, which Outlook sends as winmail.dat: attachments with all their names (MS-OXTNEF)."""

import struct
from collections.abc import Iterator
from functools import partial

from services.screener.containers.member import Found, Member, Sign
from services.screener.containers.streams import stored
from services.screener.mime.words import decode_octets

SIGNATURE = b"\x78\x9f\x3e\x22"
_RENDERING, _TITLE, _DATA, _PROPERTIES = 0x9002, 0x8010, 0x800F, 0x9005
_MOST = 3000
_NAMES = {0x3001, 0x3704, 0x3707}
_CONTENT = 0x3701
_FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4, 20: 8, 64: 8, 72: 16}
"""Octets of a value by its type, padding included (MS-OXCDATA 2.11.1)."""


class _Attachment:
    """What is known of the attachment that is being read."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.contents: list[bytes] = []

    def members(self) -> Iterator[Member]:
        names = tuple(dict.fromkeys(name for name in self.names if name))
        for content in dict.fromkeys(self.contents) or ((b"",) if names else ()):
            yield Member(names, open=partial(stored, content, 0, len(content)))


def read_tnef(octets: bytes) -> Iterator[Found]:
    """Yield every attachment."""
    at, current = 6, _Attachment()
    for _ in range(_MOST):
        if at >= len(octets):
            yield from current.members()
            return
        if at + 11 > len(octets) or octets[at] not in {1, 2}:
            break
        kind, length = (
            int.from_bytes(octets[at + 1 : at + 3], "little"),
            int.from_bytes(octets[at + 5 : at + 9], "little"),
        )
        value = octets[at + 9 : at + 9 + length]
        if len(value) != length:
            break
        at += 11 + length
        if kind == _RENDERING:
            yield from current.members()
            current = _Attachment()
        elif kind == _TITLE:
            current.names.append(decode_octets(value.partition(b"\0")[0]))
        elif kind == _DATA:
            current.contents.append(value)
        elif kind == _PROPERTIES and not _properties(value, current):
            break
    yield from current.members()
    yield Sign.MALFORMED


def _properties(octets: bytes, current: _Attachment) -> bool:
    """Take names and content out of a list of properties; False if it is cut off (MS-OXTNEF 2.1.3.4)."""
    try:
        at = 4
        for _ in range(min(int.from_bytes(octets[:4], "little"), _MOST)):
            kind, number = struct.unpack_from("<HH", octets, at)
            at = _past_name(octets, at + 4) if number >= 0x8000 else at + 4
            if kind & 0x0FFF in _FIXED and not kind & 0x1000:
                at += _FIXED[kind & 0x0FFF]
                continue
            (values,) = struct.unpack_from("<I", octets, at)
            at += 4
            for _ in range(min(values, _MOST)):
                if kind & 0x0FFF in _FIXED:
                    at += _FIXED[kind & 0x0FFF]
                    continue
                (length,) = struct.unpack_from("<I", octets, at)
                value = octets[at + 4 : at + 4 + length]
                at += 4 + -(-length // 4) * 4
                _take(kind, number, value, current)
    except struct.error:
        return False
    return True


def _past_name(octets: bytes, at: int) -> int:
    by_name, length = struct.unpack_from("<II", octets, at + 16)
    return at + 24 + (-(-length // 4) * 4 if by_name else 0)


def _take(kind: int, number: int, value: bytes, current: _Attachment) -> None:
    if number in _NAMES and kind in {0x1E, 0x1F}:
        text = value.decode("utf-16-le", "replace") if kind == 0x1F else decode_octets(value)
        current.names.append(text.partition("\0")[0])
    elif number == _CONTENT:
        current.contents.append(value[16:] if kind == 0x0D else value)  # an object begins with its class
