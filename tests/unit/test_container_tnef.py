"""TNEF: names and contents out of attributes and properties, whatever stands between them."""

import struct

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.member import Sign
from tests.support.document_samples import tnef
from tests.support.mail_samples import EXE

HEAD = b"\x78\x9f\x3e\x22\x01\0"
RENDERING, TITLE, DATA, PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
UNICODE, OCTETS, BINARY, OBJECT = 0x1F, 0x1E, 0x102, 0x0D
NAMES = (0x3001, 0x3704, 0x3707)
CONTENT = 0x3701
FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4, 20: 8, 64: 8, 72: 16}


def attribute(number: int, value: bytes, level: int = 2) -> bytes:
    return bytes((level,)) + struct.pack("<II", number, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def prop(kind: int, number: int, *values: bytes) -> bytes:
    packed = b"".join(struct.pack("<I", len(value)) + value.ljust(-(-len(value) // 4) * 4, b"\0") for value in values)
    return struct.pack("<HHI", kind, number, len(values)) + packed


def named(element: bytes, name: bytes = b"") -> bytes:
    """Return a property with a name of its own: a number, or text."""
    how = (
        struct.pack("<II", 1, len(name)) + name.ljust(-(-len(name) // 4) * 4, b"\0")
        if name
        else struct.pack("<II", 0, 9)
    )
    return element[:2] + b"\1\x80" + bytes(16) + how + element[4:]


def with_properties(*properties: bytes) -> bytes:
    return (
        HEAD
        + attribute(RENDERING, bytes(14))
        + attribute(PROPERTIES, struct.pack("<I", len(properties)) + b"".join(properties))
    )


def has_program(contents: Contents) -> bool:
    return any(one.extension == "exe" for inside in contents.inside for one in inside.detected)


def names(contents: Contents) -> list[tuple[str, ...]]:
    return [inside.names for inside in contents.inside]


WIDE = prop(UNICODE, 0x3707, "größe.exe\0x".encode("utf-16-le"))
PLAIN = prop(OCTETS, 0x3707, b"plain.exe\0x")


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        *(([prop(UNICODE, number, "größe.exe".encode("utf-16-le"))], "größe.exe") for number in NAMES),
        ([WIDE], "größe.exe"),
        ([PLAIN], "plain.exe"),
        *(([struct.pack("<HH", kind, 1) + b"\x7f" * size, PLAIN], "plain.exe") for kind, size in FIXED.items()),
        *(
            ([struct.pack("<HHI", 0x1000 | kind, 1, 3) + b"\x7f" * (3 * size), PLAIN], "plain.exe")
            for kind, size in FIXED.items()
        ),
        ([prop(UNICODE, 1, b"a", b"bcdef"), PLAIN], "plain.exe"),
        ([prop(BINARY, 0x3707, b"x"), PLAIN], "plain.exe"),
        ([named(struct.pack("<HH", 3, 1) + bytes(4)), PLAIN], "plain.exe"),
        ([named(struct.pack("<HH", 3, 1) + bytes(4), b"a name"), PLAIN], "plain.exe"),
    ],
)  # fmt: skip
def test_a_name_among_properties_is_found(properties: list[bytes], name: str) -> None:
    contents = look_inside(with_properties(*properties))
    assert names(contents) == [(name,)]
    assert contents.signs == frozenset()


@pytest.mark.parametrize(
    "content", [prop(BINARY, CONTENT, EXE), prop(OBJECT, CONTENT, bytes(16) + EXE), prop(BINARY, CONTENT, b"x", EXE)]
)
def test_content_among_properties_is_found(content: bytes) -> None:
    assert has_program(look_inside(with_properties(content)))


def test_each_attachment_has_its_own_names() -> None:
    first, second = (
        attribute(RENDERING, bytes(14)) + attribute(TITLE, name + b"\0x") + attribute(DATA, content)
        for name, content in ((b"a.txt", b"text"), (b"b.exe", EXE))
    )
    contents = look_inside(HEAD + attribute(0x00089006, b"\0\0\1\0", 1) + first + second)
    assert names(contents) == [("a.txt",), ("b.exe",)]
    assert contents.signs == frozenset()


def test_an_attachment_is_seen_by_its_name_alone_and_by_its_content_alone() -> None:
    start = HEAD + attribute(RENDERING, bytes(14))
    assert names(look_inside(start + attribute(TITLE, b"a.exe\0"))) == [("a.exe",)]
    assert has_program(look_inside(start + attribute(DATA, EXE)))
    assert look_inside(start).inside == ()
    assert names(look_inside(start + attribute(TITLE, b"\0") + attribute(DATA, b"x"))) == [()]
    assert len(look_inside(start + attribute(DATA, b"x") * 2).inside) == 1


WHOLE = tnef(b"a.exe", EXE)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(WHOLE[:-5], id="cut off in a value"),
        pytest.param(WHOLE + b"\1", id="cut off in an attribute"),
        pytest.param(WHOLE + attribute(1, b"", 3), id="an attribute of no level"),
        pytest.param(WHOLE + attribute(PROPERTIES, struct.pack("<I", 2) + PLAIN), id="fewer properties than said"),
        pytest.param(HEAD + attribute(1, b"", 1) * 3001, id="very many attributes"),
    ],
)
def test_what_is_damaged_is_malformed(octets: bytes) -> None:
    contents = look_inside(octets)
    assert contents.signs == {Sign.MALFORMED}
    assert any("a.exe" in each for each in names(contents)) is octets.startswith(WHOLE[:50])
