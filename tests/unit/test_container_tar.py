"""Tar archives, header by header: every name that one gives, and what is no header."""

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.member import Sign
from services.screener.containers.tar import is_tar
from tests.support.mail_samples import EXE

END = bytes(1024)


def octal(number: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, number)


def header(
    name: bytes, size: int | bytes = 0, kind: bytes = b"0", magic: bytes = b"ustar\x0000", prefix: bytes = b""
) -> bytes:
    field = size if isinstance(size, bytes) else octal(size, 12)
    fields = name.ljust(100, b"\0") + octal(0o644, 8) + octal(0, 8) * 2 + field + octal(0, 12)
    rest = (kind + bytes(100) + magic).ljust(189, b"\0") + prefix
    block = (fields + b" " * 8 + rest).ljust(512, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def entry(name: bytes, content: bytes, kind: bytes = b"0") -> bytes:
    return header(name, len(content), kind) + content.ljust(-(-len(content) // 512) * 512, b"\0")


def pax(*records: bytes) -> bytes:
    return entry(b"pax", b"".join(records), b"x")


PATH = b"14 path=b.exe\n"
SHORT = entry(b"a.txt", b"text")


def names(contents: Contents) -> list[tuple[str, ...]]:
    return [inside.names for inside in contents.inside]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(SHORT + entry(b"b", b"x" * 513), [("a.txt",), ("b",)], id="two files"),
        pytest.param(SHORT + b"end", [("a.txt",)], id="less than a block at the end"),
        pytest.param(SHORT + END + SHORT, [("a.txt",)] * 2, id="behind the end"),
        pytest.param(header(b"n", prefix=b"p"), [("p/n",)], id="prefix"),
        pytest.param(header(b"n", magic=b"ustar  \0", prefix=b"p"), [("n",)], id="no prefix for GNU"),
        pytest.param(header(b"n", magic=b""), [("n",)], id="v7"),
        pytest.param(entry(b"L", b"long.exe\0", b"L") + SHORT, [("long.exe", "a.txt")], id="long name"),
        pytest.param(
            entry(b"L", b"long.exe", b"L") + SHORT * 2, [("long.exe", "a.txt"), ("a.txt",)], id="for one only"
        ),
        pytest.param(entry(b"L", b"\0", b"L") + SHORT, [("a.txt",)], id="an empty long name"),
        pytest.param(entry(b"K", b"link.exe\0", b"K") + SHORT, [("a.txt",)], id="long link"),
        *(
            pytest.param(entry(b"pax", PATH, kind) + SHORT, [("b.exe", "a.txt")], id=f"pax {kind!r}")
            for kind in (b"x", b"g", b"X")
        ),
        pytest.param(pax(b"25 GNU.sparse.name=b.exe\n") + SHORT, [("b.exe", "a.txt")], id="sparse"),
        pytest.param(pax(b"11 mtime=1\n", PATH) + SHORT, [("b.exe", "a.txt")], id="behind another record"),
        pytest.param(pax(b"14 link=b.exe\n") + SHORT, [("a.txt",)], id="another record"),
        pytest.param(pax(b"13 pathb.exe\n", PATH) + SHORT, [("b.exe", "a.txt")], id="a record without a value"),
        pytest.param(pax(b"7 path\n") + SHORT, [("a.txt",)], id="a record of a key only"),
        pytest.param(pax(b"x path=b.exe\n") + SHORT, [("a.txt",)], id="a record without a length"),
        pytest.param(pax(b"2 path=b.exe\n", PATH) + SHORT, [("a.txt",)], id="a record that is too short"),
        *(
            pytest.param(header(b"l", 512, b"%d" % kind) + SHORT, [("l",), ("a.txt",)], id=f"kind {kind}")
            for kind in range(1, 7)
        ),
        pytest.param(header(b"f", 512, b"7") + bytes(512) + SHORT, [("f",), ("a.txt",)], id="kind 7"),
        pytest.param(
            header(b"f", b"\x80" + (512).to_bytes(11)) + bytes(512) + SHORT, [("f",), ("a.txt",)], id="a large number"
        ),
        pytest.param(header(b"f", b"\0" * 12) + SHORT, [("f",), ("a.txt",)], id="no size"),
        pytest.param(header(b"f", b"0 \0         ") + SHORT, [("f",), ("a.txt",)], id="a size with spaces"),
    ],
)
def test_every_name_is_seen(octets: bytes, expected: list[tuple[str, ...]]) -> None:
    contents = look_inside(octets)
    assert names(contents) == expected
    assert contents.signs == frozenset()


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(SHORT + header(b"x", 5000) + EXE[:100], [("a.txt",), ("x",)], id="cut off"),
        pytest.param(SHORT + b"x" * 512 + SHORT, [("a.txt",)] * 2, id="something between"),
        pytest.param(SHORT + header(b"x", b"00000000009\0") + SHORT, [("a.txt",)] * 2, id="a size that is no number"),
        pytest.param(SHORT + b"b" + SHORT[1:], [("a.txt",)], id="another sum"),
    ],
)
def test_what_is_damaged_is_malformed_and_read_all_the_same(octets: bytes, expected: list[tuple[str, ...]]) -> None:
    contents = look_inside(octets)
    assert names(contents) == expected
    assert contents.signs == {Sign.MALFORMED}


def test_the_content_is_read_and_ends_where_it_says() -> None:
    first, second = look_inside(entry(b"a", EXE) + SHORT).inside
    assert [one.extension for one in first.detected] == ["exe"]
    assert second.size == 4
    (cut,) = look_inside(header(b"x", 5000) + EXE[:100]).inside
    assert [one.extension for one in cut.detected] == ["exe"]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (SHORT, True),
        (header(b"n", magic=b""), True),
        (bytes(257) + b"ustar", True),
        (bytes(512), False),
        (header(b"n", magic=b"")[:511], False),
        (b"b" + header(b"n", magic=b"")[1:], False),
        (b"", False),
    ],
)
def test_what_is_one(octets: bytes, expected: bool) -> None:
    assert is_tar(octets) is expected
