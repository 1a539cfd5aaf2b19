"""A file that is read again whenever it has changed; a bad new one leaves the old one in force."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from shared import log
from shared.errors import ConfigError

T = TypeVar("T")


class Watched(Generic[T]):
    """The content of one file. Safe to use from several threads: at worst the file is read twice."""

    def __init__(self, path: Path, load: Callable[[Path], T]) -> None:
        """Read the file. Raise what `load` raises: ConfigError, naming key and file."""
        self._path = path
        self._load = load
        self._stamp = self._look()
        self._content = load(path)

    def get(self) -> T:
        """Return the content as it is now."""
        stamp = self._look()
        if stamp == self._stamp:
            return self._content
        self._stamp = stamp
        try:
            self._content = self._load(self._path)
        except ConfigError as error:
            log.get().error("file not reloaded, the old one stays in force", file=str(self._path), error=str(error))
        else:
            log.get().info("file reloaded", file=str(self._path))
        return self._content

    def _look(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size
