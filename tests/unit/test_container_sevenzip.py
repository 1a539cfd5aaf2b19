"""7z archives, header by header: what each record says, and what nobody writes."""

import bz2
import lzma
import random
import struct
import zlib

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.member import Sign
from services.screener.containers.sevenzip import SIGNATURE
from tests.support.mail_samples import EXE

COPY, LZMA, LZMA2, BCJ, DELTA = b"\0", b"\3\1\1", b"\x21", b"\3\3\1\3", b"\3"
DEFLATE, BZIP2, AES, UNKNOWN = b"\4\1\x08", b"\4\2\2", b"\6\xf1\7\1", b"\3\4\1"
TEXT = b"some text " * 30
MANY = 100_001


def number(value: int) -> bytes:
    for extra in range(8):
        if value < 1 << (7 * (extra + 1)):
            high = value >> (8 * extra)
            return bytes((0xFF << (8 - extra) & 0xFF | high,)) + (value & ((1 << 8 * extra) - 1)).to_bytes(
                extra, "little"
            )
    return b"\xff" + value.to_bytes(8, "little")


def coder(method: bytes, properties: bytes = b"", streams: tuple[int, int] | None = None) -> bytes:
    flags = len(method) | 0x10 * (streams is not None) | 0x20 * bool(properties)
    out = bytes((flags,)) + method
    out += b"".join(map(number, streams)) if streams is not None else b""
    return out + (number(len(properties)) + properties if properties else b"")


def folder(*coders: bytes, bound: tuple[tuple[int, int], ...] = (), packed: tuple[int, ...] = ()) -> bytes:
    pairs = b"".join(number(into) + number(out) for into, out in bound)
    return number(len(coders)) + b"".join(coders) + pairs + b"".join(map(number, packed))


def pack(*sizes: int, start: int = 0, digests: bytes = b"") -> bytes:
    return b"\6" + number(start) + number(len(sizes)) + b"\x09" + b"".join(map(number, sizes)) + digests + b"\0"


def unpack(folders: list[bytes], sizes: list[int], digests: bytes = b"", elsewhere: bytes = b"\0") -> bytes:
    listed = b"".join(map(number, sizes))
    return b"\7\x0b" + number(len(folders)) + elsewhere + b"".join(folders) + b"\x0c" + listed + digests + b"\0"


def streams(*sections: bytes) -> bytes:
    return b"".join(sections) + b"\0"


def files(*names: str, empty: bytes = b"", extra: bytes = b"", external: bytes = b"\0") -> bytes:
    text = external + "".join(f"{name}\0" for name in names).encode("utf-16-le")
    out = b"\5" + number(len(names)) + (b"\x0e" + number(len(empty)) + empty if empty else b"") + extra
    return out + b"\x11" + number(len(text)) + text + b"\0"


def header(*sections: bytes) -> bytes:
    return b"\1" + b"".join(sections) + b"\0"


def archive(said: bytes, data: bytes = b"", crc: int | None = None) -> bytes:
    """Return an archive whose data come first, then the header."""
    start = struct.pack("<QQI", len(data), len(said), zlib.crc32(said) if crc is None else crc)
    return SIGNATURE + b"\0\4" + struct.pack("<I", zlib.crc32(start)) + start + data + said


def one(data: bytes, *coders: bytes, size: int = len(EXE), bound: tuple[tuple[int, int], ...] = ()) -> bytes:
    """Return an archive of one file by some coders."""
    sizes = [size] * len(coders)
    return archive(
        header(b"\4" + streams(pack(len(data)), unpack([folder(*coders, bound=bound)], sizes)), files("a")), data
    )


def _filters(data: bytes, *filters: dict[str, int]) -> bytes:
    return lzma.compress(data, lzma.FORMAT_RAW, filters=list(filters))


