"""Compound files sector by sector (MS-CFB): both versions, large ones, and those whose chains lead astray."""

import struct

import pytest

from services.screener.containers.documents.compound import Compound
from services.screener.containers.member import ContainerError, Sign
from tests.support.document_samples import compound

SMALL, LARGE = b"small" * 100, b"large" * 3000
STREAMS = {"a/small": SMALL, "large": LARGE}
HUGE = {"huge": bytes(7_400_000), **STREAMS}
"""More than the 109 sectors of the table that the header has room for."""


def contents(octets: bytes) -> dict[str, bytes]:
    read = Compound(octets)
    return {entry.path: read.read(entry) for entry in read.streams()}


def changed(octets: bytes, at: int, form: str, *numbers: int) -> bytes:
    return octets[:at] + struct.pack(form, *numbers) + octets[at + struct.calcsize(form) :]


def sector_of(octets: bytes, number: int) -> int:
    """Return where a sector begins."""
    return (number + 1) * (1 << int.from_bytes(octets[30:32], "little"))


def table_at(octets: bytes, sector: int) -> int:
    """Return where the table has the sector that follows one."""
    return sector_of(octets, int.from_bytes(octets[76:80], "little")) + sector * 4


def directory_at(octets: bytes, entry: int = 0) -> int:
    return sector_of(octets, int.from_bytes(octets[48:52], "little")) + entry * 128


def entry_of(octets: bytes, name: str) -> int:
    """Return where the directory has a stream."""
    return octets.index(name.encode("utf-16-le") + b"\0\0", directory_at(octets))


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("streams", [STREAMS, HUGE], ids=["small", "huge"])
def test_every_stream_is_read(streams: dict[str, bytes], sector: int) -> None:
    assert contents(compound(streams, sector=sector)) == streams


def test_only_streams_are_streams() -> None:
    assert {entry.path for entry in Compound(compound(STREAMS)).entries} == {"", "a", "a/small", "large"}


@pytest.mark.parametrize(("shift", "mini_shift"), [(8, 6), (10, 6), (9, 5), (12, 7)])
def test_other_sizes_of_sectors_are_malformed(shift: int, mini_shift: int) -> None:
    with pytest.raises(ContainerError) as raised:
        Compound(changed(compound(STREAMS), 30, "<HH", shift, mini_shift))
    assert raised.value.sign is Sign.MALFORMED


def test_in_version_3_the_upper_half_of_a_size_means_nothing() -> None:
    octets = compound(STREAMS)
    assert contents(changed(octets, entry_of(octets, "small") + 124, "<I", 7))["a/small"] == SMALL


def test_in_version_4_it_is_part_of_the_size() -> None:
    octets = compound(STREAMS, sector=4096)
    octets = changed(octets, entry_of(octets, "large") + 124, "<I", 1)
    assert contents(octets)["large"].startswith(LARGE)
    assert max(entry.size for entry in Compound(octets).entries) == (1 << 32) + len(LARGE)


def test_a_small_stream_is_no_longer_than_its_chain() -> None:
    octets = compound(STREAMS)
    read = contents(changed(octets, entry_of(octets, "small") + 120, "<I", 4000))
    assert read["a/small"] == SMALL.ljust(-(-len(SMALL) // 64) * 64, b"\0")


def test_without_a_table_it_is_malformed() -> None:
    with pytest.raises(ContainerError) as raised:
        Compound(changed(compound(STREAMS), 76, "<I", 0xFFFFFFFF))
    assert raised.value.sign is Sign.MALFORMED


@pytest.mark.parametrize("start", [0xFFFFFFFE, 0xFFFFFFFF, 0x00FFFFFF])
def test_further_lists_of_the_table_may_be_missing(start: int) -> None:
    assert contents(changed(compound(STREAMS), 68, "<I", start)) == STREAMS


def test_further_lists_that_go_round_end() -> None:
    octets = compound(HUGE)
    further = int.from_bytes(octets[68:72], "little")
    assert contents(changed(octets, sector_of(octets, further) + 508, "<I", further)) == HUGE


def test_the_table_is_no_larger_than_the_file_may_need() -> None:
    octets = compound(STREAMS)
    table = int.from_bytes(octets[76:80], "little")
    octets = changed(octets, 76, "<109I", *[table] * 109)
    count = len(octets) // 512
    lists = b"".join(struct.pack("<128I", *[table] * 127, count + number) for number in range(100))
    octets = changed(octets, 68, "<I", count - 1) + lists
    assert len(Compound(octets)._table) <= 8 * len(octets) // 512 + 128


@pytest.mark.parametrize("beyond", [False, True], ids=["in the file", "beyond it"])
def test_a_chain_that_goes_round_ends(beyond: bool) -> None:
    octets = compound(STREAMS)
    first = 100 if beyond else int.from_bytes(octets[entry_of(octets, "large") + 116 :][:4], "little")
    octets = changed(octets, entry_of(octets, "large") + 116, "<I", first)
    assert len(contents(changed(octets, table_at(octets, first), "<I", first))["large"]) == (
        0 if beyond else len(LARGE)
    )


def test_a_directory_whose_chain_goes_round_ends() -> None:
    octets = compound(STREAMS)
    directory = int.from_bytes(octets[48:52], "little")
    assert contents(changed(octets, table_at(octets, directory), "<I", directory)) == STREAMS


def test_entries_that_go_round_are_read_once() -> None:
    octets = compound(STREAMS)
    again = changed(octets, entry_of(octets, "large") + 68, "<III", 1, 2, 3)
    assert contents(again) == STREAMS
