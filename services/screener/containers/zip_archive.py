"""Zip archives by an own parser: every local header against the directory (SCREENING 59).

Programs believe either; Python's zipfile only the directory, so that what others see would pass.
"""

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, pairwise

from services.screener.containers.member import CHUNK, ContainerError, Found, Member, Sign
from services.screener.containers.streams import bunzip, inflate, lzma_filter, stored, unlzma, unxz, unzstd
from services.screener.containers.zip_records import (
    CENTRAL,
    END,
    LOCAL,
    Directory,
    Header,
    directory_at,
    directory_entries,
    find_directory,
    local_header,
)
from services.screener.mime.words import decode_octets

MOST = 3000
"""Entries that are looked at; an archive with more is over the limit."""
_SIZES_FOLLOW = 8
_MASKED = 0x2000
_MARKS = 64
_LONGEST = 1024
"""Octets of a name that are looked at: the last ones, which tell what opens it."""
_MANIFEST = b"META-INF/MANIFEST.MF"
_STORED, _DEFLATE, _BZIP2, _LZMA, _OLD_ZSTD, _ZSTD, _XZ = 0, 8, 12, 14, 20, 93, 95


def is_zip(octets: bytes) -> bool:
    """Return whether it begins as a zip file, or ends as one whatever it begins as (SCREENING 70)."""
    if octets.startswith((LOCAL, END, b"PK00PK\x03\x04")):
        return True
    directory = find_directory(octets)
    return directory is not None and octets.startswith(CENTRAL, directory.start)


def is_buried_zip(octets: bytes) -> bool:
    """Return whether one stands so far from both ends that only a program finds it that searches all of the file.

    Very many marks of an end without a directory are as good as one: nothing else has them.
    """
    at = octets.find(END)
    for _ in range(_MARKS):
        if at < 0:
            return False
        directory = directory_at(octets, at)
        if directory is not None and octets.startswith(CENTRAL, directory.start):
            return True
        at = octets.find(END, at + 4)
    return at >= 0


def read_zip(octets: bytes) -> Iterator[Found]:
    """Yield every member that the directory or a local header names."""
    directory = find_directory(octets)
    if directory is None:
        if octets.find(LOCAL) >= 0:
            yield Sign.MALFORMED
            yield from _hidden(octets, 0, len(octets))
        return
    if directory.entries > MOST:
        yield Sign.OVER_LIMIT
    entries = list(islice(directory_entries(octets, directory), MOST))
    if _is_doubtful(octets, directory, len(entries)):
        yield Sign.MALFORMED
    if any(entry.name.upper() == _MANIFEST for entry in entries):
        yield Member((), type="application/java-archive")  # whatever it begins as, and wherever the manifest stands
    taken: list[tuple[int, int]] = []
    for entry in entries:
        local = local_header(octets, entry.local)
        yield from _check(entry, local)
        if local is not None:
            taken.append((local.local, local.end + entry.packed))
        yield from _member(octets, entry, local)
    if directory.entries <= MOST:
        yield from _between(octets, directory, sorted(taken))


def _is_doubtful(octets: bytes, directory: Directory, entries: int) -> bool:
    """Return whether the directory is not the whole truth; a file of another nature may have more round it."""
    appended = octets[directory.after :].strip(b"\0\r\n\t ")
    spanned = directory.prefix == 4 and octets.startswith(b"PK00")
    is_all = octets.startswith(b"PK")
    return (
        directory.doubtful
        or (is_all and (bool(appended) or (directory.prefix > 0 and not spanned)))
        or (entries != directory.entries and entries < MOST)
    )


def _check(entry: Header, local: Header | None) -> Iterator[Found]:
    if entry.flags & _MASKED:
        yield Sign.ENCRYPTED
    if local is None or entry.packed > entry.size + (1 << 20):
        yield Sign.MALFORMED
        return
    differs = (
        local.method != entry.method
        or (local.flags ^ entry.flags) & 1
        or (_plain(local.name) != _plain(entry.name) and not entry.flags & _MASKED)
    )
    sizes = not local.flags & _SIZES_FOLLOW and (local.packed, local.size) != (entry.packed, entry.size)
    if differs or sizes:
        yield Sign.MALFORMED