F1, F2 = {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16}, {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}
ARM = {"id": lzma.FILTER_ARM}
NEXT_1 = {"id": lzma.FILTER_DELTA, "dist": 1}
FAR = EXE + random.Random(7).randbytes(9000) * 2
X86, NEXT = {"id": lzma.FILTER_X86}, {"id": lzma.FILTER_DELTA, "dist": 3}
P1, P2 = b"\x5d\0\0\1\0", b"\x08"
LONG = EXE * 40
TWO = EXE + TEXT
CODER_2 = coder(LZMA2, P2)


def names(contents: Contents) -> list[str]:
    return [inside.path for inside in contents.inside]


def has_program(contents: Contents) -> bool:
    return any(one.extension == "exe" for inside in contents.inside for one in inside.detected)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(one(EXE, coder(COPY)), id="stored"),
        pytest.param(one(zlib.compress(EXE, wbits=-15), coder(DEFLATE)), id="deflate"),
        pytest.param(one(bz2.compress(EXE), coder(BZIP2)), id="bzip2"),
        pytest.param(one(_filters(EXE, F1), coder(LZMA, P1)), id="lzma"),
        pytest.param(one(_filters(EXE, F2), CODER_2), id="lzma2"),
        pytest.param(one(_filters(EXE, X86, F2), coder(BCJ), CODER_2, bound=((0, 1),)), id="bcj"),
        pytest.param(one(_filters(EXE, X86, F2), CODER_2, coder(BCJ), bound=((1, 0),)), id="bcj, listed the other way"),
        pytest.param(one(_filters(EXE, X86, F2), coder(b"\4"), CODER_2, bound=((0, 1),)), id="bcj by its other number"),
        pytest.param(one(_filters(EXE, ARM, F2), coder(b"\3\3\5\1"), CODER_2, bound=((0, 1),)), id="arm"),
        pytest.param(one(_filters(FAR, F2), CODER_2, size=len(FAR)), id="lzma2 that refers far back"),
        pytest.param(one(_filters(EXE, F2), coder(LZMA2)), id="lzma2 without properties"),
        pytest.param(
            one(_filters(EXE, NEXT_1, F2), coder(DELTA), CODER_2, bound=((0, 1),)), id="delta without properties"
        ),
        pytest.param(one(_filters(EXE, NEXT, F2), coder(DELTA, b"\2"), CODER_2, bound=((0, 1),)), id="delta"),
        pytest.param(
            one(_filters(LONG, X86, F1), coder(BCJ), coder(LZMA, P1), bound=((0, 1),), size=len(LONG)), id="held back"
        ),
        pytest.param(
            archive(
                header(b"\4" + streams(pack(len(EXE), start=5), unpack([folder(coder(COPY))], [len(EXE)])), files("a")),
                b"12345" + EXE,
            ),
            id="not at the beginning",
        ),
        pytest.param(
            archive(
                header(
                    b"\4"
                    + streams(
                        pack(len(EXE), digests=b"\x0a\1" + bytes(4)),
                        unpack([folder(coder(COPY))], [len(EXE)], b"\x0a\1" + bytes(4)),
                    ),
                    files("a"),
                ),
                EXE,
            ),
            id="checksums",
        ),
        pytest.param(
            archive(
                header(
                    b"\4"
                    + streams(
                        pack(len(EXE), digests=b"\x0a\0\x80" + bytes(4)),
                        unpack([folder(coder(COPY))], [len(EXE)], b"\x0a\0\0"),
                    ),
                    files("a"),
                ),
                EXE,
            ),
            id="checksums for some",
        ),
        pytest.param(one(EXE, coder(COPY, streams=(1, 1))), id="streams counted"),
    ],
)
def test_content_is_read(octets: bytes) -> None:
    contents = look_inside(octets)
    assert has_program(contents)
    assert names(contents) == ["a"]
    assert contents.signs == frozenset()


def substreams(*sections: bytes) -> bytes:
    return b"\x08" + b"".join(sections) + b"\0"


