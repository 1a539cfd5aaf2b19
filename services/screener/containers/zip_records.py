"""The records of a zip file: local headers, central directory, its end, zip64 (APPNOTE 4.3)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_END64, _LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"
_LOCAL_FORM = struct.Struct("<4x2xHH4xIIIHH")
_CENTRAL_FORM = struct.Struct("<4x4xHH4xIIIHHH2x2x4xI")
_END_FORM = struct.Struct("<4xHHHHIIH")
_FULL = 0xFFFFFFFF
_ZIP64 = 1
_UNICODE_PATH = 0x7075
TAIL = 66_000
"""Octets from the end in which the directory's end must stand: 22 and a comment of at most 65,535."""


class Header(NamedTuple):
    """What a local header or an entry of the directory says of a member."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    """Octets in the file."""
    size: int
    """Octets unpacked."""
    local: int
    """Where the local header stands; of a local header itself."""
    end: int
    """Where the record ends; of a local header that is where the data begin."""
    unicode_names: tuple[bytes, ...] = ()
    """By extra fields: of several, programs take one or another."""

    @property
    def is_encrypted(self) -> bool:
        """Return whether the content is (traditional, strong, or AES)."""
        return bool(self.flags & 1) or self.method == 99


class Directory(NamedTuple):
    """Where the central directory is, by the record at its end."""

    start: int
    end: int
    entries: int
    prefix: int
    """Octets before the zip file proper."""
    after: int
    """Where the archive ends, comment included."""
    doubtful: bool
    """More than one end, a zip64 record that contradicts, or several disks."""


def local_header(octets: bytes, at: int) -> Header | None:
    """Return the local header at an offset, or None."""
    if not octets.startswith(LOCAL, at) or at + 30 > len(octets):
        return None
    flags, method, crc, packed, size, named, extra = _LOCAL_FORM.unpack_from(octets, at)
    name_end = at + 30 + named
    end = name_end + extra
    if end > len(octets):
        return None
    header = Header(octets[at + 30 : name_end], flags, method, crc, packed, size, at, end)
    return _with_extra(header, octets[name_end:end])


def directory_entries(octets: bytes, directory: Directory) -> Iterator[Header]:
    """Yield the directory's entries as far as they are whole."""
    at = directory.start
    while at + 46 <= directory.end and octets.startswith(CENTRAL, at):
        flags, method, crc, packed, size, named, extra, comment, local = _CENTRAL_FORM.unpack_from(octets, at)
        name_end = at + 46 + named
        end = name_end + extra + comment
        header = Header(octets[at + 46 : name_end], flags, method, crc, packed, size, local, end)
        header = _with_extra(header, octets[name_end : name_end + extra])
        yield header._replace(local=header.local + directory.prefix)
        at = end


def find_directory(octets: bytes) -> Directory | None:
    """Return the directory that the last end record names, or None."""
    start = max(0, len(octets) - TAIL)
    found: list[Directory] = []
    at = octets.rfind(END, start)
    while at >= 0:
        directory = directory_at(octets, at)
        if directory is not None:
            found.append(directory)
        at = octets.rfind(END, start, at)
    to_the_end = [each for each in found if each.after == len(octets)]
    chosen = (to_the_end or found)[:1]
    if not chosen:
        return None
    return chosen[0]._replace(doubtful=chosen[0].doubtful or len(to_the_end) > 1)


def directory_at(octets: bytes, at: int) -> Directory | None:
    """Return the directory that an end record at an offset names, or None if the record is cut off."""
    if at + 22 > len(octets):
        return None
    disk, first_disk, here, count, size, offset, comment = _END_FORM.unpack_from(octets, at)
    after, end = at + 22 + comment, at
    if after > len(octets):
        return None
    doubtful = here != count or disk != first_disk or disk not in {0, 0xFFFF}
    if octets.startswith(_LOCATOR64, at - 20) and at >= 76:
        end64 = at - 76
        relative = int.from_bytes(octets[at - 12 : at - 4], "little")
        if not octets.startswith(_END64, end64):
            doubtful = True
        else:
            count64, size64, offset64 = struct.unpack_from("<32xQQQ", octets, end64)
            doubtful |= any(
                short not in {full, value}
                for short, full, value in (
                    (count, 0xFFFF, count64),
                    (size, _FULL, size64),
                    (offset, _FULL, offset64),
                )
            )
            count, size, offset, end = count64, size64, offset64, end64
            doubtful |= relative + (end - size - offset) != end64
    elif count == 0xFFFF:
        doubtful = True
    prefix = end - size - offset
    if prefix < 0:
        return Directory(max(0, end - size), end, count, 0, after, doubtful=True)
    return Directory(end - size, end, count, prefix, after, doubtful)


def _with_extra(header: Header, extra: bytes) -> Header:
    """Take sizes beyond 4 GiB and the UTF-8 name from the extra fields (APPNOTE 4.5.3, 4.6.9)."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        field = extra[at + 4 : at + 4 + length]
        at += 4 + length
        if kind == _UNICODE_PATH and len(field) > 5:
            header = header._replace(unicode_names=(*header.unicode_names, field[5:]))
        elif kind == _ZIP64:
            header = _with_zip64(header, field)
    return header


def _with_zip64(header: Header, field: bytes) -> Header:
    """Take what the 32-bit fields say is elsewhere, in the order that APPNOTE 4.5.3 gives."""
    numbers = [int.from_bytes(field[at : at + 8], "little") for at in range(0, len(field) - 7, 8)]
    values = [numbers.pop(0) if old == _FULL and numbers else old for old in (header.size, header.packed, header.local)]
    return header._replace(size=values[0], packed=values[1], local=values[2])
