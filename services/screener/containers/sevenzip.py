"""7z archives: names always, content where the method is one of Python's; a password for the header hides all."""

import lzma
import zlib
from collections.abc import Iterator
from functools import partial

from services.screener.containers.member import CHUNK, ContainerError, Found, Member, Sign
from services.screener.containers.sevenzip_records import (
    ENCODED,
    MOST,
    Coder,
    Cursor,
    Folder,
    Header,
    read_header,
    read_streams,
)
from services.screener.containers.solid import Solid
from services.screener.containers.streams import bunzip, inflate, lzma_filter, stored, unlzma, unzstd

SIGNATURE = b"7z\xbc\xaf\x27\x1c"
_AES = b"\x06\xf1\x07\x01"
_COPY, _LZMA2, _LZMA, _DELTA = b"\0", b"\x21", b"\x03\x01\x01", b"\x03"
_BCJ = {b"\x03\x03\x01\x03": lzma.FILTER_X86, b"\x04": lzma.FILTER_X86, b"\x03\x03\x05\x01": lzma.FILTER_ARM}
_LONE = {b"\x04\x01\x08": inflate, b"\x04\x02\x02": bunzip, b"\x04\xf7\x11\x01": unzstd, _COPY: stored}
_HELD_BACK = 8
"""Octets at the end that liblzma's branch filters keep, since 7z marks no end."""
_LONGEST_HEADER = 16 * 1024 * 1024


def read_7z(octets: bytes) -> Iterator[Found]:
    """Yield every file. Content is to be read in the order of the files: a folder is one stream."""
    header = _header(octets)
    if len(header.names) > MOST:
        yield Sign.OVER_LIMIT
    if any(not _is_readable(folder) and not _is_encrypted(folder) for folder in header.folders):
        yield Sign.UNREADABLE
    slots = ((folder, at) for folder in header.folders for at in range(len(folder.sizes)))
    streams: dict[int, Solid] = {}
    for name, empty in zip(header.names[:MOST], header.empty[:MOST], strict=True):
        folder, at = (None, 0) if empty else next(slots, (None, 0))
        if folder is None:
            yield Member((name,))
            continue
        stream = streams.setdefault(id(folder), Solid(partial(unpacked, octets, folder)))
        encrypted = _is_encrypted(folder)
        opened = stream.opener(sum(folder.sizes[:at]), folder.sizes[at]) if _is_readable(folder) else None
        yield Member((name,), folder.sizes[at], encrypted, open=opened)


def unpacked(octets: bytes, folder: Folder) -> Iterator[bytes]:
    """Yield the stream of a folder."""
    start, end = folder.start, folder.start + folder.packed
    if end > len(octets):
        raise ContainerError(Sign.MALFORMED)
    first = folder.coders[0]
    if first.method in _LONE:
        yield from _LONE[first.method](octets, start, end)
        return
    filters = [_filter(coder, folder.size) for coder in reversed(folder.coders)]
    given = 0
    for chunk in unlzma(octets, start, end, filters):
        given += len(chunk)
        yield chunk
    if len(filters) > 1 and 0 < folder.size - given <= _HELD_BACK:
        yield bytes(folder.size - given)


def _filter(coder: Coder, size: int) -> dict[str, int]:
    """Return a coder as liblzma has it, its dictionary no larger than what is packed."""
    if coder.method in _BCJ:
        return {"id": _BCJ[coder.method]}
    if coder.method == _DELTA:
        return {"id": lzma.FILTER_DELTA, "dist": (coder.properties or b"\0")[0] + 1}
    if coder.method == _LZMA:
        made = lzma_filter(coder.properties)
    else:
        bits = min(40, (coder.properties or b"\0")[0])
        made = {"id": lzma.FILTER_LZMA2, "dict_size": (2 | bits & 1) << (bits // 2 + 11)}
    return made | {"dict_size": max(4096, min(made["dict_size"], size + CHUNK))}


def _is_encrypted(folder: Folder) -> bool:
    return any(coder.method == _AES for coder in folder.coders)


def _is_readable(folder: Folder) -> bool:
    *rest, last = [coder.method for coder in reversed(folder.coders)]
    if not all(coder.simple for coder in folder.coders):
        return False
    return (not rest and last in _LONE) or (
        last in {_LZMA, _LZMA2} and all(each in _BCJ or each == _DELTA for each in rest)
    )


def _header(octets: bytes) -> Header:
    """Return the header, unpacked as often as it is packed; more than a few times is nobody's."""
    if len(octets) < 32:
        raise ContainerError(Sign.MALFORMED)
    start, size = (int.from_bytes(octets[at : at + 8], "little") for at in (12, 20))
    header = octets[32 + start : 32 + start + size]
    if zlib.crc32(header) != int.from_bytes(octets[28:32], "little"):
        raise ContainerError(Sign.MALFORMED)
    if not header:
        return Header()
    for _ in range(4):
        if header[:1] != bytes((ENCODED,)):
            return read_header(header)
        folders = read_streams(Cursor(header[1:]))
        if not folders:
            raise ContainerError(Sign.MALFORMED)
        header = _unpacked_header(octets, folders[0])
    raise ContainerError(Sign.OVER_LIMIT)


def _unpacked_header(octets: bytes, folder: Folder) -> bytes:
    if _is_encrypted(folder):
        raise ContainerError(Sign.ENCRYPTED)
    if not _is_readable(folder):
        raise ContainerError(Sign.UNREADABLE)
    if folder.size > _LONGEST_HEADER:
        raise ContainerError(Sign.OVER_LIMIT)
    header = b""
    for chunk in unpacked(octets, folder):
        header += chunk
        if len(header) >= folder.size:
            break
    return header[: folder.size]
