"""Disk images: what ISO 9660 and Joliet list, and which forms are only recognised."""

import struct

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.disk_image import is_closed
from services.screener.containers.member import Sign
from tests.support.mail_samples import EXE

SECTOR = 2048
FIRST = 24
"""The sector after those of the descriptors, where the content begins."""
FOLDER = 2
"""The flag that makes a record a folder's."""
END = b"\xffCD001"

NTFS, FAT_32, EXFAT = (bytes(at) + mark for at, mark in ((3, b"NTFS    "), (82, b"FAT32   "), (3, b"EXFAT   ")))
FAT = bytes(54) + b"FAT12   "


def boot(begins: bytes, mark: bytes = b"\x55\xaa") -> bytes:
    return begins.ljust(510, b"\0") + mark + bytes(600)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(b"conectix" + bytes(600), id="vhd"),
        pytest.param(bytes(1000) + b"conectix" + bytes(504), id="vhd footer"),
        pytest.param(bytes(1000) + b"koly" + bytes(508), id="dmg"),
        pytest.param(b"koly" + bytes(100), id="dmg of one block"),
        pytest.param(bytes(512) + b"EFI PART\0\0\1\0" + bytes(600), id="partitions"),
        pytest.param(bytes(7) + b"**ACE**" + bytes(50), id="ace"),
        pytest.param(b"!\0-lh5-" + bytes(50), id="lzh"),
        pytest.param(b"!\0-lz5-" + bytes(50), id="larc"),
        pytest.param(b"070701" + b"0" * 104 + b"x.js\0", id="cpio"),
        pytest.param(b"\x60\xea\x2b\0\x22\x0b\x01\x0b\x10\0\2" + bytes(50), id="arj"),
        *(pytest.param(boot(begins), id=repr(begins[-8:])) for begins in (FAT, FAT_32, NTFS, EXFAT)),
        *(pytest.param(b"\x1f\x9d%c" % bits + bytes(50), id=f"compress {bits}") for bits in b"\x89\x8c\x8e\x8f\x90"),
        *(pytest.param(bytes(32769) + mark + bytes(5000), id=repr(mark)) for mark in (b"BEA01", b"NSR02", b"NSR03")),
        *(
            pytest.param(mark + bytes(600), id=repr(mark))
            for mark in (
                b"vhdxfile", b"MSWIM\0\0\0", b"KDMV", b"QFI\xfb", b"ALZ\x01", b"EGGA", b"7kSt", b"zPQ", b"xar!",
                b"!<arch>\ndebian-binary   ", b"\xed\xab\xee\xdb", b"LZIP", b"ZOO ",
                b"\x04\x22\x4d\x18",
            )
        ),
    ],
)  # fmt: skip
def test_images_and_archives_that_nothing_looks_into_are_said_to_be_unreadable(image: bytes) -> None:
    assert look_inside(image).signs == {Sign.UNREADABLE}


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(boot(FAT, b"\x55\xab"), id="a boot sector without its mark"),
        pytest.param(boot(b"FAT12   NTFS    "), id="a file system said elsewhere"),
        pytest.param(b"!\0-lx5-" + bytes(50), id="lzh of another kind"),
        pytest.param(b"!\0-lh5+" + bytes(50), id="lzh without its end"),
        pytest.param(b"!\0+lh5-" + bytes(50), id="lzh without its beginning"),
        pytest.param(b"\x1f\x9d\x0c" + bytes(50), id="compress of other bits"),
        pytest.param(b"\0\0\x90" + bytes(50), id="bits of compress only"),
        pytest.param(b"\x60\xea\x2b\0\x22\x0b\x01\x0b\x10\0\3" + bytes(50), id="arj of another kind"),
        pytest.param(b"\x60\xea\x2b\x0b\x22\x0b\x01\x0b\x10\0\2" + bytes(50), id="arj with a header too long"),
        pytest.param(b"\0\0\x2b\0\x22\x0b\x01\x0b\x10\0\2" + bytes(50), id="arj without its mark"),
    ],
)
def test_what_only_resembles_one_is_none(octets: bytes) -> None:
    assert not is_closed(octets)


def record(name: bytes, sector: int, size: int, flags: int = 0) -> bytes:
    facts = bytes((0, 0)) + struct.pack("<I4xI4x7xBBB4xB", sector, size, flags, 0, 0, len(name)) + name
    return bytes((len(facts),)) + facts[1:]


def descriptor(root: bytes, kind: bytes = b"\1", escape: bytes = b"", mark: bytes = b"CD001") -> bytes:
    return ((kind + mark + b"\1").ljust(88, b"\0") + escape).ljust(156, b"\0") + root


def image(descriptors: list[bytes], *contents: bytes) -> bytes:
    """Return an image with descriptors from sector 16 on, and each content in a sector of its own from FIRST on."""
    padded = [each.ljust(SECTOR, b"\0") for each in (*descriptors, *[b""] * (FIRST - 16 - len(descriptors)))]
    return bytes(16 * SECTOR) + b"".join(padded) + b"".join(each.ljust(SECTOR, b"\0") for each in contents)