TOGETHER = unpack([folder(coder(COPY))], [len(TWO)])


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (
            header(
                b"\4" + streams(pack(len(TWO)), TOGETHER, substreams(b"\x0d\2", b"\x09" + number(len(EXE)))),
                files("a", "b"),
            ),
            [("a", "exe"), ("b", None)],
        ),
        (
            header(
                b"\4"
                + streams(
                    pack(len(TWO)), TOGETHER, substreams(b"\x0d\2", b"\x09" + number(len(EXE)), b"\x0a\1" + bytes(8))
                ),
                files("a", "b"),
            ),
            [("a", "exe"), ("b", None)],
        ),
        (
            header(
                b"\4"
                + streams(
                    pack(len(EXE), len(TEXT)),
                    unpack([folder(coder(COPY))] * 2, [len(EXE), len(TEXT)], b"\x0a\0\x80" + bytes(4)),
                    substreams(b"\x0a\1" + bytes(4)),
                ),
                files("a", "b"),
            ),
            [("a", "exe"), ("b", None)],
        ),
        (
            header(
                b"\4"
                + streams(
                    pack(len(TEXT), len(EXE)),
                    unpack([folder(coder(COPY))] * 2, [len(TEXT), len(EXE)]),
                    substreams(b"\x0d\0\1"),
                ),
                files("e", "a", empty=b"\x80"),
            ),
            [("e", ""), ("a", "cut")],
        ),
        (
            header(
                b"\4" + streams(pack(len(TWO)), unpack([folder(coder(COPY))], [len(EXE)])),
                files("folder", "a", empty=b"\x80", extra=b"\x19\2xx"),
            ),
            [("folder", ""), ("a", "exe")],
        ),
        (header(files("only", "names")), [("only", ""), ("names", "")]),
    ],
)
def test_files_are_told_apart(said: bytes, seen: list[tuple[str, str | None]]) -> None:
    """An ending of "" stands for a file without content; "cut" for one that begins in the middle of the data."""
    contents = look_inside(archive(said, TWO if b"\x0d\0\1" not in said else TEXT + EXE))
    found = [(inside.path, inside.detected[0].extension if inside.detected else "") for inside in contents.inside]
    assert found == [(name, "exe" if ending == "cut" else ending) for name, ending in seen]
    assert contents.signs == frozenset()


PLAIN = streams(pack(len(EXE)), unpack([folder(coder(COPY))], [len(EXE)]))
SAID = header(b"\4" + PLAIN, files("a"))


def packed_header(said: bytes, *coders: bytes, data: bytes | None = None, size: int | None = None) -> bytes:
    """Return an archive whose header is packed too."""
    packed = said if data is None else data
    outer = b"\x17" + streams(
        pack(len(packed), start=len(EXE)),
        unpack([folder(*(coders or (coder(COPY),)))], [len(said) if size is None else size]),
    )
    return archive(outer, EXE + packed)


@pytest.mark.parametrize(
    ("octets", "signs"),
    [
        pytest.param(packed_header(SAID), set(), id="stored"),
        pytest.param(packed_header(SAID, CODER_2, data=_filters(SAID, F2)), set(), id="lzma2"),
        pytest.param(packed_header(SAID, coder(AES)), {Sign.ENCRYPTED}, id="encrypted"),
        pytest.param(packed_header(SAID, coder(UNKNOWN)), {Sign.UNREADABLE}, id="by an unknown method"),
        pytest.param(packed_header(SAID, size=17 * 1024 * 1024), {Sign.OVER_LIMIT}, id="very large"),
        pytest.param(archive(b"\x17\0", EXE), {Sign.MALFORMED}, id="of no folder"),
        pytest.param(archive(b"", EXE), set(), id="empty"),
    ],
)
def test_a_header_that_is_packed(octets: bytes, signs: set[Sign]) -> None:
    contents = look_inside(octets)
    assert contents.signs == signs
    assert has_program(contents) is (not signs and len(octets) > len(archive(b"", EXE)))


