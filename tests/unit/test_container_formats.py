"""Which reader looks into what: by the first octets, by a test, and for files only."""

import lzma

import pytest

from services.screener.containers.documents.mail import read_mail
from services.screener.containers.formats import is_volume, readers_for
from tests.support.archive_samples import tar_of, zip_of
from tests.support.mail_samples import with_exe

APPLE = b"\x00\x05\x16"
FORMULA = b"a;=cmd|'/c calc'!A0"
SCRIPTED = b"<x xmlns:m='urn:schemas-microsoft-com:xslt'><m:script/></x>"
BURIED = b"\1" * 70_000 + zip_of({"a": b""}) + b"\2" * 70_000


@pytest.mark.parametrize(
    ("octets", "reader"),
    [
        (b"\x1f\x8b\x08", "read_gzip"),
        (b"BZh", "read_bzip2"),
        (b"\xfd7zXZ\0", "read_xz"),
        (lzma.compress(b"x", lzma.FORMAT_ALONE), "read_xz"),
        (b"7z\xbc\xaf\x27\x1c", "read_7z"),
        (b"Rar!\x1a\x07\0", "read_rar"),
        (b"Rar!\x1a\x07\x01\0", "read_rar"),
        (b"MSCF\0\0\0\0", "read_cab"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "read_ole"),
        (b"ActiveMime", "read_activemime"),
        (b"\x09\x00\x04\x00", "read_old_sheet"),
        (b"\x09\x02\x06\x00", "read_old_sheet"),
        (b"\x09\x04\x06\x00", "read_old_sheet"),
        (b"\x78\x9f\x3e\x22", "read_tnef"),
        (bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3"), "read_onenote"),
        (APPLE + b"\0", "read_applefile"),
        (APPLE + b"\7", "read_applefile"),
        (b"\x28\xb5\x2f\xfd", "read_zstd"),
        (zip_of({"a": b""}), "read_zip"),
        (tar_of({"a": b""}), "read_tar"),
        (bytes(32769) + b"CD001", "read_iso"),
        (b"conectix", "read_closed"),
        (b"%PDF-", "read_pdf"),
        (b"{\\rtf1\\object", "read_rtf"),
        (bytes.fromhex("308006092a864886f70d010702a080308001"), "read_cms"),
        (b"-----BEGIN PGP MESSAGE-----\n\nabcd", "read_pgp"),
        (b"<svg>", "read_html"),
        (b"BEGIN:VCARD\nPHOTO;ENCODING=B:", "read_calendar"),
        (b"<x xmlns='http://schemas.microsoft.com/office/word/2003/wordml'>", "read_flat"),
        (FORMULA, "read_formula"),
        (SCRIPTED, "read_scripted"),
        (BURIED, "read_zip"),
        (b"text", None),
    ],
)
def test_the_reader(octets: bytes, reader: str | None) -> None:
    assert [found.__name__ for found in readers_for(octets)] == ([reader] if reader else [])


def test_a_file_of_several_natures_has_several_readers() -> None:
    found = readers_for(b"%PDF-1.7 <svg>" + zip_of({"a": b""}))
    assert {reader.__name__ for reader in found} == {"read_pdf", "read_zip"}


def test_what_people_read_in_the_message_starts_nothing() -> None:
    assert readers_for(FORMULA, is_file=False) == readers_for(SCRIPTED, is_file=False) == []


def test_mail_is_looked_for_inside_of_other_files_only_and_where_nothing_else_is() -> None:
    mail = with_exe()
    assert readers_for(mail) == []
    assert readers_for(mail, inside=True) == [read_mail]
    assert readers_for(b"text", inside=True) == []
    assert read_mail not in readers_for(mail + zip_of({"a": b""}), inside=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((f"a.{ending}.001", True) for ending in ("7z", "zip", "rar", "arj", "tar")),
        *((f"a.{ending}", True) for ending in ("r00", "z01", "a01", "c00", "001", "009", "part1.rar", "PART01.RAR")),
        *((f"a.{ending}", False) for ending in ("rar", "zip", "000", "010", "b01", "txt.001x", "part.rar", "r0")),
    ],
)
def test_what_is_called_as_a_piece_of_an_archive(name: str, expected: bool) -> None:
    assert is_volume(("x", name)) is expected
