"""Cabinet files: names of members, and content that is stored or packed by MSZIP (MS-CAB section 2, MS-MCI)."""

import contextlib
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from services.screener.containers.member import ContainerError, Found, Member, Sign
from services.screener.containers.solid import Solid
from services.screener.mime.words import decode_octets

SIGNATURE = b"MSCF\0\0\0\0"
_LONGEST = 512
_BLOCK = 32 * 1024
"""Octets that a block unpacks to at most, and that the next one may refer back to."""
_STORED, _MSZIP = 0, 1
_RESERVED = 4


class _Folder(NamedTuple):
    """What is packed as one stream, in blocks."""

    start: int
    blocks: int
    method: int


class _Head(NamedTuple):
    """What the header says; `reserved` are octets that others left in each block."""

    files: int
    listed: int
    folders: tuple[_Folder, ...]
    reserved: int


def read_cab(octets: bytes) -> Iterator[Found]:
    """Yield every file that the cabinet lists, and say if it is one of several, or packed by another method."""
    try:
        head = _head(octets)
    except (struct.error, ValueError):
        raise ContainerError(Sign.MALFORMED) from None
    if int.from_bytes(octets[30:32], "little") & 3:
        yield Sign.VOLUME
    streams = [Solid(partial(_unpacked, octets, folder, head.reserved)) for folder in head.folders]
    at = head.files
    for _ in range(head.listed):
        end = octets.find(b"\0", at + 16, at + 16 + _LONGEST)
        if end < 0:
            raise ContainerError(Sign.MALFORMED)
        size, start, folder = struct.unpack_from("<IIH", octets, at)
        name = octets[at + 16 : end].replace(b"\\", b"/")
        opened = None
        if folder < len(streams) and head.folders[folder].method in {_STORED, _MSZIP}:
            opened = streams[folder].opener(start, size)
        else:
            yield Sign.UNREADABLE
        yield Member((decode_octets(name),), size, open=opened)
        at = end + 1


def _head(octets: bytes) -> _Head:
    """Return the header; names of the cabinets before and after stand between it and the folders."""
    files, folders, count, flags = struct.unpack_from("<16xI6xHHH", octets)
    at, of_folder, of_block = 36, 0, 0
    if flags & _RESERVED:
        of_header, of_folder, of_block = struct.unpack_from("<HBB", octets, at)
        at += 4 + of_header
    for _ in range(2 * (flags & 1) + (flags & 2)):
        at = octets.index(b"\0", at, at + _LONGEST) + 1
    found = []
    for _ in range(folders):
        start, blocks, method = struct.unpack_from("<IHH", octets, at)
        found.append(_Folder(start, blocks, method & 0x0F))
        at += 8 + of_folder
    return _Head(files, count, tuple(found), of_block)


def _unpacked(octets: bytes, folder: _Folder, reserved: int) -> Iterator[bytes]:
    """Yield the blocks of a folder; with MSZIP each refers back to the one before it."""
    at, before = folder.start, b""
    for _ in range(folder.blocks):
        if at + 8 > len(octets):
            raise ContainerError(Sign.MALFORMED)
        packed, size = struct.unpack_from("<4xHH", octets, at)
        at += 8 + reserved
        block = octets[at : at + packed]
        at += packed
        if folder.method == _MSZIP:
            block = before = _inflated(block, before)
        if len(block) != size:
            raise ContainerError(Sign.MALFORMED)
        yield block


def _inflated(block: bytes, before: bytes) -> bytes:
    decoder = zlib.decompressobj(-15, zdict=before)
    found = b""
    with contextlib.suppress(zlib.error):
        found = decoder.decompress(block[2:], _BLOCK)
    if block[:2] != b"CK" or not decoder.eof:
        raise ContainerError(Sign.MALFORMED)
    return found
