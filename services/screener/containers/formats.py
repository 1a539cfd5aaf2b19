"""Which readers look into content: by its octets, never by its name."""

import re
from collections.abc import Callable, Iterable

from services.screener.containers.cabinet import SIGNATURE as CABINET
from services.screener.containers.cabinet import read_cab
from services.screener.containers.compressed import read_bzip2, read_gzip, read_xz, read_zstd
from services.screener.containers.disk_image import is_closed, is_iso, read_closed, read_iso
from services.screener.containers.member import Reader
from services.screener.containers.rar import NEW, OLD, read_rar
from services.screener.containers.sevenzip import SIGNATURE as SEVENZIP
from services.screener.containers.sevenzip import read_7z
from services.screener.containers.tar import is_tar, read_tar
from services.screener.containers.zip_archive import is_zip, read_zip

_BY_START: tuple[tuple[bytes, Reader], ...] = (
    (b"\x1f\x8b\x08", read_gzip),
    (b"BZh", read_bzip2),
    (b"\xfd7zXZ\0", read_xz),
    (b"\x5d\0\0", read_xz),
    (b"\x28\xb5\x2f\xfd", read_zstd),
    (SEVENZIP, read_7z),
    (OLD, read_rar),
    (NEW, read_rar),
    (CABINET, read_cab),
)
_BY_TEST: tuple[tuple[Callable[[bytes], bool], Reader], ...] = (
    (is_zip, read_zip),
    (is_tar, read_tar),
    (is_iso, read_iso),
    (is_closed, read_closed),
)
SINGLE = frozenset({read_gzip, read_bzip2, read_xz, read_zstd})
"""Readers of files that hold one file: it is also called what the file is called without its suffix."""
_VOLUME = re.compile(r"\.(?:7z|zip|rar|arj|tar)\.\d{3}$|\.(?:r|z)\d\d$|\.part0*[0-9]{1,4}\.rar$", re.IGNORECASE)


def readers_for(octets: bytes) -> list[Reader]:
    """Return every reader that has something to read; more than one for a file of several natures (SCREENING 70)."""
    found = [reader for start, reader in _BY_START if octets.startswith(start)]
    return found + [reader for test, reader in _BY_TEST if test(octets)]


def is_volume(names: Iterable[str]) -> bool:
    """Return whether a name says that this is one piece of an archive in several files (SCREENING 60)."""
    return any(_VOLUME.search(name) for name in names)
