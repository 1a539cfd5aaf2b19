"""Files that hold one compressed file: gzip, bzip2, xz, lzma, zstd."""

from collections.abc import Iterator

from services.screener.containers.member import Found, Member
from services.screener.containers.streams import bunzip, gunzip, is_zstd_frame, unxz, unzstd
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


def is_zstd(octets: bytes) -> bool:
    """Return whether a frame of zstd begins the file: one that is skipped, as parallel writers have it, too."""
    return is_zstd_frame(octets, 0)


def read_zstd(octets: bytes) -> Iterator[Found]:
    """Yield the content; the format has no names (RFC 8878)."""
    yield Member((), open=lambda: unzstd(octets, 0, len(octets)))


def _name(octets: bytes) -> tuple[str, ...]:
    if len(octets) < 10 or not octets[3] & _FNAME:
        return ()
    start = 10
    if octets[3] & _FEXTRA:
        start += 2 + int.from_bytes(octets[10:12], "little")
    end = octets.find(b"\0", start, start + _LONGEST)
    return (decode_octets(octets[start:end]),) if end > start else ()
