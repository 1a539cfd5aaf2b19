"""How deep and how far a member is unpacked, and what a packed file is called."""

import gzip
import random

import pytest

from services.screener.containers.contents import look_inside
from tests.support.archive_samples import zip_of

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
