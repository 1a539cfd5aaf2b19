"""Compound files, in which old Office documents, Outlook messages and installers are kept (MS-CFB)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from services.screener.containers.member import ContainerError, Sign

SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LOWER_HALF = 0xFFFFFFFF
_MOST = 10_000
"""Entries of the directory that are looked at."""


class Entry(NamedTuple):
    """A stream or a storage."""

    path: str
    """Names of the storages it is in and its own, by `/`."""
    is_stream: bool
    clsid: bytes
    start: int
    size: int


class Compound:
    """A compound file; every chain of sectors is followed no longer than the file is."""

    def __init__(self, octets: bytes) -> None:
        if len(octets) < 512:
            raise ContainerError(Sign.MALFORMED)
        self._octets = octets
        shift, mini_shift = struct.unpack_from("<HH", octets, 30)
        if shift not in {9, 12} or mini_shift != 6:
            raise ContainerError(Sign.MALFORMED)
        self._sector = 1 << shift
        self._cutoff = int.from_bytes(octets[56:60], "little")
        directory, mini_table = (int.from_bytes(octets[at : at + 4], "little") for at in (48, 60))
        self._table = self._allocation()
        self.entries = self._entries(self._chain(directory))
        if not self.entries:
            raise ContainerError(Sign.MALFORMED)
        self._mini_table = _numbers(self._chain(mini_table))
        self._mini = self._chain(self.entries[0].start)[: self.entries[0].size]

    def read(self, entry: Entry, most: int = 1 << 62) -> bytes:
        """Return a stream, or what the file has of it."""
        size = min(entry.size, most, len(self._octets))
        if entry.size >= self._cutoff:
            return self._chain(entry.start, size)[:size]
        pieces, at = [], entry.start
        for _ in range(-(-size // 64)):
            if at >= len(self._mini_table):
                break
            pieces.append(self._mini[at * 64 : at * 64 + 64])
            at = self._mini_table[at]
        return b"".join(pieces)[:size]

    def _at(self, sector: int) -> bytes:
        start = (sector + 1) * self._sector
        return self._octets[start : start + self._sector]

    def _allocation(self) -> list[int]:
        """Return the table of sectors: its own are in the header, and in a chain of further lists."""
        lists = list(struct.unpack_from("<109I", self._octets, 76))
        further, seen = int.from_bytes(self._octets[68:72], "little"), 0
        while seen * self._sector < len(self._octets):
            numbers = _numbers(self._at(further))
            if not numbers:
                break
            lists += numbers[:-1]
            further, seen = numbers[-1], seen + 1
        return [number for sector in dict.fromkeys(lists) for number in _numbers(self._at(sector))]

    def _chain(self, start: int, most: int = 1 << 62) -> bytes:
        pieces, at = [], start
        for _ in range(min(most, len(self._octets)) // self._sector + 1):
            if at >= len(self._table):
                break
            pieces.append(self._at(at))
            at = self._table[at]
        return b"".join(pieces)

    def _entries(self, directory: bytes) -> list[Entry]:
        count = min(len(directory) // 128, _MOST)
        unread = {number: directory[number * 128 : number * 128 + 128] for number in range(count)}
        found: list[Entry] = []
        waiting = [(0, "")]
        while waiting:
            number, folder = waiting.pop()
            raw = unread.pop(number, None)
            if raw is None:
                continue
            name = raw[: max(0, min(64, int.from_bytes(raw[64:66], "little")) - 2)].decode("utf-16-le", "replace")
            left, right, child = struct.unpack_from("<III", raw, 68)
            path = "" if number == 0 else f"{folder}/{name}".lstrip("/")
            start, size = struct.unpack_from("<IQ", raw, 116)
            size = size if self._sector > 512 else size & _LOWER_HALF  # the upper half is undefined in version 3
            found.append(Entry(path, raw[66] == 2, raw[80:96], start, size))
            waiting += [(left, folder), (right, folder)] if number else []
            waiting.append((child, path))
        return found

    def streams(self) -> Iterator[Entry]:
        """Yield the streams."""
        return (entry for entry in self.entries if entry.is_stream)


def _numbers(octets: bytes) -> list[int]:
    count = len(octets) // 4
    return list(struct.unpack_from(f"<{count}I", octets))
