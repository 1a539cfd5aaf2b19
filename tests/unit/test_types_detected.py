"""Types recognised by content, through every reading of a transfer encoding."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.screener.identity.magic import detect
from services.screener.mime import decode
from tests.support.mail_samples import EXE, PDF, PNG

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
        (b"<p>write <libraryDescription> first", "text/plain", None),
        (b"<!DOCTYPE html><p>", "text/html", "html"),
        ("schöne Grüße".encode(), "text/plain", None),
        (b"\x00\x01\x02", "application/octet-stream", None),
    ],
)
def test_a_type_is_recognised_by_its_first_octets(head: bytes, kind: str, ending: str | None) -> None:
    assert detect(head) == (kind, ending)


@pytest.mark.parametrize("head", [b"#!/bin/sh\n", b"REGEDIT4\n", b"[InternetShortcut]\n", b"<hta:application>"])
def test_scripts_are_not_recognised_in_text_that_people_read(head: bytes) -> None:
    assert detect(head, inline_text=True).type == "text/plain"


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


@pytest.mark.parametrize(
    ("encoding", "body", "octets"),
    [
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
