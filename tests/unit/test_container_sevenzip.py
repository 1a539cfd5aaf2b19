"""7z archives: content by every method, and files told apart."""

import bz2
import zlib

import pytest

from services.screener.containers.contents import look_inside
from services.screener.containers.member import Sign
from tests.support.looked import has_program, names
from tests.support.mail_samples import EXE
from tests.support.sevenzip_samples import (
    AES,
    ARM,
    BCJ,
    BZIP2,
    CODER_2,
    COPY,
    DEFLATE,
    DELTA,
    F1,
    F2,
    FAR,
    LONG,
    LZMA,
    LZMA2,
    NEXT,
    NEXT_1,
    P1,
    TEXT,
    TOGETHER,
    TWO,
    UNKNOWN,
    X86,
    ZSTD,
    archive,
    coder,
    files,
    folder,
    header,
    number,
    one,
    pack,
    packed_zstd,
    raw_lzma,
    streams,
    substreams,
    unpack,
)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(one(EXE, coder(COPY)), id="stored"),
        pytest.param(one(zlib.compress(EXE, wbits=-15), coder(DEFLATE)), id="deflate"),
        pytest.param(one(bz2.compress(EXE), coder(BZIP2)), id="bzip2"),
        pytest.param(one(packed_zstd(EXE), coder(ZSTD)), id="zstd"),
        pytest.param(one(raw_lzma(EXE, F1), coder(LZMA, P1)), id="lzma"),
        pytest.param(one(raw_lzma(EXE, F2), CODER_2), id="lzma2"),
        pytest.param(one(raw_lzma(EXE, X86, F2), coder(BCJ), CODER_2, bound=((0, 1),)), id="bcj"),
        pytest.param(one(raw_lzma(EXE, X86, F2), CODER_2, coder(BCJ), bound=((1, 0),)), id="bcj, listed the other way"),
        pytest.param(one(raw_lzma(EXE, X86, F2), coder(b"\4"), CODER_2, bound=((0, 1),)), id="bcj by its other number"),
        pytest.param(one(raw_lzma(EXE, ARM, F2), coder(b"\3\3\5\1"), CODER_2, bound=((0, 1),)), id="arm"),
        pytest.param(one(raw_lzma(FAR, F2), CODER_2, size=len(FAR)), id="lzma2 that refers far back"),
        pytest.param(one(raw_lzma(EXE, F2), coder(LZMA2)), id="lzma2 without properties"),
        pytest.param(
            one(raw_lzma(EXE, NEXT_1, F2), coder(DELTA), CODER_2, bound=((0, 1),)), id="delta without properties"
        ),
        pytest.param(one(raw_lzma(EXE, NEXT, F2), coder(DELTA, b"\2"), CODER_2, bound=((0, 1),)), id="delta"),
        pytest.param(
            one(raw_lzma(LONG, X86, F1), coder(BCJ), coder(LZMA, P1), bound=((0, 1),), size=len(LONG)), id="held back"
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


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (
            header(
                b"\4"
                + streams(
                    pack(len(TWO)),
                    unpack([folder(coder(COPY))], [len(TWO)], b"\x0a\1" + bytes(4)),
                    substreams(b"\x0d\2", b"\x09" + number(len(EXE)), b"\x0a\1" + bytes(8)),
                ),
                files("a", "b"),
            ),
            [("a", "exe"), ("b", None)],
        ),
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
                    substreams(b"\x0d\0\1", b"\x09"),
                ),
                files("e", "a", empty=b"\x80"),
            ),
            [("e", ""), ("a", "cut")],
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
        pytest.param(
            archive(
                header(
                    b"\4"
                    + streams(
                        pack(len(EXE)),
                        unpack(
                            [folder(coder(COPY, streams=(2, 1)), coder(COPY, streams=(1, 2)), bound=((0, 0), (1, 1)))],
                            [len(EXE)] * 3,
                        ),
                    ),
                    files("a"),
                ),
                EXE,
            ),
            Sign.UNREADABLE,
            id="by several into several",
        ),
        pytest.param(one(EXE[:-9], coder(COPY)), Sign.MALFORMED, id="fewer octets than said"),
        pytest.param(one(raw_lzma(EXE, F2)[:-4], CODER_2), Sign.MALFORMED, id="packed octets missing"),
        pytest.param(one(raw_lzma(EXE, F2), CODER_2, size=len(EXE) + 3), Sign.MALFORMED, id="fewer than said, packed"),
        pytest.param(
            one(raw_lzma(EXE, X86, F2), coder(BCJ), CODER_2, bound=((0, 1),), size=len(EXE) + 9),
            Sign.MALFORMED,
            id="fewer than a filter holds back",
        ),
    ],
)
def test_what_cannot_be_read_is_named_and_said(octets: bytes, sign: Sign) -> None:
    contents = look_inside(octets)
    assert contents.signs == {sign}
    assert names(contents) == ["a"]
    assert has_program(contents) is (sign is Sign.MALFORMED)


@pytest.mark.parametrize(
    "first",
    [
        folder(coder(COPY, streams=(2, 1)), packed=(0, 1)),
        folder(*[coder(COPY)] * 3, bound=((0, 1), (0, 2)), packed=(1, 2)),
    ],
)
def test_a_folder_out_of_two_streams_leaves_the_next_one_where_it_is(first: bytes) -> None:
    sizes = [9] * (3 if first[0] == 3 else 1)
    said = b"\4" + streams(pack(4, 5, len(EXE)), unpack([first, folder(coder(COPY))], [*sizes, len(EXE)]))
    contents = look_inside(archive(header(said, files("a", "b")), b"aaaabbbbb" + EXE))
    assert [inside.detected[0].extension for inside in contents.inside if inside.detected] == ["exe"]
    assert contents.signs == {Sign.UNREADABLE}


def test_the_size_of_a_file_is_that_of_the_last_step() -> None:
    steps = folder(CODER_2, coder(BCJ), bound=((1, 0),))
    packed = raw_lzma(EXE, X86, F2)
    said = b"\4" + streams(pack(len(packed)), unpack([steps], [3, len(EXE)]))
    (inside,) = look_inside(archive(header(said, files("a")), packed)).inside
    assert inside.size == len(EXE)


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
