"""AppleSingle and AppleDouble (RFC 1740): the name they give, and what they hold."""

import struct

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.member import Sign
from tests.support.mail_samples import EXE

SINGLE, DOUBLE = 0x00051600, 0x00051607
DATA, RESOURCES, NAME, DATES = 1, 2, 3, 8


def applefile(magic: int, *entries: tuple[int, bytes]) -> bytes:
    at = 26 + 12 * len(entries)
    listed, contents = b"", b""
    for kind, octets in entries:
        listed += struct.pack(">III", kind, at + len(contents), len(octets))
        contents += octets
    return struct.pack(">II16xH", magic, 0x00020000, len(entries)) + listed + contents


def seen(contents: Contents) -> list[tuple[tuple[str, ...], list[str]]]:
    return [(inside.names, [one.type for one in inside.detected]) for inside in contents.inside]


PROGRAM = "application/x-msdownload"


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(
            applefile(SINGLE, (NAME, b"x.exe"), (DATES, bytes(16)), (DATA, EXE)), [(("x.exe",), [PROGRAM])], id="single"
        ),
        pytest.param(applefile(SINGLE, (DATA, EXE)), [((), [PROGRAM])], id="without a name"),
        pytest.param(applefile(SINGLE, (NAME, b"x.exe")), [(("x.exe",), ["application/x-empty"])], id="a name only"),
        pytest.param(
            applefile(DOUBLE, (RESOURCES, EXE), (NAME, b"a")), [(("a",), [PROGRAM])], id="a program for resources"
        ),
        pytest.param(
            applefile(SINGLE, (NAME, b"x"), (DATA, b""), (RESOURCES, EXE)), [(("x",), [PROGRAM])], id="no data"
        ),
        pytest.param(
            applefile(DOUBLE, (NAME, b"x.exe"), (RESOURCES, b"")), [(("x.exe",), ["application/x-empty"])], id="double"
        ),
    ],
)
def test_what_is_in_it(octets: bytes, expected: list[tuple[tuple[str, ...], list[str]]]) -> None:
    contents = look_inside(octets)
    assert seen(contents) == expected
    assert contents.signs == frozenset()


@pytest.mark.parametrize("cut", [1, len(EXE), len(EXE) + 3])
def test_one_that_is_cut_off_is_malformed(cut: int) -> None:
    whole = applefile(SINGLE, (NAME, b"x"), (DATA, EXE))
    assert look_inside(whole[:-cut]).signs == {Sign.MALFORMED}


def test_wherever_it_is_cut_that_is_said_and_nothing_is_raised() -> None:
    whole = applefile(SINGLE, (NAME, b"x"), (DATA, EXE), (RESOURCES, b"y"))
    assert look_inside(whole).signs == frozenset()
    assert {look_inside(whole[:end]).signs for end in range(26, len(whole))} == {frozenset({Sign.MALFORMED})}
