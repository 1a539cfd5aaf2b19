"""Noticing that files have changed, by what `stat` says of them: cheap, and the same on every file system."""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[int, int, int, int] | None
"""Device, inode, time of change in nanoseconds and size of the file that a path leads to; None if there is none."""


def stamp(path: Path) -> Stamp:
    """Return a path's stamp now. Links are followed, so that one which is pointed elsewhere counts as a change."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


class Stamps(dict[Path, Stamp]):
    """Files and their stamps."""

    def note(self, path: Path) -> None:
        """Take the stamp of a file now, unless it has been taken before: what is read later is at least as new."""
        if path not in self:
            self[path] = stamp(path)

    def again(self) -> Stamps:
        """Return the stamps that the same files have now."""
        return Stamps((path, stamp(path)) for path in self)

    def differing(self, other: Stamps) -> list[Path]:
        """Return the files that only one of both knows, or whose stamps differ, in order."""
        return sorted(path for path in self.keys() | other.keys() if self.get(path, -1) != other.get(path, -1))


class Watch:
    """Says when changed files may be read: once they have held still from one look to the next.

    A file that is being written, or one of a pair that are replaced one after the other, is then mostly left alone;
    if not, the reader finds it bad, keeps what it had, and is told of the next change like of any other.
    """

    def __init__(self, taken: Stamps) -> None:
        self._taken = taken
        self._before = taken

    @property
    def taken(self) -> Stamps:
        """The files watched, with the stamps that were last read, or tried."""
        return self._taken

    def look(self, now: Stamps) -> bool:
        """Tell, given the stamps of the watched files now, whether to read them."""
        still = now == self._before
        self._before = now
        return still and now != self._taken

    def take(self, stamps: Stamps) -> None:
        """Watch these files from now on, and count their stamps as read."""
        self._taken = self._before = stamps
