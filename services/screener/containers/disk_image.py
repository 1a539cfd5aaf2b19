"""Disk images: ISO 9660 with Joliet is read (ECMA-119); UDF, virtual disks and other images are only recognised."""

import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from services.screener.containers.member import ContainerError, Found, Member, Sign
from services.screener.containers.streams import stored
from services.screener.mime.words import decode_octets

_SECTOR = 2048
_MARKS = (
    *(b"conectix", b"vhdxfile", b"MSWIM\0\0\0", b"KDMV", b"QFI\xfb"),
    *(b"ALZ\x01", b"EGGA", b"7kSt", b"zPQ", b"xar!", b"!<arch>\ndebian", b"\xed\xab\xee\xdb"),
    *(b"LZIP", b"ZOO ", b"\x04\x22\x4d\x18"),  # the last: LZ4
)
_CPIO = re.compile(rb"07070[12][0-9A-Fa-f]{104}[^\0]{1,4096}\0")
_MOST = 10_000
"""Records that are looked at, those of empty sectors too."""
_VOLUMES = ((54, b"FAT1"), (82, b"FAT32"), (3, b"NTFS    "), (3, b"EXFAT   "))
"""What a boot sector says of its file system, and where."""


def is_iso(octets: bytes) -> bool:
    """Return whether an image's first descriptor stands where it must."""
    return octets.startswith(b"CD001", 16 * _SECTOR + 1)


class _Record(NamedTuple):
    name: bytes
    at: int
    size: int
    is_folder: bool


def read_iso(octets: bytes) -> Iterator[Found]:
    """Yield every file, as the primary descriptor lists it and as Joliet does; and say if UDF may list others.

    Windows shows what UDF lists where an image has both.
    """
    if any(octets.startswith((b"BEA01", b"NSR02", b"NSR03"), number * _SECTOR + 1) for number in range(16, 32)):
        yield Sign.UNREADABLE
    for number in range(16, 32):
        start = number * _SECTOR
        kind = octets[start : start + 1]
        root = _record(octets, start + 156)
        if not octets.startswith(b"CD001", start + 1) or kind not in {b"\1", b"\2"} or root is None:
            continue
        charset = "utf-16-be" if kind == b"\2" and octets.startswith(b"%/", start + 88) else ""
        yield from _files(octets, root, charset)


def _files(octets: bytes, root: _Record, charset: str) -> Iterator[Member]:
    """Walk the folders; each place in the image once, since a folder may contain itself."""
    open_folders, seen = [(root, "")], {root.at}
    looked = 0
    while open_folders:
        folder, path = open_folders.pop()
        for record in _records(octets, folder):
            looked += 1
            if looked > _MOST:
                raise ContainerError(Sign.OVER_LIMIT)
            if record is None:
                continue
            name = f"{path}{decode_octets(record.name, charset).removesuffix(';1').removesuffix('.')}"
            if not record.is_folder:
                end = min(len(octets), record.at + record.size)
                yield Member((name,), record.size, open=partial(stored, octets, record.at, end))
            elif record.at not in seen:
                seen.add(record.at)
                open_folders.append((record, f"{name}/"))


def _records(octets: bytes, folder: _Record) -> Iterator[_Record | None]:
    """Yield the records of a folder, None for what is none; itself and the folder that it is in are among them."""
    at, end = folder.at, min(len(octets), folder.at + folder.size)
    while at < end:
        yield _record(octets, at)
        at = at + octets[at] if octets[at] else (at // _SECTOR + 1) * _SECTOR  # no record crosses a sector


def _record(octets: bytes, at: int) -> _Record | None:
    record = octets[at : at + octets[at]] if at < len(octets) else b""
    if len(record) < 34:
        return None
    sector, size = (int.from_bytes(record[place : place + 4], "little") for place in (2, 10))
    return _Record(record[33 : 33 + record[32]], sector * _SECTOR, size, bool(record[25] & 2))


def is_closed(octets: bytes) -> bool:
    """Return whether it is an image or archive in a form that nothing here looks into (SCREENING 60, 61)."""
    return (
        octets.startswith(_MARKS)
        or _CPIO.match(octets) is not None
        or octets.startswith((b"conectix", b"koly"), max(0, len(octets) - 512))
        or octets.startswith((b"BEA01", b"NSR02", b"NSR03"), 16 * _SECTOR + 1)
        or octets.startswith(b"EFI PART\0\0\1\0", 512)
        or (octets[510:512] == b"\x55\xaa" and any(octets.startswith(mark, at) for at, mark in _VOLUMES))
        or octets.startswith(b"**ACE**", 7)
        or (octets.startswith(b"-l", 2) and octets[4:5] in {b"h", b"z"} and octets[6:7] == b"-")
        or (octets.startswith(b"\x1f\x9d") and octets[2:3] in {b"\x89", b"\x8c", b"\x8e", b"\x8f", b"\x90"})
        or (octets.startswith(b"\x60\xea") and octets[10:11] == b"\2" and octets[3:4] < b"\x0b")
    )


def read_closed(_: bytes) -> Iterator[Found]:
    """Say that nothing can be seen."""
    yield Sign.UNREADABLE
