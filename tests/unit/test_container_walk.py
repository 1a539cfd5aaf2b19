"""How deep and how far a member is unpacked, and what a packed file is called."""

import gzip
import random

import pytest

from services.screener.containers.budget import Limits
from services.screener.containers.contents import look_inside
from services.screener.containers.member import Sign
from tests.support import archive_samples as archives
from tests.support.archive_samples import zip_of

FIRST = 1024 * 1024
"""Octets that are kept of a member that is no container."""
LARGE = random.Random(1).randbytes(1_200_000)
"""More than is unpacked of a member that is no container."""


def test_a_container_inside_another_is_unpacked_to_its_end() -> None:
    inner = zip_of({"first.bin": LARGE, "last.exe": b"MZ"})
    found = look_inside(zip_of({"inner.zip": inner}))
    assert [inside.path for inside in found.inside] == ["inner.zip", "inner.zip/first.bin", "inner.zip/last.exe"]
    assert not found.signs


def test_of_any_other_member_the_declared_size_stands_though_only_its_beginning_is_unpacked() -> None:
    found = look_inside(zip_of({"large.bin": LARGE}))
    assert [inside.size for inside in found.inside] == [len(LARGE)]
    assert not found.signs


def test_a_file_whose_container_declares_no_size_is_counted_to_its_end() -> None:
    found = look_inside(gzip.compress(LARGE, mtime=0))
    assert [inside.size for inside in found.inside] == [len(LARGE)]
    assert not found.signs


def test_a_file_that_cannot_be_read_has_the_size_that_is_declared() -> None:
    (inside,) = look_inside(archives.rar5(("a.bin", b"????", {"method": 3}))).inside
    assert inside.size == 4


def test_a_packed_archive_is_unpacked_to_its_end_whatever_it_ends_with() -> None:
    tar = archives.tar_of({"first.bin": LARGE, "last.exe": b"MZ"})
    packed, *found = look_inside(gzip.compress(tar, mtime=0), ("a.tgz",)).inside
    assert [inside.path for inside in found] == ["a.tar/first.bin", "a.tar/last.exe"]
    assert packed.size == len(tar)


def _large(method: int = 0) -> dict[str, bytes]:
    """Return members of more than a MiB, each with a zip archive behind its beginning, across it, and at its end."""
    archive = zip_of({"x.exe": b"MZ"}, method)
    fill = LARGE[: FIRST - 10]
    return {"across": fill + archive + LARGE, "begun": fill[:-20] + archive, "end": LARGE + archive}


@pytest.mark.parametrize("place", ["across", "begun", "end"])
def test_an_archive_in_a_large_member_is_found_wherever_it_stands(place: str) -> None:
    assert "a/x.exe" in {inside.path for inside in look_inside(zip_of({"a": _large()[place]})).inside}


def test_a_member_is_read_twice_only_where_it_may_be_an_archive() -> None:
    limits = Limits(expansion=2_000_000)
    assert look_inside(zip_of({"a": LARGE}), limits=limits).signs == frozenset()
    assert look_inside(zip_of({"a": _large()["end"]}), limits=limits).signs == {Sign.OVER_LIMIT}


def test_a_large_member_that_ends_early_is_said_though_its_beginning_is_whole() -> None:
    broken = gzip.compress(LARGE, mtime=0)[:-9]
    assert look_inside(broken).signs == {Sign.MALFORMED}
    assert look_inside(zip_of({"a": broken})).signs == {Sign.MALFORMED}


@pytest.mark.parametrize(
    ("octets", "names"),
    [
        (b"\x1f\x8b\x08", ()),
        (gzip.compress(b"x", mtime=0)[:3] + b"\x0c" + bytes(6) + b"\3\0abcx.exe\0", ("x.exe",)),
        (gzip.compress(b"x", mtime=0)[:3] + b"\x04" + bytes(6) + b"\3\0abcx.exe\0", ()),
        (gzip.compress(b"x", mtime=0)[:3] + b"\x08" + bytes(6) + b"x.exe\0", ("x.exe",)),
        (gzip.compress(b"x", mtime=0)[:3] + b"\x08" + bytes(6) + b"\0", ()),
        (gzip.compress(b"x", mtime=0)[:3] + b"\x08" + bytes(6) + b"x.exe", ()),
    ],
)
def test_a_gzip_is_called_what_its_header_says(octets: bytes, names: tuple[str, ...]) -> None:
    (inside,) = look_inside(octets).inside
    assert inside.names == names


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("x.exe.gz", "x.exe"),
        ("x.tgz", "x.tar"),
        ("x.TGZ", "x.tar"),
        ("x.tbz", "x.tar"),
        ("x.tbz2", "x.tar"),
        ("x.txz", "x.tar"),
        ("x.tzst", "x.tar"),
        ("x", "x"),
    ],
)
def test_a_packed_file_is_called_what_it_is_called_without_its_suffix(name: str, inside: str) -> None:
    (found,) = look_inside(gzip.compress(b"text", mtime=0), (name,)).inside
    assert found.names == (inside,)
