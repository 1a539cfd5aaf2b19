"""The header of a 7z archive: packed, or written as nobody writes it."""

import pytest

from services.screener.containers.contents import look_inside
from services.screener.containers.member import Sign
from services.screener.containers.sevenzip import SIGNATURE
from tests.support.looked import has_program
from tests.support.mail_samples import EXE
from tests.support.sevenzip_samples import (
    AES,
    CODER_2,
    COPY,
    F2,
    MANY,
    TOGETHER,
    TWO,
    UNKNOWN,
    archive,
    coder,
    files,
    folder,
    header,
    number,
    pack,
    raw_lzma,
    streams,
    substreams,
    unpack,
)

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
        pytest.param(packed_header(SAID, CODER_2, data=raw_lzma(SAID, F2)), set(), id="lzma2"),
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
        archive(
            header(
                b"\4"
                + streams(
                    pack(9),
                    unpack([folder(coder(COPY, streams=(65, 65)), bound=tuple((n, n) for n in range(64)))], [9] * 65),
                ),
                files("a"),
            ),
            EXE,
        ),
        Sign.MALFORMED,
        id="very many outputs",
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
