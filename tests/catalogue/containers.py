"""Rows 57 to 63: archives, images and files that Windows acts on."""

import lzma
import random
import zlib

from tests.catalogue.case import CTE, PROGRAM, Case
from tests.support import archive_samples as archives
from tests.support import document_samples as documents
from tests.support.archive_samples import zip_entry, zip_of, zip_with
from tests.support.mail_samples import EXE, b64
from tests.support.quines import gzip_quine, zip_quine

INSIDE = "member:exe"
BY_CONTENT = "member:application/x-msdownload"
_LOCKED, _OVER, _BROKEN, _CLOSED = (
    f"container:{sign}" for sign in ("encrypted", "over-limit", "malformed", "unreadable")
)

CABINET = archives.Cabinet((("a", 0, len(EXE)),), (EXE,)).octets()


def deflated(octets: bytes) -> bytes:
    """Return octets as a member of a zip file packs them."""
    return zlib.compress(octets, wbits=-15)


def attached(row: int, name: str, octets: bytes, rule: str | None, file: str = "a.bin") -> Case:
    """Return a case in which a file is attached under a name that says nothing."""
    fields = f"Content-Type: application/octet-stream; name={file}\n{CTE}: base64"
    return Case(row, name, fields, b64(octets), (), rule)


def _locked() -> list[Case]:
    secret = zip_with(*zip_entry(b"a.txt", b"x" * 20, flags=1))
    return [
        attached(57, "zip", secret, _LOCKED),
        attached(57, "zip by AES", zip_with(*zip_entry(b"a.txt", b"x" * 20, flags=1, method=99)), _LOCKED),
        attached(57, "zip in zip", zip_of({"a": secret}), _LOCKED),
        attached(57, "a name that can be read", zip_with(*zip_entry(b"x.exe", b"x" * 20, flags=1)), INSIDE),
        attached(57, "rar 5", archives.rar5(("a.txt", b"x", {"encrypted": 1})), _LOCKED),
        attached(57, "rar 4", archives.rar4(("a.txt", b"x", {"encrypted": 1})), _LOCKED),
        attached(57, "rar 5, names too", archives.rar5(header_encrypted=True), _LOCKED),
        attached(57, "rar 4, names too", archives.rar4(header_encrypted=True), _LOCKED),
        attached(57, "docx", documents.compound({"EncryptedPackage": bytes(5000)}), _LOCKED),
        attached(57, "doc", documents.compound({"WordDocument": bytes(11) + b"\1" + bytes(20)}), _LOCKED),
        attached(57, "xls", documents.compound({"Workbook": b"\x2f\0\2\0\0\0"}), _LOCKED),
        attached(57, "ppt", documents.compound({"Current User": bytes(12) + b"\xdf\xc4\xd1\xf3"}), _LOCKED),
        attached(57, "pdf", documents.pdf(b"<</Encrypt<</Filter/Standard/R 3>>>>"), _LOCKED),
        attached(57, "odt", zip_of({"mimetype": b"x", "META-INF/manifest.xml": b"<x:encryption-data/>"}), _LOCKED),
    ]


def _bombs() -> list[Case]:
    layer = zip_of({f"{n}": bytes(2_000_000) for n in range(4)})
    return [
        attached(58, "a zip that holds itself", zip_quine(), _OVER),
        attached(58, "a gzip that holds itself", gzip_quine(), _OVER),
        attached(58, "nested", zip_of({f"{n}.zip": layer for n in range(4)}), _OVER),
        attached(58, "overlapping", archives.overlapping_bomb(200, 1 << 20), _OVER),
        attached(58, "gzip of gzip", archives.gzip_of(archives.gzip_of(bytes(20_000_000))), _OVER),
        attached(58, "very many members", zip_of({f"{n}": b"" for n in range(3001)}), _OVER),
        attached(58, "declared only", zip_with(*zip_entry(b"a", b"\0" * 20, method=8, size=2**31)), _OVER),
        attached(58, "a large file that packs well", zip_of({"a": bytes(3_000_000)}), None),
    ]


