"""zstd: files by the real tool, members of archives, frames that are skipped, windows that are too large."""

import subprocess
import zlib
from collections.abc import Callable

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.member import Sign
from tests.support import archive_samples as archives
from tests.support.mail_samples import EXE
from tests.support.programs import needed

EXE_TYPE = "application/x-msdownload"


def zstd(octets: bytes, *options: str) -> bytes:
    needed("zstd")
    return subprocess.run(["zstd", "-q", "-c", *options], input=octets, capture_output=True, check=True).stdout


def types(contents: Contents) -> set[str]:
    return {one.type for inside in contents.inside for one in inside.detected}


@pytest.mark.parametrize(
    "options",
    [(), ("-19",), ("--no-check",), ("--no-content-size",), ("--long=26",), ("-1", "--single-thread")],
    ids=" ".join,
)
def test_the_content_is_seen_and_called_as_the_file_without_its_suffix(options: tuple[str, ...]) -> None:
    contents = look_inside(zstd(EXE, *options), ("x.exe.zst",))
    assert [inside.names for inside in contents.inside] == [("x.exe",)]
    assert types(contents) == {EXE_TYPE}
    assert contents.signs == frozenset()


def test_frames_that_are_skipped_hide_nothing() -> None:
    skipped = b"\x5a\x2a\x4d\x18\4\0\0\0abcd"
    contents = look_inside(skipped + zstd(b"MZ\x90\0") + skipped + zstd(EXE[4:]))
    assert types(contents) == {EXE_TYPE}
    assert [inside.size for inside in contents.inside] == [len(EXE)]


@pytest.mark.parametrize("method", [93, 20])
def test_a_member_of_a_zip(method: int) -> None:
    packed = zstd(EXE)
    local, entry = archives.zip_entry(b"a.bin", packed, method=method, size=len(EXE), crc=zlib.crc32(EXE))
    contents = look_inside(archives.zip_with(local, entry))
    assert types(contents) == {EXE_TYPE}
    assert contents.signs == frozenset()


@pytest.mark.parametrize(
    ("change", "sign"),
    [
        (lambda whole: whole[:-5], Sign.MALFORMED),
        (lambda whole: whole + b"more", Sign.MALFORMED),
        (lambda whole: whole[:4] + b"\xff" * 40, Sign.MALFORMED),
    ],
    ids=["cut off", "something after it", "broken"],
)
def test_a_damaged_file_is_malformed(change: Callable[[bytes], bytes], sign: Sign) -> None:
    assert look_inside(change(zstd(EXE))).signs == {sign}


def test_a_window_beyond_what_a_decoder_may_take_is_over_the_limit() -> None:
    assert look_inside(zstd(EXE, "--long=27")).signs == {Sign.OVER_LIMIT}


def test_a_bomb_is_over_the_limit() -> None:
    assert look_inside(zstd(bytes(60_000_000))).signs == {Sign.OVER_LIMIT}
