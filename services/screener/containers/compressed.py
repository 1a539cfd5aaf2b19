"""Files that hold one compressed file: gzip, bzip2, xz, lzma; zstd by name only, no decoder is in Python 3.11."""

from collections.abc import Iterator

from services.screener.containers.member import Found, Member, Sign
from services.screener.containers.streams import bunzip, gunzip, unxz
from services.screener.mime.words import decode_octets

_LONGEST = 1024
_FEXTRA, _FNAME = 4, 8


def read_gzip(octets: bytes) -> Iterator[Found]:
    """Yield the content, named as the header says (RFC 1952 section 2.3)."""
    yield Member(_name(octets), open=lambda: gunzip(octets))


def read_bzip2(octets: bytes) -> Iterator[Found]:
    """Yield the content; the format has no names."""
    yield Member((), open=lambda: bunzip(octets, 0, len(octets)))


def read_xz(octets: bytes) -> Iterator[Found]:
    """Yield the content; the format has no names."""
    yield Member((), open=lambda: unxz(octets, 0, len(octets)))


def read_zstd(_: bytes) -> Iterator[Found]:
    """Say that the content cannot be seen; its name is the file's without the suffix (RFC 8878)."""
    yield Sign.UNREADABLE
    yield Member(())


def _name(octets: bytes) -> tuple[str, ...]:
    if len(octets) < 10 or not octets[3] & _FNAME:
        return ()
    start = 10
    if octets[3] & _FEXTRA:
        start += 2 + int.from_bytes(octets[10:12], "little")
    end = octets.find(b"\0", start, start + _LONGEST)
    return (decode_octets(octets[start:end]),) if end > start else ()
