"""Types recognised by content, through every reading of a transfer encoding."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.screener.identity.magic import begins_as_text, content_info, detect, is_certain
from services.screener.mime import decode
from tests.support.mail_samples import EXE, PDF, PNG

MACHO = (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe")
SIZES = (b"\x40", b"\x80", b"\x82\x01\x00")
"""Of a sequence, as BER and DER write them: short, unknown, long (X.690 section 8.1.3)."""
S_MIME = (bytes.fromhex("06092a864886f70d010702"), bytes.fromhex("060b2a864886f70d0109100109"))
"""Signed data and compressed data."""
ZIP = b"PK\x03\x04\x14\0\0\0\0\0" + bytes(16)


@pytest.mark.parametrize(
    ("head", "kind", "ending"),
    [
        (b"", "application/x-empty", None),
        (EXE, "application/x-msdownload", "exe"),
        (b"MZ" + bytes(4), "application/x-msdownload", "exe"),
        (b"MZ is short for Mark Zbikowski\n", "text/plain", None),
        (b"\x7fELF\x02\x01", "application/x-executable", "elf"),
        (b"\xcf\xfa\xed\xfe\x07", "application/x-mach-binary", "macho"),
        (b"\xca\xfe\xba\xbe\0\0\0\x02", "application/x-mach-binary", "macho"),
        (b"\xca\xfe\xba\xbe\0\0\0\x41", "application/java-vm", "class"),
        (b"L\0\0\0\x01\x14\x02\0", "application/x-ms-shortcut", "lnk"),
        (b"ITSF\x03", "application/vnd.ms-htmlhelp", "chm"),
        (b"MSCF\0\0", "application/vnd.ms-cab-compressed", "cab"),
        (bytes(0x8001) + b"CD001", "application/x-iso9660-image", "iso"),
        (bytes(4) + b"Standard Jet DB", "application/x-msaccess", "mdb"),
        (b"vhdxfile", "application/x-vhdx", "vhdx"),
        (ZIP + b"\x05\0\0\0a.txt", "application/zip", "zip"),
        (ZIP + b"\x13\0\0\0[Content_Types].xml", "application/vnd.openxmlformats-officedocument", "docx"),
        (ZIP + b"\x08\0\0\0mimetypeapplication/vnd.oasis", "application/vnd.oasis.opendocument", "odt"),
        (ZIP + b"\x14\0\0\0META-INF/MANIFEST.MF", "application/java-archive", "jar"),
        (b"Rar!\x1a\x07\x01\0", "application/vnd.rar", "rar"),
        (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", "7z"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage", "ole"),
        *((mark + bytes(4), "application/x-mach-binary", "macho") for mark in MACHO),
        (b"ISc(\0", "application/x-installshield-cab", "cab"),
        (b"?_\x03\0", "application/winhlp", "hlp"),
        (bytes(4) + b"Standard ACE DB", "application/x-msaccess", "mdb"),
        (b"!BDN\0", "application/vnd.ms-outlook-pst", "pst"),
        (b"dex\n035\0", "application/x-dex", "dex"),
        (b"conectix\0", "application/x-vhd", "vhd"),
        (b"MSWIM\0\0\0", "application/x-ms-wim", "wim"),
        (bytes(0x8001) + b"BEA01", "application/x-udf-image", "iso"),
        (b"xar!\0", "application/x-xar", "pkg"),
        (bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3"), "application/onenote", "one"),
        (bytes(7) + b"**ACE**", "application/x-ace-compressed", "ace"),
        (b"\x60\xea\0", "application/x-arj", "arj"),
        (b"\0\0-lh5-", "application/x-lzh-compressed", "lzh"),
        (b"\x1f\x8b\x08", "application/gzip", "gz"),
        (b"BZh91AY", "application/x-bzip2", "bz2"),
        (b"\xfd7zXZ\0", "application/x-xz", "xz"),
        (b"\x28\xb5\x2f\xfd", "application/zstd", "zst"),
        (b"\0" * 257 + b"ustar", "application/x-tar", "tar"),
        (b"!<arch>\ndebian-binary", "application/vnd.debian.binary-package", "deb"),
        (b"\xed\xab\xee\xdb", "application/x-rpm", "rpm"),
        (b"\x78\x9f\x3e\x22", "application/vnd.ms-tnef", "tnef"),
        (b"GIF87a", "image/gif", "gif"),
        (b"GIF89a", "image/gif", "gif"),
        (b"II*\0", "image/tiff", "tif"),
        (b"MM\0*", "image/tiff", "tif"),
        (b"OggS\0", "audio/ogg", "ogg"),
        (b"ID3\x04", "audio/mpeg", "mp3"),
        (b"\0\0\0\x20ftyp", "video/mp4", "mp4"),
        (b"FWS\x05", "application/x-shockwave-flash", "swf"),
        (b"CWS\x05", "application/x-shockwave-flash", "swf"),
        (b"%!PS-Adobe", "application/postscript", "ps"),
        (b"{\\rtf1", "application/rtf", "rtf"),
        (b"-----BEGIN PGP MESSAGE-----", "application/pgp-encrypted", "asc"),
        (b"RIFF\0\0\0\0WAVE", "audio/wav", "wav"),
        (b"RIFF\0\0\0\0AVI ", "video/x-msvideo", "avi"),
        (b"RIFF\0\0\0\0what", "application/octet-stream", None),
        (b"BM\1\1\1\1\0\0\0\0", "image/bmp", "bmp"),
        (b"BMW and other cars", "text/plain", None),
        (b"ZM" + bytes(4), "application/x-msdownload", "exe"),
        (b"\xca\xfe\xba\xbe", "text/plain", None),
        (b"PK\x05\x06" + bytes(18), "application/zip", "zip"),
        (b"PK00PK\x03\x04", "application/zip", "zip"),
        (ZIP + b"\x13\0\0\0AndroidManifest.xml", "application/vnd.android.package-archive", "apk"),
        (b"REGEDIT4\r\n", "text/x-ms-regedit", "reg"),
        (b"\xfe\xff" + "[InternetShortcut]".encode("utf-16-be"), "application/x-mswinurl", "url"),
        (b"<librarydescription>", "application/windows-library+xml", "library-ms"),
        (b"<searchConnectorDescription>", "application/windows-search-connector+xml", "searchconnector-ms"),
        (b"<PCSettings>", "application/windows-settings+xml", "settingcontent-ms"),
        (b"\n <html><p>", "text/html", "html"),
        (PDF, "application/pdf", "pdf"),
        (b"junk\n%PDF-1.4", "application/pdf", "pdf"),
        (PNG, "image/png", "png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg", "jpg"),
        (b"RIFF\0\0\0\0WEBP", "image/webp", "webp"),
        (b"#!/bin/sh\n", "text/x-shellscript", "sh"),
        (b"Windows Registry Editor Version 5.00", "text/x-ms-regedit", "reg"),
        ("\ufeffWindows Registry Editor Version 5.00".encode("utf-16-le"), "text/x-ms-regedit", "reg"),
        (b"[InternetShortcut]\r\nURL=x", "application/x-mswinurl", "url"),
        (b"<html><head><HTA:APPLICATION id=a>", "application/hta", "hta"),
        (b"<?xml version='1.0'?><html><hta:application>", "application/hta", "hta"),
        (b"<?xml version='1.0'?>\r\n<libraryDescription xmlns='x'>", "application/windows-library+xml", "library-ms"),
        (b"\xef\xbb\xbf<persistedQuery version='1.0'>", "application/windows-search+xml", "search-ms"),
        (b"<?xml?><searchConnectorDescription>", "application/windows-search-connector+xml", "searchconnector-ms"),
        (b"<?xml?><PCSettings><SearchableContent>", "application/windows-settings+xml", "settingcontent-ms"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><!-- x --><h:html>", "text/html", "html"),
        ("<html>".encode("utf-16"), "text/html", "html"),
        ("<html>".encode("utf-16-be"), "text/html", "html"),
        (b"<!DOCTYPE x><x/>", "text/plain", None),
        (b'ID;PWXL;N;E\r\nC;X1;Y101;K0;EEXEC("a")\r\n', "application/x-sylk", "slk"),
        (b"ID;P\nC;Y1;K0;E\n", "application/x-sylk", "slk"),
        (b"ID;P\nP;PGeneral\nF;M1;X2\nC;K0\n", "application/x-sylk", "slk"),
        (b"ID;N\nC;K0;EMSEXCEL|'a'!''\n", "application/x-sylk", "slk"),
        (b"ID;E\nNN;NAuto_open;ER1C1\n", "application/x-sylk", "slk"),
        (b"ID;P\nO;L;E\n", "application/x-sylk", "slk"),
        (b"ID;Price;Name\r\nC;5;E\r\nF;x;EX1\r\nO;2;Else\r\n", "text/plain", None),
        (b"ID;Name\r\nC;X1\r\n", "application/x-sylk", "slk"),
        (b"ID;Value\r\nC;X1\r\n", "text/plain", None),
        (b"a\r\nID;P\r\nC;X1\r\n", "text/plain", None),
        (b"<p>write <libraryDescription> first", "text/plain", None),
        (b"<!DOCTYPE html><p>", "text/html", "html"),
        ("schöne Grüße".encode(), "text/plain", None),
        (b"\x00\x01\x02", "application/octet-stream", None),
        (b"\0\0\0\0\0\0\0\0WAVE", "application/octet-stream", None),
        (b"%PDF-1.4\n<script>", "application/pdf", "pdf"),
        (b"0", "text/plain", None),
        *((b"0" + size + oid + bytes(9), "application/pkcs7-mime", "p7m") for size in SIZES for oid in S_MIME),
        *((oid + bytes(16), "application/octet-stream", None) for oid in S_MIME),
    ],
)
def test_a_type_is_recognised_by_its_first_octets(head: bytes, kind: str, ending: str | None) -> None:
    assert detect(head) == (kind, ending)


@pytest.mark.parametrize("head", [b"#!/bin/sh\n", b"REGEDIT4\n", b"[InternetShortcut]\n", b"<hta:application>"])
def test_scripts_are_not_recognised_in_text_that_people_read(head: bytes) -> None:
    assert detect(head, inline_text=True).type == "text/plain"


MARKS = [
    "ITSF", "MSCF", "ISc(", "!BDN", "conectix", "vhdxfile", "xar!", "BZh", "GIF87a", "GIF89a", "OggS", "ID3",
    "FWS", "CWS", "%!PS", "{\\rt", "-----BEGIN PGP MESSAGE-----", "!<arch>\ndebian", "1234Standard Jet DB",
    "1234Standard ACE DB", "1234567**ACE**", "12-lh5-", "12-lz4-", "1234ftyp", "MZ", "ZM", "PK", "RIFF", "BM", "#!",
    "Windows Registry", "REGEDIT", "[Internet", "ID;", "RE~^", "KDMV", "EGGA", "7kSt", "zPQ", "LZIP", "ZOO ",
]  # fmt: skip
"""What a text may begin with, and be no text."""


@pytest.mark.parametrize("mark", MARKS)
def test_a_text_that_begins_as_a_known_type_is_not_only_text(mark: str) -> None:
    assert not begins_as_text(b"\r\n" + mark.encode() + b" and so on\r\n", 2)
    assert begins_as_text(b"\r\n" + b"see: " + mark.encode().replace(b"{\\rt", b"").replace(b"-----", b""), 2)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"x\r\n%PDF-1.4",
        b"\xef\xbb\xbfhi",
        b"\xff\xfehi",
        b"\xfe\xffhi",
        b"  {\\rtf1",
        b"x" * 600 + b"koly" + b"x" * 508,
        b"x" * 600 + b"conectix" + b"x" * 504,
        b"x" * 257 + b"ustar",
        *(b"x" * 0x8001 + mark for mark in (b"CD001", b"BEA01", b"NSR02", b"NSR03")),
        b" " * 9 + b"MI" + b"x" * 30,
        b"\n begin:vcard",
        b"hi\x1b" + b"x" * 600,
        b"x" * 148 + b" 0144000" + b"x" * 600,
    ],
)
def test_a_text_with_more_in_it_is_not_only_text(text: bytes) -> None:
    assert not begins_as_text(b"\r\n" + text, 2)


@pytest.mark.parametrize("mark", [b"koly", b"conectix"])
def test_what_stands_before_a_short_text_is_not_its_end(mark: bytes) -> None:
    assert begins_as_text(mark + b"\r\n\r\nhello", len(mark) + 4)


def test_a_long_text_is_only_text() -> None:
    assert begins_as_text(b"\r\n" + b"x" * 0x9000, 2)


def test_only_a_sequence_has_a_content_type() -> None:
    assert content_info(b"1" + b"\x82" * 20) == 0
    assert content_info(b"0" + b"\x82" * 20) == 4


@pytest.mark.parametrize(
    ("head", "certain"),
    [
        (b"", False),
        (EXE, True),
        *((b"MZ" + after, True) for after in (b"\x90\0", b"P\0", b"\0\0", b"\x80\0", b"x\0")),
        (b"ZM\x90\0", True),
        (b"MZ is a mark", False),
        (b"MZ\1\2\0", False),
        (b"ZM\1\2\0", False),
        (b"MZ??" + bytes(60) + b"PE\0\0", True),
        (PDF, True),
        (b"Rar!\x1a\x07\0", True),
        (ZIP, True),
        (b"\xca\xfe\xba\xbe\0\0\0\x41", True),
        (b"\x60\xea\0", False),
        (b"\x1f\x8b\x08", False),
        (b"BZh9", False),
        (b"\xff\xd8\xff\xe0", False),
        (b"ID3\x04", False),
        (b"BM\1\1\1\1\0\0\0\0", False),
        (b"FWS\x05", False),
        (b"plain text", False),
    ],
)
def test_a_type_is_certain_by_four_octets_of_it(head: bytes, certain: bool) -> None:
    assert is_certain(head) is certain


@given(st.binary(max_size=100))
def test_detection_never_fails(head: bytes) -> None:
    assert detect(head).type


@given(st.binary(max_size=3000), st.sampled_from([4, 60, 76, 1000]))
def test_base64_of_any_line_length_decodes_in_one_reading(octets: bytes, width: int) -> None:
    text = base64.b64encode(octets)
    body = b"\r\n".join(text[n : n + width] for n in range(0, len(text), width)) + b"\r\n"
    assert decode.head(body, 0, len(body), "base64") == ((octets,), True)
    assert decode.whole(body, 0, len(body), "base64") == octets


def test_a_head_is_decoded_without_the_rest() -> None:
    octets = bytes(range(256)) * 1024
    body = base64.encodebytes(octets)
    (view,) = decode.head(body, 0, len(body), "base64").octets
    assert len(view) >= decode.HEAD
    assert octets.startswith(view)


@pytest.mark.parametrize(
    ("body", "views"),
    [
        (b"QUJD\r\n", (b"ABC",)),
        (b"QUI=", (b"AB",)),
        (b"QUI", (b"AB",)),
        (b"QUJDR", (b"ABC",)),
        (b"", (b"",)),
        (b"QUI=QUI=", (b"AB", b"ABAB", b"AB\x10P")),
        (b"Q#U-J.D", (b"ABC",)),
        (b"QUJD====", (b"ABC",)),
    ],
)
def test_damaged_base64_gives_every_reading(body: bytes, views: tuple[bytes, ...]) -> None:
    assert decode.head(body, 0, len(body), "base64").octets == views


def test_what_follows_a_pad_at_the_end_of_a_piece_has_several_readings() -> None:
    body = b"QUJD" * (decode._PIECE // 4 - 1) + b"QUI=" + b"QUJD"
    assert len(decode.wholes(body, 0, len(body), "base64")) > 1
    assert decode.wholes(body[:-4], 0, len(body) - 4, "base64") == (b"ABC" * (decode._PIECE // 4 - 1) + b"AB",)


@pytest.mark.parametrize(
    ("body", "clean"),
    [(b"QUJD", True), (b"QUI", True), (b"QUI=", True), (b"QUI=QUI=", False), (b"QUJD====", False), (b"QU#D", False)],
)
def test_only_a_last_quantum_may_be_damaged(body: bytes, clean: bool) -> None:
    assert decode.head(body, 0, len(body), "base64").clean is clean


@pytest.mark.parametrize(
    ("encoding", "body", "octets"),
    [
        ("base64", b"QUJDQUI", b"ABCAB"),
        ("", b"a=20b", b"a=20b"),
        ("7bit", b"a=20b", b"a=20b"),
        ("binary", b"\0", b"\0"),
        ("quoted-printable", b"a=20b=\r\nc=C3=BC", "a bcü".encode()),
    ],
)
def test_other_encodings(encoding: str, body: bytes, octets: bytes) -> None:
    padded = b"<<" + body + b">>"
    assert decode.whole(padded, 2, 2 + len(body), encoding) == octets
    assert decode.head(padded, 2, 2 + len(body), encoding).octets == (octets,)


@given(st.binary(max_size=400), st.sampled_from(sorted(decode.KNOWN)))
def test_decoding_never_fails(body: bytes, encoding: str) -> None:
    for view in decode.head(body, 0, len(body), encoding).octets:
        assert len(view) <= len(body)
    decode.whole(body, 0, len(body), encoding)