def paths(contents: Contents) -> list[str]:
    return [inside.path for inside in contents.inside]


ROOT = record(b"\0", FIRST, SECTOR, FOLDER)
LONG_ROOT = record(b"\0", FIRST, 2 * SECTOR, FOLDER)
JOLIET = descriptor(ROOT, b"\2", b"%/E")
WIDE = record("größe.exe".encode("utf-16-be"), FIRST + 1, 2)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(image([descriptor(ROOT)], record(b"A.EXE;1", 25, 2)), ["A.EXE"], id="one file"),
        pytest.param(image([descriptor(ROOT)], record(b"A.;1", 25, 2)), ["A"], id="a name without an ending"),
        pytest.param(
            image(
                [descriptor(ROOT), descriptor(record(b"\0", FIRST + 1, SECTOR, FOLDER), b"\2", b"%/E")],
                record(b"GR.EXE", 26, 2),
                WIDE,
            ),
            ["GR.EXE", "größe.exe"],
            id="Joliet",
        ),
        pytest.param(image([JOLIET], WIDE), ["größe.exe"], id="Joliet alone"),
        pytest.param(image([descriptor(ROOT, b"\2")], record(b"aa.exe", 25, 2)), ["aa.exe"], id="other characters"),
        pytest.param(image([descriptor(ROOT, escape=b"%/E")], record(b"AA.EXE", 25, 2)), ["AA.EXE"], id="no Joliet"),
        pytest.param(
            image([END, descriptor(ROOT)], record(b"A.EXE", 25, 2)), ["A.EXE"], id="behind the last descriptor"
        ),
        pytest.param(image([b"\0CD001".ljust(156, b"\0") + ROOT], record(b"A.EXE", 25, 2)), [], id="a boot record"),
        pytest.param(image([descriptor(bytes(34)), JOLIET], WIDE), ["größe.exe"], id="a descriptor without a root"),
        pytest.param(
            image(
                [descriptor(ROOT), descriptor(record(b"\0", 25, SECTOR, FOLDER), mark=b"XX001")],
                b"",
                record(b"B", 26, 2),
            ),
            [],
            id="no descriptor",
        ),
        pytest.param(
            image([descriptor(LONG_ROOT)], record(b"A", 26, 2), record(b"B", 26, 2)), ["A", "B"], id="two sectors"
        ),
        pytest.param(image([descriptor(ROOT)], b"\x0a" + bytes(9) + record(b"A", 26, 2)), ["A"], id="a short record"),
        pytest.param(
            image(
                [descriptor(ROOT)],
                record(b"\0", FIRST, SECTOR, FOLDER) + record(b"\1", FIRST, SECTOR, FOLDER) + record(b"A", 26, 2),
            ),
            ["A"],
            id="itself and above",
        ),
        pytest.param(
            image(
                [descriptor(ROOT)],
                record(b"D", 25, SECTOR, FOLDER),
                record(b"D", 25, SECTOR, FOLDER) + record(b"A", 26, 2),
            ),
            ["D/A"],
            id="a folder that contains itself",
        ),
        pytest.param(
            image(
                [descriptor(ROOT)],
                *(record(b"D", FIRST + n, SECTOR, FOLDER) for n in range(1, 100)),
                record(b"A.EXE", 26, 2),
            ),
            [f"{'D/' * 99}A.EXE"],
            id="a deep folder",
        ),
        pytest.param(image([descriptor(record(b"\0", 9999, SECTOR, FOLDER))]), [], id="a root behind the end"),
    ],
)
def test_what_an_image_lists(octets: bytes, expected: list[str]) -> None:
    contents = look_inside(octets)
    assert paths(contents) == expected
    assert not contents.signs


def test_a_file_is_read_where_its_record_says() -> None:
    (inside,) = look_inside(image([descriptor(ROOT)], record(b"A.TXT", 25, len(EXE)), EXE)).inside
    assert [one.extension for one in inside.detected] == ["exe"]


@pytest.mark.parametrize("mark", [b"BEA01", b"NSR02", b"NSR03"])
def test_an_image_that_may_list_other_files_besides_is_said(mark: bytes) -> None:
    contents = look_inside(image([descriptor(ROOT), b"\0" + mark], record(b"A", 25, 2)))
    assert paths(contents) == ["A"]
    assert contents.signs == {Sign.UNREADABLE}


@pytest.mark.parametrize("listing", [record(b"D", 25, SECTOR, FOLDER) * 53, b""])
def test_more_records_than_are_looked_at_are_over_the_limit(listing: bytes) -> None:
    """A file behind very many folders, or behind very many empty sectors, is not hidden by them."""
    root = record(b"\0", FIRST, 20_000 * SECTOR, FOLDER)
    sectors = [listing.ljust(SECTOR, b"\0")] * (200 if listing else 10_001)
    assert look_inside(image([descriptor(root)], *sectors, record(b"A.EXE", 25, 2))).signs == {Sign.OVER_LIMIT}