def test_a_header_packed_again_and_again_is_over_the_limit() -> None:
    said = b"\x17" + streams(pack(0), unpack([folder(coder(COPY))], [0]))
    again = b"\x17" + streams(pack(len(said)), unpack([folder(coder(COPY))], [len(said)]))
    assert look_inside(archive(again, again)).signs == {Sign.OVER_LIMIT}


BAD = [
    pytest.param(SIGNATURE + bytes(20), Sign.MALFORMED, id="cut off"),
    pytest.param(archive(SAID, EXE, crc=1), Sign.MALFORMED, id="another checksum"),
    pytest.param(archive(SAID, EXE)[:-1], Sign.MALFORMED, id="cut off at the end"),
    pytest.param(archive(b"\2\0", EXE), Sign.MALFORMED, id="no header"),
    pytest.param(archive(header(b"\x2a"), EXE), Sign.MALFORMED, id="no section"),
    pytest.param(archive(header(b"\4\x2a"), EXE), Sign.MALFORMED, id="no section of streams"),
    pytest.param(archive(header(b"\4\6\0\1\x2a"), EXE), Sign.MALFORMED, id="no section of packed streams"),
    pytest.param(archive(header(b"\4\7\x2a"), EXE), Sign.MALFORMED, id="no folders"),
    pytest.param(archive(header(b"\4\7\x0b\0\0\x2a"), EXE), Sign.MALFORMED, id="no section of folders"),
    pytest.param(archive(header(b"\4\7\x0b\0\0\0\x08\x2a"), EXE), Sign.MALFORMED, id="no section of files in folders"),
    pytest.param(
        archive(header(b"\4" + streams(pack(9), unpack([folder(coder(COPY))], [9], elsewhere=b"\1"))), EXE),
        Sign.UNREADABLE,
        id="folders elsewhere",
    ),
    pytest.param(
        archive(header(b"\4" + streams(pack(9), b"\7\x0b\1\0" + folder(coder(COPY)) + b"\0")), EXE),
        Sign.MALFORMED,
        id="a folder without a size",
    ),
    pytest.param(
        archive(header(b"\4" + streams(pack(9), b"\7\x0b\1\0\0\x0c\x09\0")), EXE),
        Sign.MALFORMED,
        id="a folder without a coder",
    ),
    pytest.param(
        archive(header(b"\4" + streams(unpack([folder(coder(COPY))], [9]))), EXE),
        Sign.MALFORMED,
        id="no packed stream for a folder",
    ),
    pytest.param(
        archive(header(b"\4" + streams(pack(9), unpack([folder(coder(COPY, streams=(60, 5)))], [9] * 5))), EXE),
        Sign.MALFORMED,
        id="bound to nothing",
    ),
    pytest.param(
        archive(
            header(
                b"\4" + streams(pack(9), unpack([folder(coder(COPY, streams=(65, 1)), packed=tuple(range(65)))], [9]))
            ),
            EXE,
        ),
        Sign.MALFORMED,
        id="very many inputs",
    ),
    pytest.param(
        archive(header(b"\4" + streams(pack(9), unpack([folder(coder(COPY, streams=(0, 0)))], []))), EXE),
        Sign.MALFORMED,
        id="no output",
    ),
    pytest.param(
        archive(
            header(b"\4" + streams(pack(9), unpack([folder(coder(COPY), coder(COPY), bound=((9, 0),))], [9, 9]))), EXE
        ),
        Sign.MALFORMED,
        id="bound to what is not there",
    ),
    pytest.param(
        archive(header(b"\4" + streams(pack(9), TOGETHER, substreams(b"\x0d\2", b"\x09" + number(len(TWO) + 1)))), TWO),
        Sign.MALFORMED,
        id="files larger than their folder",
    ),
    pytest.param(
        archive(header(b"\4" + streams(pack(9), TOGETHER, substreams(b"\x0d" + number(MANY)))), TWO),
        Sign.OVER_LIMIT,
        id="very many files in a folder",
    ),
    pytest.param(
        archive(
            header(
                b"\4"
                + streams(
                    pack(9, 9), unpack([folder(coder(COPY))] * 2, [9, 9]), substreams(b"\x0d" + number(60_000) * 2)
                )
            ),
            TWO,
        ),
        Sign.OVER_LIMIT,
        id="very many files in folders",
    ),
    pytest.param(
        archive(header(b"\5" + number(2) + b"\x11\5\0a\0\0\0\0")), Sign.MALFORMED, id="fewer names than files"
    ),
    pytest.param(archive(header(files("a", external=b"\1"))), Sign.UNREADABLE, id="names elsewhere"),
    pytest.param(archive(header(b"\5" + number(MANY))), Sign.OVER_LIMIT, id="very many files"),
    pytest.param(archive(header(b"\5\1\x11" + b"\xff" * 9)), Sign.MALFORMED, id="an endless field"),
]


