"""The header of a 7z archive: packed streams, folders with their coders, names (7zFormat.txt of the LZMA SDK)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.screener.containers.member import ContainerError, Sign

MOST = 3000
_SANE = 100_000
"""Streams, folders or files beyond which nobody packs."""
_END, _HEADER, _STREAMS, _FILES = 0x00, 0x01, 0x04, 0x05
_PACK, _UNPACK, _SUBSTREAMS, _SIZE, _CRC, _FOLDER, _UNPACK_SIZE, _COUNT = 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D
_EMPTY_STREAM, _NAMES, ENCODED = 0x0E, 0x11, 0x17


class Coder(NamedTuple):
    """One step of packing."""

    method: bytes
    properties: bytes
    simple: bool
    """One stream in, one out."""


class Folder(NamedTuple):
    """What is packed as one stream: its coders in the order of unpacking, and where it is in the file."""

    coders: tuple[Coder, ...]
    start: int
    packed: int
    sizes: tuple[int, ...]
    """Of the files in it, one after the other."""

    @property
    def size(self) -> int:
        """Return octets unpacked."""
        return sum(self.sizes)


class Header(NamedTuple):
    """Folders, and the names of the files; `empty` says which files have no content."""

    folders: tuple[Folder, ...] = ()
    names: tuple[str, ...] = ()
    empty: tuple[bool, ...] = ()


class Cursor:
    """Reads numbers and octets; raises ContainerError where there are none left."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def take(self, count: int) -> bytes:
        """Return the next octets."""
        end = self._at + count
        if end > len(self._octets):
            raise ContainerError(Sign.MALFORMED)
        taken = self._octets[self._at : end]
        self._at = end
        return taken

    def byte(self) -> int:
        """Return the next octet."""
        return self.take(1)[0]

    def number(self) -> int:
        """Return a number: the first octet's leading ones say how many octets follow."""
        first = self.byte()
        extra = next((bit for bit in range(8) if not first & (0x80 >> bit)), 8)
        low = int.from_bytes(self.take(extra), "little")
        return low | (first & (0x7F >> extra)) << (8 * extra) if extra < 8 else low

    def count(self) -> int:
        """Return a number of things; more than anybody packs is over the limit."""
        number = self.number()
        if number > _SANE:
            raise ContainerError(Sign.OVER_LIMIT)
        return number

    def bits(self, count: int) -> tuple[bool, ...]:
        """Return so many flags."""
        octets = self.take((count + 7) // 8)
        return tuple(bool(octets[at // 8] & (0x80 >> at % 8)) for at in range(count))

    def digests(self, count: int) -> tuple[bool, ...]:
        """Pass over checksums; return which there are."""
        defined = (True,) * count if self.byte() else self.bits(count)
        self.take(4 * sum(defined))
        return defined

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self._octets) - self._at)


def read_header(octets: bytes) -> Header:
    """Return what a plain header says."""
    cursor = Cursor(octets)
    if cursor.byte() != _HEADER:
        raise ContainerError(Sign.MALFORMED)
    header = Header()
    for kind in _sections(cursor):
        if kind == _STREAMS:
            header = header._replace(folders=read_streams(cursor))
        elif kind == _FILES:
            names, empty = _files(cursor)
            header = header._replace(names=names, empty=empty)
        else:
            raise ContainerError(Sign.MALFORMED)
    return header


def read_streams(cursor: Cursor) -> tuple[Folder, ...]:
    """Return the folders, with offsets from the start of the file."""
    start, packed = 32, list[int]()
    chains: list[tuple[tuple[Coder, ...], int]] = []
    sizes: list[int] = []
    known: Sequence[bool] = ()
    """Which folders have a checksum: a file that is alone in one has none of its own."""
    files: list[tuple[int, ...]] | None = None
    for kind in _sections(cursor):
        if kind == _PACK:
            start, packed = _pack(cursor)
        elif kind == _UNPACK:
            chains, sizes, known = _unpack(cursor)
        elif kind == _SUBSTREAMS:
            files = _substreams(cursor, sizes, known)
        else:
            raise ContainerError(Sign.MALFORMED)
    folders = []
    for (coders, inputs), contents in zip(chains, files or [(size,) for size in sizes], strict=True):
        if len(packed) < inputs:
            raise ContainerError(Sign.MALFORMED)
        folders.append(Folder(coders, start, packed[0] if packed else 0, contents))
        start += sum(packed[:inputs])
        packed = packed[inputs:]
    return tuple(folders)


def _sections(cursor: Cursor) -> Iterator[int]:
    while (kind := cursor.byte()) != _END:
        yield kind


def _pack(cursor: Cursor) -> tuple[int, list[int]]:
    start, count = 32 + cursor.number(), cursor.count()
    sizes: list[int] = []
    for kind in _sections(cursor):
        if kind == _SIZE:
            sizes = [cursor.number() for _ in range(count)]
        elif kind == _CRC:
            cursor.digests(count)
        else:
            raise ContainerError(Sign.MALFORMED)
    return start, sizes


def _unpack(cursor: Cursor) -> tuple[list[tuple[tuple[Coder, ...], int]], list[int], Sequence[bool]]:
    if cursor.byte() != _FOLDER:
        raise ContainerError(Sign.MALFORMED)
    count = cursor.count()
    if cursor.byte():  # elsewhere
        raise ContainerError(Sign.UNREADABLE)
    folders = [_folder(cursor) for _ in range(count)]
    sizes: list[int] = []
    known: Sequence[bool] = (False,) * count
    for kind in _sections(cursor):
        if kind == _UNPACK_SIZE:
            for _, _, outputs, last in folders:
                each = [cursor.number() for _ in range(outputs)]
                sizes.append(each[last] if last < len(each) else 0)
        elif kind == _CRC:
            known = cursor.digests(count)
        else:
            raise ContainerError(Sign.MALFORMED)
    if len(sizes) != count:
        raise ContainerError(Sign.MALFORMED)
    return [(coders, inputs) for coders, inputs, _, _ in folders], sizes, known


def _folder(cursor: Cursor) -> tuple[tuple[Coder, ...], int, int, int]:
    """Return coders in the order of unpacking, how many packed streams and outputs there are, and the last output."""
    coders: list[Coder] = []
    inputs = outputs = 0
    for _ in range(min(cursor.number(), 32)):
        flags = cursor.byte()
        method = cursor.take(flags & 0x0F)
        ins, outs = (cursor.count(), cursor.count()) if flags & 0x10 else (1, 1)
        properties = cursor.take(cursor.count()) if flags & 0x20 else b""
        coders.append(Coder(method, properties, (ins, outs) == (1, 1)))
        inputs, outputs = inputs + ins, outputs + outs
    if outputs < 1 or max(inputs, outputs) > 64:
        raise ContainerError(Sign.MALFORMED)
    bound = {cursor.number(): cursor.number() for _ in range(outputs - 1)}
    packed = inputs - len(bound)
    first = [cursor.number() for _ in range(packed)] if packed > 1 else sorted(set(range(inputs)) - set(bound))
    last = next((out for out in range(outputs) if out not in bound.values()), 0)
    if packed != 1 or not all(coder.simple for coder in coders):
        return tuple(coder._replace(simple=False) for coder in coders), max(0, packed), outputs, last
    order, at = [], first[0] if first else 0
    by_output = {out: into for into, out in bound.items()}
    for _ in coders:
        if at >= len(coders):
            raise ContainerError(Sign.MALFORMED)
        order.append(coders[at])
        at = by_output.get(at, 0)
    return tuple(order), 1, outputs, last


def _substreams(cursor: Cursor, sizes: list[int], known: Sequence[bool]) -> list[tuple[int, ...]]:
    counts = [1] * len(sizes)
    found: list[tuple[int, ...]] | None = None
    for kind in _sections(cursor):
        if kind == _COUNT:
            counts = [cursor.count() for _ in sizes]
            if sum(counts) > _SANE:
                raise ContainerError(Sign.OVER_LIMIT)
        elif kind == _SIZE:
            found = [_split(cursor, size, count) for size, count in zip(sizes, counts, strict=True)]
        elif kind == _CRC:
            cursor.digests(sum(n for n, has_one in zip(counts, known, strict=True) if n != 1 or not has_one))
        else:
            raise ContainerError(Sign.MALFORMED)
    if found is None:
        found = [(size,) * min(count, 1) for size, count in zip(sizes, counts, strict=True)]
    return found


def _split(cursor: Cursor, size: int, count: int) -> tuple[int, ...]:
    if not count:
        return ()
    parts = [cursor.number() for _ in range(count - 1)]
    if sum(parts) > size:
        raise ContainerError(Sign.MALFORMED)
    return (*parts, size - sum(parts))


def _files(cursor: Cursor) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    count = cursor.count()
    names: tuple[str, ...] = ()
    empty = (False,) * count
    for kind in _sections(cursor):
        field = Cursor(cursor.take(cursor.number()))
        if kind == _EMPTY_STREAM:
            empty = field.bits(count)
        elif kind == _NAMES:
            names = _names(field)
    if len(names) != count:
        raise ContainerError(Sign.MALFORMED)
    return names, empty


def _names(field: Cursor) -> tuple[str, ...]:
    if field.byte():
        raise ContainerError(Sign.UNREADABLE)
    text = field.rest().decode("utf-16-le", "replace")
    return tuple(text.split("\0")[:-1])
