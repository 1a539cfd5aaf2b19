"""Which readers look into content: by its octets, never by its name."""

import re
from collections.abc import Callable, Iterable

from services.screener.containers.cabinet import SIGNATURE as CABINET
from services.screener.containers.cabinet import read_cab
from services.screener.containers.compressed import is_zstd, read_bzip2, read_gzip, read_xz, read_zstd
from services.screener.containers.disk_image import is_closed, is_iso, read_closed, read_iso
from services.screener.containers.documents.applefile import DOUBLE as APPLE_DOUBLE
from services.screener.containers.documents.applefile import SINGLE as APPLE_SINGLE
from services.screener.containers.documents.applefile import read_applefile
from services.screener.containers.documents.cms import is_cms, read_cms
from services.screener.containers.documents.compound import SIGNATURE as COMPOUND
from services.screener.containers.documents.formulas import is_formula, read_formula
from services.screener.containers.documents.html import is_active, is_calendar, read_calendar, read_html
from services.screener.containers.documents.mail import read_mail
from services.screener.containers.documents.office_flat import is_flat, read_flat
from services.screener.containers.documents.ole import read_activemime, read_old_sheet, read_ole
from services.screener.containers.documents.onenote import SIGNATURE as ONENOTE
from services.screener.containers.documents.onenote import read_onenote
from services.screener.containers.documents.pdf import is_pdf, read_pdf
from services.screener.containers.documents.pgp import is_pgp, read_pgp
from services.screener.containers.documents.rtf import is_rtf, read_rtf
from services.screener.containers.documents.scripted import is_scripted, read_scripted
from services.screener.containers.documents.tnef import SIGNATURE as TNEF
from services.screener.containers.documents.tnef import read_tnef
from services.screener.containers.member import Reader
from services.screener.containers.rar import NEW, OLD, read_rar
from services.screener.containers.sevenzip import SIGNATURE as SEVENZIP
from services.screener.containers.sevenzip import read_7z
from services.screener.containers.tar import is_tar, read_tar
from services.screener.containers.zip_archive import is_buried_zip, is_zip, read_zip
from services.screener.containers.zip_records import END
from services.screener.mime.saved import is_mail

_BY_START: tuple[tuple[bytes, Reader], ...] = (
    (b"\x1f\x8b\x08", read_gzip),
    (b"BZh", read_bzip2),
    (b"\xfd7zXZ\0", read_xz),
    (b"\x5d\0\0", read_xz),
    (SEVENZIP, read_7z),
    (OLD, read_rar),
    (NEW, read_rar),
    (CABINET, read_cab),
    (COMPOUND, read_ole),
    (b"ActiveMime", read_activemime),
    (b"\x09\x00\x04\x00", read_old_sheet),
    (b"\x09\x02\x06\x00", read_old_sheet),
    (b"\x09\x04\x06\x00", read_old_sheet),
    (TNEF, read_tnef),
    (ONENOTE, read_onenote),
    (APPLE_SINGLE, read_applefile),
    (APPLE_DOUBLE, read_applefile),
)
_BY_TEST: tuple[tuple[Callable[[bytes], bool], Reader], ...] = (
    (is_zstd, read_zstd),
    (is_zip, read_zip),
    (is_tar, read_tar),
    (is_iso, read_iso),
    (is_closed, read_closed),
    (is_pdf, read_pdf),
    (is_rtf, read_rtf),
    (is_cms, read_cms),
    (is_pgp, read_pgp),
    (is_active, read_html),
    (is_calendar, read_calendar),
    (is_flat, read_flat),
)
_IN_FILES: tuple[tuple[Callable[[bytes], bool], Reader], ...] = (
    (is_formula, read_formula),
    (is_scripted, read_scripted),
)
"""What does something only where a program opens it as a file: in the text of a message it is read by people."""
AT_THE_END = (END, b"koly", b"conectix")
"""What stands near the end of zip files and disk images that may begin as anything."""
SINGLE = frozenset({read_gzip, read_bzip2, read_xz, read_zstd})
"""Readers of files that hold one file: it is also called what the file is called without its suffix."""
_VOLUME = re.compile(
    r"\.(?:7z|zip|rar|arj|tar)\.\d{3}$|\.(?:[rz]\d|[ac]0)\d$|\.00[1-9]$|\.part0*[0-9]{1,4}\.rar$", re.IGNORECASE
)


def readers_for(octets: bytes, *, inside: bool = False, is_file: bool = True) -> list[Reader]:
    """Return every reader that has something to read; more than one for a file of several natures (SCREENING 70).

    `inside` says that it was in another file: mail is looked for there only, elsewhere it is part of the message.
    `is_file` is False for a text that is read in the message itself.
    """
    found = [reader for start, reader in _BY_START if octets.startswith(start)]
    found += [reader for test, reader in _BY_TEST if test(octets)]
    found += [reader for test, reader in _IN_FILES if is_file and test(octets)]
    if not found and is_buried_zip(octets):
        return [read_zip]
    return [*found, read_mail] if inside and not found and is_mail(octets) else found


def is_volume(names: Iterable[str]) -> bool:
    """Return whether a name says that this is one piece of an archive in several files (SCREENING 60)."""
    return any(_VOLUME.search(name) for name in names)