def _plain(name: bytes) -> bytes:
    return name.replace(b"\\", b"/")


def _member(octets: bytes, entry: Header, local: Header | None) -> Iterator[Found]:
    """Yield a member in every reading: two where the method is said to be one and the data are another."""
    headers = (entry,) if local is None else (entry, local)
    raw = (name for header in headers for name in (header.name, *header.unicode_names))
    names = tuple(dict.fromkeys(decode_octets(name[-_LONGEST:]) for name in raw if name))
    encrypted = any(header.is_encrypted for header in headers)
    if encrypted or local is None or all(header.name.endswith(b"/") and not entry.size for header in headers):
        yield Member(names, entry.size, encrypted)
        return
    start, end = local.end, min(len(octets), local.end + entry.packed)
    for method in dict.fromkeys(header.method for header in headers):
        stream = _stream(octets, start, end, method)
        if stream is None:
            yield Sign.UNREADABLE
        yield Member(names, entry.size, open=stream)
    if _STORED in {header.method for header in headers} and _is_not_stored(octets, start, end, entry):
        yield Sign.MALFORMED
        yield Member(names, entry.size, open=partial(inflate, octets, start, end))


def _stream(octets: bytes, start: int, end: int, method: int) -> Callable[[], Iterator[bytes]] | None:
    readers: dict[int, Callable[[bytes, int, int], Iterator[bytes]]] = {
        _STORED: stored,
        _DEFLATE: inflate,
        _BZIP2: bunzip,
        _LZMA: _lzma,
        _OLD_ZSTD: unzstd,
        _ZSTD: unzstd,
        _XZ: unxz,
    }
    return partial(readers[method], octets, start, end) if method in readers else None


def _lzma(octets: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yield LZMA data that begin with two octets of version, two of length, and the properties (APPNOTE 5.8.8)."""
    length = int.from_bytes(octets[start + 2 : start + 4], "little")
    properties = octets[start + 4 : start + 4 + length]
    yield from unlzma(octets, start + 4 + length, end, [lzma_filter(properties)])


def _is_not_stored(octets: bytes, start: int, end: int, entry: Header) -> bool:
    """Return whether data said to be stored are not: another size, or another checksum (CVE-2026-0866)."""
    if entry.packed != entry.size:
        return True
    crc = 0
    for position in range(start, end, CHUNK):
        crc = zlib.crc32(octets[position : min(end, position + CHUNK)], crc)
    return crc != entry.crc


def _between(octets: bytes, directory: Directory, taken: list[tuple[int, int]]) -> Iterator[Found]:
    """Look for members that no entry of the directory names, and for data that two of them share."""
    if any(first[1] > second[0] for first, second in pairwise(taken)):
        yield Sign.MALFORMED
    at = 0
    for start, end in (*taken, (directory.start, directory.after)):
        yield from _unnamed(octets, at, start)
        at = max(at, end)
    yield from _unnamed(octets, directory.after, len(octets))


def _unnamed(octets: bytes, start: int, end: int) -> Iterator[Found]:
    """Yield the members there; in a file of another nature, a tar say, they may belong to another of its files."""
    found = list(_hidden(octets, start, end))
    if found and octets.startswith(b"PK"):
        yield Sign.MALFORMED
    yield from found


def _hidden(octets: bytes, start: int, end: int) -> Iterator[Found]:
    """Yield a member for every local header between two offsets."""
    at = octets.find(LOCAL, start, end)
    for _ in range(MOST):
        if at < 0:
            return
        header = local_header(octets, at)
        after = at + 4
        if header is not None and 0 < len(header.name) <= _LONGEST:
            packed = header.packed if header.packed and header.end + header.packed <= end else end - header.end
            yield from _member(octets, header._replace(packed=max(0, packed)), header)
            after = header.end + (header.packed if header.end + header.packed <= end else 0)
        at = octets.find(LOCAL, after, end)
    raise ContainerError(Sign.OVER_LIMIT)