def _lies() -> list[Case]:
    local, entry = zip_entry(b"a.txt", b"harmless")
    hidden, its_entry = zip_entry(b"x.exe", b"harmless")
    plain = zip_with(local, entry)
    plain_exe = zip_with(hidden, its_entry)
    large = random.Random(59).randbytes(1_100_000)
    packed = deflated(EXE)
    zombie = zip_with(*zip_entry(b"a.txt", packed, size=len(EXE), crc=zlib.crc32(EXE)))
    return [
        attached(59, "another name in the directory", zip_with(local, its_entry), INSIDE),
        attached(59, "another harmless name", zip_with(local, zip_entry(b"b.txt", b"harmless")[1]), _BROKEN),
        attached(59, "not in the directory", zip_with(local + hidden, entry), INSIDE),
        attached(59, "two archives", zip_with(hidden, its_entry) + plain, INSIDE),
        attached(59, "appended", plain + hidden, INSIDE),
        attached(59, "no directory", hidden, INSIDE),
        attached(59, "stored but deflated", zombie, BY_CONTENT),
        attached(59, "data after the end", plain + b"something", _BROKEN),
        attached(59, "data before the beginning", b"PK\3\4" + b"junk" * 9 + plain, _BROKEN),
        attached(59, "another count", local + entry + archives.zip_end(2, len(entry), len(local)), _BROKEN),
        attached(59, "zip64 without its record", plain[:-6] + b"\xff\xff\xff\xff\0\0", _BROKEN),
        attached(59, "one block twice", zip_with(local, entry, entry), _BROKEN),
        attached(59, "far from both ends", b"\1" * 70_000 + plain_exe + b"\2" * 70_000, INSIDE),
        attached(59, "a text before and after", b"text\n" * 20_000 + plain_exe + b"text\n" * 20_000, INSIDE),
        attached(
            59, "far from both ends of a member", zip_of({"a": b"\1" * 70_000 + plain_exe + b"\2" * 70_000}), INSIDE
        ),
        attached(
            59,
            "behind ends that are none",
            b"\1" * 70_000 + (archives.END + b"\3" * 20) * 65 + plain_exe + b"\2" * 70_000,
            INSIDE,
        ),
        attached(59, "at the end of a large member", zip_of({"a": large + plain_exe}), INSIDE),
        attached(59, "within a large member", zip_of({"a": large + plain_exe + large}), INSIDE),
        attached(
            59,
            "more than it declares",
            zip_with(*zip_entry(b"a", deflated(bytes(1_500_000)), method=8, size=1_200_000)),
            _BROKEN,
        ),
        attached(
            59,
            "a large member that ends early",
            zip_with(*zip_entry(b"a", deflated(large)[:-9], method=8, size=len(large))),
            _BROKEN,
        ),
        attached(59, "an honest one", plain, None),
        attached(59, "an honest large one", zip_of({"a": large}), None),
        attached(59, "two in a tar", archives.tar_of({"a.zip": plain, "b.zip": plain}), None),
        attached(59, "an end that is none", b"\1" * 70_000 + (archives.END + b"\3" * 20) * 5 + b"\2" * 70_000, None),
    ]


def _nested(depth: int) -> bytes:
    content = EXE
    for level in range(depth):
        content = zip_of({f"{level}.zap" if level else "a.txt": content})
    return content


