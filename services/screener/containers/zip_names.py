"""Names of a zip file's members, encrypted ones too (APPNOTE 4.3.7, 4.3.12).

Programs differ on which of a zip's lists they believe, so names come from every local header and every entry of a
central directory, wherever they stand (SCREENING 59). A stored zip inside shows its names as well.
"""

from services.screener.mime.words import decode_octets

MOST = 3000
"""Members that are looked at; a zip with more is over the limit."""
_LOCAL = (b"PK\x03\x04", 26, 30)
_CENTRAL = (b"PK\x01\x02", 28, 46)
_LONGEST = 1024
"""Octets of a name; no program unpacks a longer one, and compressed data now and then looks like a header."""


def member_names(octets: bytes) -> tuple[tuple[str, ...], bool]:
    """Return the names of all members, each once, and whether there were more than MOST."""
    found: dict[bytes, None] = {}
    looked_at = 0
    for signature, length_at, name_at in (_LOCAL, _CENTRAL):
        position = octets.find(signature)
        while position >= 0:
            length = int.from_bytes(octets[position + length_at : position + length_at + 2], "little")
            name = octets[position + name_at : position + name_at + length]
            if 0 < len(name) == length <= _LONGEST:
                found[name] = None
            looked_at += 1
            if len(found) > MOST or looked_at > 10 * MOST:
                return _texts(found), True
            position = octets.find(signature, position + len(signature))
    return _texts(found), False


def _texts(names: dict[bytes, None]) -> tuple[str, ...]:
    return tuple(decode_octets(name) for name in names)
