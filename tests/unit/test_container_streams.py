"""Streams of decompressed octets: they end where they end, and say so if they do not."""

import bz2
import gzip
import lzma
import random
import subprocess
import zlib
from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from services.screener.containers import streams
from services.screener.containers.member import CHUNK, ContainerError, Sign
from tests.support.programs import needed

TEXT = b"some text, more or less " * 40


def deflate(octets: bytes) -> bytes:
    return zlib.compress(octets, wbits=-15)


def zstd(octets: bytes) -> bytes:
    needed("zstd")
    return subprocess.run(["zstd", "-q", "-c"], input=octets, capture_output=True, check=True).stdout


PACKERS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes, int, int], Iterator[bytes]]]] = {
    "deflate": (deflate, streams.inflate),
    "bzip2": (bz2.compress, streams.bunzip),
    "xz": (lzma.compress, streams.unxz),
    "zstd": (zstd, streams.unzstd),
}
REPEATED = [name for name in PACKERS if name != "deflate"]


def sign(stream: Iterator[bytes]) -> Sign | None:
    try:
        for _ in stream:
            pass
    except ContainerError as error:
        return error.sign
    return None


@pytest.mark.parametrize("name", PACKERS)
def test_what_is_packed_comes_out_of_the_middle_of_a_file(name: str) -> None:
    pack, unpack = PACKERS[name]
    packed = pack(TEXT)
    assert b"".join(unpack(b"12345" + packed + pack(b"other"), 5, 5 + len(packed))) == TEXT


@pytest.mark.parametrize("name", PACKERS)
def test_what_is_damaged_or_cut_off_is_malformed(name: str) -> None:
    pack, unpack = PACKERS[name]
    packed = pack(TEXT)
    assert sign(unpack(packed[:-9], 0, len(packed) - 9)) is Sign.MALFORMED
    damaged = packed[:8] + b"\xff" * 20 + packed[28:]
    assert sign(unpack(damaged, 0, len(damaged))) is Sign.MALFORMED


@pytest.mark.parametrize(
    "members",
    [(TEXT, random.Random(1).randbytes(3 * CHUNK)), (bytes(3 * CHUNK), TEXT)],
    ids=["packed into much", "packed into little"],
)
def test_a_large_gzip_and_a_small_one_may_follow_each_other(members: tuple[bytes, bytes]) -> None:
    given = islice(streams.gunzip(b"".join(map(gzip.compress, members))), 50)
    assert b"".join(given) == b"".join(members)


@pytest.mark.parametrize("name", REPEATED)
def test_streams_may_follow_each_other_and_be_padded(name: str) -> None:
    pack, unpack = PACKERS[name]
    packed = pack(TEXT) + pack(b"more")
    assert b"".join(unpack(packed, 0, len(packed))) == TEXT + b"more"
    assert b"".join(unpack(packed + bytes(8), 0, len(packed) + 8)) == TEXT + b"more"
    assert sign(unpack(packed + b"junk", 0, len(packed) + 4)) is Sign.MALFORMED


def test_a_gzip_file_has_members_and_padding() -> None:
    packed = gzip.compress(TEXT) + gzip.compress(b"more")
    assert b"".join(streams.gunzip(packed)) == TEXT + b"more"
    assert b"".join(streams.gunzip(packed + bytes(9))) == TEXT + b"more"
    large = random.Random(3).randbytes(3 * CHUNK)
    assert b"".join(streams.gunzip(gzip.compress(TEXT) + gzip.compress(large))) == TEXT + large
    for broken in (packed + b"junk", packed[:-1], packed[:20] + b"\xff" * 9 + packed[29:]):
        assert sign(streams.gunzip(broken)) is Sign.MALFORMED


def test_every_octet_comes_out_whatever_is_left_at_the_end_of_a_chunk() -> None:
    for size in range(CHUNK - 5, CHUNK + 600, 5):
        chunks = list(streams.inflate(deflate(bytes(size)), 0, len(deflate(bytes(size)))))
        assert sum(map(len, chunks)) == size
        assert max(map(len, chunks)) <= CHUNK


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"\x28\xb5\x2f\xfd", True),
        (b"\x50\x2a\x4d\x18", True),
        (b"\x5f\x2a\x4d\x18", True),
        (b"\x60\x2a\x4d\x18", False),
        (b"\x50\x2a\x4d\x19", False),
    ],
)
def test_what_begins_a_frame(octets: bytes, expected: bool) -> None:
    assert streams.is_zstd_frame(b"x" + octets, 1) is expected


def test_properties_that_lzma_does_not_have_are_malformed() -> None:
    wrong = {"id": lzma.FILTER_LZMA1, "lc": 8, "lp": 4, "pb": 0, "dict_size": 4096}
    assert sign(streams.unlzma(b"x" * 20, 0, 20, [wrong])) is Sign.MALFORMED
    with pytest.raises(ContainerError):
        streams.lzma_filter(b"\xe1\0\0\0\0")
    with pytest.raises(ContainerError):
        streams.lzma_filter(b"\x5d\0\0")
    assert streams.lzma_filter(b"\x5d\0\0\1\0") == {
        "id": lzma.FILTER_LZMA1, "lc": 3, "lp": 0, "pb": 2, "dict_size": 65536
    }  # fmt: skip


def test_lzma_may_end_without_a_mark_and_damaged_data_are_malformed() -> None:
    usual = {"id": lzma.FILTER_LZMA1, "lc": 3, "lp": 0, "pb": 2, "dict_size": 65536}
    packed = lzma.compress(TEXT, lzma.FORMAT_RAW, filters=[usual])
    assert b"".join(streams.unlzma(packed, 0, len(packed), [usual])) == TEXT
    assert sign(streams.unlzma(packed, 0, len(packed) - 2, [usual])) is None
    assert sign(streams.unlzma(b"\xff" * 50, 0, 50, [usual])) is Sign.MALFORMED


def test_lzma_that_wants_more_memory_than_it_may_have_is_over_the_limit() -> None:
    large = {"id": lzma.FILTER_LZMA2, "dict_size": 2 * streams.MEMORY}
    assert sign(streams.unlzma(b"x", 0, 1, [large])) is Sign.OVER_LIMIT