def _archives() -> list[Case]:
    return [
        attached(60, "archive in archive", _nested(3), BY_CONTENT),
        attached(60, "deeper than is read", _nested(6), _OVER),
        attached(60, "tar", archives.tar_of({"x.exe": b"x"}), INSIDE),
        attached(60, "lzma", lzma.compress(EXE, lzma.FORMAT_ALONE), BY_CONTENT),
        attached(60, "xz", lzma.compress(EXE), BY_CONTENT),
        attached(60, "gzip by its own name", archives.gzip_of(b"text", "x.exe"), INSIDE, "x.pdf.gz"),
        attached(60, "gzip by its outer name", archives.gzip_of(b"text"), INSIDE, '"x.exe.gz"'),
        attached(60, "rar", archives.rar5(("x.exe", b"??", {"method": 3})), INSIDE),
        attached(
            60, "rar in zip", zip_of({"a": archives.rar5(("a.txt", b"??", {"method": 3}))}), "container:listed-only"
        ),
        attached(60, "cabinet in zip", zip_of({"a": CABINET}), "member:application/vnd.ms-cab-compressed"),
        attached(60, "a method that nothing undoes", zip_with(*zip_entry(b"a", b"x" * 9, method=98)), _CLOSED),
        attached(60, "deflate64", zip_with(*zip_entry(b"a", b"x" * 9, method=9)), _CLOSED),
        attached(60, "a program that unpacks itself", EXE + zip_of({"a.txt": b"x"}), PROGRAM),
        *(
            attached(60, file, b"a later piece", "container:multi-volume", file)
            for file in ("a.zip.001", "a.r00", "a.part01.rar", "a.z01")
        ),
        *(
            attached(60, name, octets + bytes(60), _CLOSED)
            for name, octets in (
                ("ace", bytes(7) + b"**ACE**"),
                ("alz", b"ALZ\1"),
                ("egg", b"EGGA"),
                ("zpaq", b"7kSt"),
                ("lzh", b"!\0-lh5-"),
                ("arj", b"\x60\xea\x2b\0\x22\x0b\1\x0b\x10\0\2"),
            )
        ),
    ]


def _images() -> list[Case]:
    return [
        attached(61, "iso", bytes(32769) + b"CD001" + bytes(5000), "content:application/x-iso9660-image"),
        attached(61, "udf", bytes(32769) + b"BEA01" + bytes(5000), "content:application/x-udf-image"),
        attached(61, "vhd", b"conectix" + bytes(600), "content:application/x-vhd"),
        attached(61, "vhd by its end", bytes(1000) + b"conectix" + bytes(504), _CLOSED),
        attached(61, "vhdx", b"vhdxfile" + bytes(600), "content:application/x-vhdx"),
        attached(61, "wim", b"MSWIM\0\0\0" + bytes(600), "content:application/x-ms-wim"),
        attached(61, "dmg", bytes(1000) + b"koly" + bytes(508), _CLOSED),
        attached(61, "vhd in zip", zip_of({"a": b"conectix" + bytes(600)}), "member:application/x-vhd"),
        attached(61, "img", bytes(54) + b"FAT12   " + bytes(448) + b"\x55\xaa" + bytes(90), _CLOSED),
        attached(61, "img by name", b"x", "extension:img", "a.img"),
    ]


def _windows() -> list[Case]:
    link = b"L\0\0\0\x01\x14\x02\0" + bytes(80)
    xml = b'<?xml version="1.0"?><%s xmlns="x"></%s>'
    roots = {"libraryDescription": "library-ms", "persistedQuery": "search-ms", "PCSettings": "settingcontent-ms"}
    return [
        attached(62, "a program", documents.onenote(b"text", EXE), BY_CONTENT),
        attached(62, "a name", documents.onenote(b"text", name="x.exe", source="C:\\x"), INSIDE),
        attached(62, "a section", documents.onenote(b"text"), "content:application/onenote"),
        attached(63, "lnk", link, "content:application/x-ms-shortcut"),
        attached(63, "lnk in zip", zip_of({"a": link}), "member:application/x-ms-shortcut"),
        attached(63, "url", b"[InternetShortcut]\r\nURL=file://a/x", "content:application/x-mswinurl"),
        *(
            attached(63, f"{ending} in zip", zip_of({f"a.{ending}": b"x"}), f"member:{ending}")
            for ending in roots.values()
        ),
        *(
            attached(63, f"{ending} by its root", xml % (root.encode(), root.encode()), f"content:{kind}")
            for (root, ending), kind in zip(
                roots.items(),
                (
                    "application/windows-library+xml",
                    "application/windows-search+xml",
                    "application/windows-settings+xml",
                ),
                strict=True,
            )
        ),
    ]


CASES = [*_locked(), *_bombs(), *_lies(), *_archives(), *_images(), *_windows()]
