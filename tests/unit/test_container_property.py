"""No octets make a reader raise, or unpack more than its budget."""

import base64
import bz2
import lzma

from hypothesis import given, settings
from hypothesis import strategies as st

from services.screener.containers.budget import Limits
from services.screener.containers.contents import look_inside
from tests.support import archive_samples as archives
from tests.support import document_samples as documents
from tests.support.mail_samples import EXE, with_exe

FILES = {"a.txt": b"text " * 500, "sub/evil.exe": EXE, "inner.zip": archives.zip_of({"b.exe": EXE})}
SEEDS = [
    archives.zip_of(FILES),
    archives.zip_of(FILES, method=0),
    archives.tar_of(FILES),
    archives.gzip_of(archives.tar_of(FILES), "a.tar"),
    bz2.compress(archives.tar_of(FILES)),
    lzma.compress(archives.tar_of(FILES)),
    lzma.compress(EXE, lzma.FORMAT_ALONE),
    archives.rar5(("a.exe", EXE, {}), ("b.txt", b"??", {"method": 3}), ("c.txt", b"??", {"encrypted": 1})),
    archives.rar4(("a.exe", EXE, {}), ("b.txt", b"??", {"method": 0x33})),
    *archives.by_installed_tools(),
    archives.Cabinet((("a.exe", 0, len(EXE)),), (EXE,), reserved=b"x").octets(),
    documents.compound({"Macros/VBA/_VBA_PROJECT": b"x" * 5000, "\x01Ole10Native": documents.native(b"a.exe", EXE)}),
    documents.outlook("a.exe", EXE),
    documents.tnef(b"a.exe", EXE, "longer.exe"),
    documents.rtf(documents.native(b"a.exe", EXE)[4:]),
    documents.onenote(b"text", EXE),
    documents.pdf(documents.embedded(EXE), compressed=b"1 0 <</S/Launch>>"),
    b"<svg><image href='data:a/b;base64," + base64.b64encode(EXE) + b"'/></svg>",
    documents.pdf(
        b"<</Encrypt<</Filter/Standard/R 3/Length 128/P -4/U(%s)/O(%s)>>/ID[<00>]>>" % (b"u" * 32, b"o" * 32)
    ),
    archives.zip_of({"a.eml": with_exe()}),
]
STARTS = [
    b"",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b\x08\x08",
    b"BZh9",
    b"\xfd7zXZ\0",
    b"]\0\0",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07\0",
    b"Rar!\x1a\x07\x01\0",
    b"MSCF\0\0\0\0",
    b"%PDF-1.7 ",
    b"{\\rtf1\\obj\\objdata ",
    b'x\x9f>"\0\0\2',
    b"0\x80\6\t*\x86H\x86\xf7\r\1\7\2",
    b"<svg>;base64,data:,",
]
SMALL = Limits(depth=4, members=50, expansion=200_000, always=200_000)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a real archive with some octets changed, cut out, or doubled."""
    octets = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(octets) - 1)))
        match draw(st.integers(0, 3)):
            case 0 if octets:
                octets[at] = draw(st.integers(0, 255))
            case 1:
                del octets[at : at + draw(st.integers(1, 64))]
            case 2:
                octets[at:at] = octets[max(0, at - 64) : at]
            case _:
                octets[at : at + 4] = draw(st.sampled_from([b"\xff\xff\xff\xff", bytes(4), b"PK\x01\x02", b"\x7f" * 4]))
    return bytes(octets)


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_damaged_archives(octets: bytes) -> None:
    contents = look_inside(octets, limits=SMALL)
    assert len(contents.inside) <= SMALL.members


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=3000))
def test_arbitrary_octets(start: bytes, octets: bytes) -> None:
    contents = look_inside(start + octets, ("x.gz",), limits=SMALL)
    assert sum(inside.size for inside in contents.inside if inside.detected) <= SMALL.expansion + 2**18