@pytest.mark.parametrize(("octets", "sign"), BAD)
def test_what_nobody_writes(octets: bytes, sign: Sign) -> None:
    contents = look_inside(octets)
    assert contents.signs == {sign}
    assert contents.inside == ()


@pytest.mark.parametrize(
    ("octets", "sign"),
    [
        pytest.param(one(EXE, coder(AES)), Sign.ENCRYPTED, id="encrypted"),
        pytest.param(one(EXE, coder(AES), CODER_2, bound=((1, 0),)), Sign.ENCRYPTED, id="encrypted and packed"),
        pytest.param(one(EXE, coder(UNKNOWN)), Sign.UNREADABLE, id="an unknown method"),
        pytest.param(one(EXE, coder(UNKNOWN), CODER_2, bound=((0, 1),)), Sign.UNREADABLE, id="an unknown filter"),
        pytest.param(one(EXE, coder(COPY), coder(COPY), bound=((0, 1),)), Sign.UNREADABLE, id="stored twice"),
        pytest.param(one(EXE, CODER_2, CODER_2, bound=((0, 1),)), Sign.UNREADABLE, id="packed twice"),
        pytest.param(one(EXE, coder(BCJ)), Sign.UNREADABLE, id="a filter alone"),
        pytest.param(
            archive(
                header(
                    b"\4"
                    + streams(
                        pack(len(EXE), 0),
                        unpack([folder(coder(COPY, streams=(2, 1)), packed=(0, 1))], [len(EXE)]),
                    ),
                    files("a"),
                ),
                EXE,
            ),
            Sign.UNREADABLE,
            id="out of two streams",
        ),
        pytest.param(one(EXE[:-9], coder(COPY)), Sign.MALFORMED, id="fewer octets than said"),
        pytest.param(one(_filters(EXE, F2)[:-4], CODER_2), Sign.MALFORMED, id="packed octets missing"),
    ],
)
def test_what_cannot_be_read_is_named_and_said(octets: bytes, sign: Sign) -> None:
    contents = look_inside(octets)
    assert contents.signs == {sign}
    assert names(contents) == ["a"]
    assert has_program(contents) is (sign is Sign.MALFORMED)


def test_what_is_packed_beyond_the_file_is_malformed() -> None:
    said = header(b"\4" + streams(pack(len(EXE) + 99), unpack([folder(coder(COPY))], [len(EXE)])), files("a"))
    contents = look_inside(archive(said, EXE))
    assert contents.signs == {Sign.MALFORMED}
    assert not has_program(contents)


def test_more_files_than_are_looked_at_are_over_the_limit() -> None:
    """Said at once, not only when the last of them has been counted."""
    contents = look_inside(archive(header(files(*(f"{n}" for n in range(3001))))))
    assert contents.signs == {Sign.OVER_LIMIT}
    assert len(contents.inside) == 3000
