"""Cabinets: what is in MSZIP is read block by block; other methods are named only, and said to be unreadable."""

import struct
import subprocess
from pathlib import Path

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.member import Sign
from tests.support.archive_samples import Cabinet
from tests.support.mail_samples import EXE
from tests.support.programs import needed

EXE_TYPE = "application/x-msdownload"
TEXT = b"".join(b"line %d\n" % number for number in range(9000))
BLOCKS = (TEXT[:32768], TEXT[32768:65536], TEXT[:1000] + EXE)
"""The third refers back to nothing but the second."""
FILES = (("a.txt", 0, 66536), ("sub\\größe.bin", 66536, len(EXE)))
PLAIN = Cabinet(FILES, BLOCKS)


def types(contents: Contents) -> dict[str, str]:
    return {inside.path: one.type for inside in contents.inside for one in inside.detected}


@pytest.mark.parametrize(
    "cabinet",
    [
        pytest.param(PLAIN, id="mszip"),
        pytest.param(PLAIN._replace(method=0), id="stored"),
        pytest.param(PLAIN._replace(reserved=b"signed"), id="reserved octets"),
        pytest.param(PLAIN._replace(reserved=b"signed", folders=3), id="several folders"),
        pytest.param(PLAIN._replace(files=FILES[::-1]), id="files out of order"),
    ],
)
def test_the_content_is_read(cabinet: Cabinet) -> None:
    contents = look_inside(cabinet.octets())
    assert types(contents) == {"a.txt": "text/plain", "sub/größe.bin": EXE_TYPE}
    assert contents.signs == frozenset()


@pytest.mark.parametrize(
    ("cabinet", "signs"),
    [
        pytest.param(PLAIN._replace(before=b"1.cab\0disk\0"), {Sign.VOLUME}, id="one of several"),
        pytest.param(PLAIN._replace(after=b"3.cab\0disk\0"), {Sign.VOLUME}, id="one of several, first"),
        pytest.param(PLAIN._replace(method=0x1503), {Sign.UNREADABLE}, id="lzx"),
        pytest.param(PLAIN._replace(method=2), {Sign.UNREADABLE}, id="quantum"),
        pytest.param(PLAIN._replace(prefix=b"XX"), {Sign.MALFORMED}, id="blocks of another kind"),
        pytest.param(PLAIN._replace(blocks=BLOCKS[:2]), {Sign.MALFORMED}, id="content missing"),
        pytest.param(PLAIN._replace(blocks=(bytes(40_000),)), {Sign.MALFORMED}, id="a block that is too large"),
    ],
)
def test_what_a_cabinet_says_of_itself(cabinet: Cabinet, signs: set[Sign]) -> None:
    contents = look_inside(cabinet.octets())
    assert {inside.path for inside in contents.inside} == {"a.txt", "sub/größe.bin"}
    assert contents.signs == signs
    if signs == {Sign.VOLUME}:
        assert EXE_TYPE in types(contents).values()


def test_a_block_of_another_size_than_it_says_is_malformed() -> None:
    said = struct.pack("<HH", 32768, 32768)
    octets = PLAIN._replace(method=0).octets().replace(said, struct.pack("<HH", 32768, 9), 1)
    assert look_inside(octets).signs == {Sign.MALFORMED}


def test_files_that_would_have_the_stream_read_again_and_again_are_over_the_limit() -> None:
    files = tuple((f"{n}", (n + 1) % 2 * 66536, 10) for n in range(100))
    assert look_inside(PLAIN._replace(files=files).octets()).signs == {Sign.OVER_LIMIT}


def test_a_bomb_is_over_the_limit() -> None:
    block = bytes(32768)
    cabinet = Cabinet((("a", 0, 32768 * 3000),), (block,) * 3000)
    assert look_inside(cabinet.octets()).signs == {Sign.OVER_LIMIT}


def test_other_programs_read_what_is_made_here(tmp_path: Path) -> None:
    """So that the samples are cabinets, and not what we take for one."""
    needed("cabextract")
    (tmp_path / "a.cab").write_bytes(PLAIN.octets())
    subprocess.run(["cabextract", "-q", "a.cab"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "sub" / "größe.bin").read_bytes() == EXE
    assert (tmp_path / "a.txt").read_bytes() == b"".join(BLOCKS)[:66536]
