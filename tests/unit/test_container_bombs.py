"""Archives that hold themselves: as real programs read them they do, and they cost no more than the depth allows."""

import gzip
import io
import zipfile

import pytest

from services.screener.containers.budget import Limits
from services.screener.containers.contents import look_inside
from services.screener.containers.member import Sign
from tests.support.archive_samples import zip_of
from tests.support.quines import gzip_quine, zip_quine


def test_the_samples_are_what_they_are_called() -> None:
    assert gzip.decompress(gzip_quine()) == gzip_quine()
    with zipfile.ZipFile(io.BytesIO(zip_quine())) as archive:
        assert archive.testzip() is None
        assert [archive.read(name) for name in archive.namelist()] == [zip_quine()]


@pytest.mark.parametrize("quine", [gzip_quine(), zip_quine()], ids=["gzip", "zip"])
@pytest.mark.parametrize("depth", [1, 3, 5])
def test_one_is_unpacked_as_often_as_the_depth_allows(quine: bytes, depth: int) -> None:
    contents = look_inside(quine, limits=Limits(depth=depth))
    assert len(contents.inside) == depth
    assert contents.signs == {Sign.OVER_LIMIT}


def test_many_are_unpacked_as_often_as_the_members_allow() -> None:
    contents = look_inside(zip_of({f"{n}.zip": zip_quine() for n in range(100)}), limits=Limits(members=50))
    assert len(contents.inside) == 50
    assert contents.signs == {Sign.OVER_LIMIT}


def test_nobody_unpacks_more_than_the_budget() -> None:
    """What was unpacked is at most what the budget gives, and a chunk."""
    layer = zip_of({f"{n}": bytes(500_000) for n in range(20)})
    bomb = zip_of({f"{n}.zip": layer for n in range(20)})
    contents = look_inside(bomb, limits=Limits(always=2_000_000, ratio=1))
    assert contents.signs == {Sign.OVER_LIMIT}
    assert sum(inside.size for inside in contents.inside if inside.detected) <= 2_000_000 + 64 * 1024
