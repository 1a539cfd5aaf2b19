"""Structured values, types and encoded words: every reading that programs have of them, and no other."""

import pytest

from services.screener.mime.types import is_unknown, readings
from services.screener.mime.value import Flaw, parse_value, without_comments
from services.screener.mime.words import decode_octets

KNOWN = ["text", "image", "audio", "video", "application", "message", "multipart", "font", "model", "chemical"]


@pytest.mark.parametrize("top", KNOWN)
def test_a_type_that_programs_know_is_not_unknown(top: str) -> None:
    assert not is_unknown(f"{top}/x-anything")


@pytest.mark.parametrize("kind", ["x-file/plain", "text", "image/", "text/a b", "", "/plain", "texts/plain"])
def test_other_types_are_unknown(kind: str) -> None:
    assert is_unknown(kind)


@pytest.mark.parametrize(
    ("main", "expected"),
    [
        ("image/png", ("image/png",)),
        ("a&image/png", ("a&image/png",)),
        ("=?utf-8?b?aW1hZ2UvcG5n?=", ("=?utf-8?b?aW1hZ2UvcG5n?=", "image/png")),
        ("=?utf-8?b?SU1BR0UvUE5H?=", ("=?utf-8?b?SU1BR0UvUE5H?=", "image/png")),
        ("im(a)age/png", ("im(a)age/png", "image/png")),
        ("image /png", ("image /png", "image/png")),
    ],
)
def test_a_type_has_the_readings_of_forgiving_programs(main: str, expected: tuple[str, ...]) -> None:
    assert readings(main) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'x/y; a="b; c=d', {"a": [b"b"], "c": [b"d"]}),
        (b"x/y z; boundary; a=b", {"a": [b"b"]}),
        (b"x/y; a=b c", {"a": [b"b c", b"b"]}),
        (b'x/y; a=b"c"', {"a": [b'b"c', b"b"]}),
        (b'x/y; a=b c"d"', {"a": [b'b c"d', b"b", b"b c"]}),
        (b'x/y; a="b" c', {"a": [b'b" c']}),
        (b"x/y; a= ; c=d e", {"a": [b""], "c": [b"d e", b"d"]}),
    ],
)
def test_a_flawed_value_is_read_as_it_comes(value: bytes, expected: dict[str, list[bytes]]) -> None:
    found: dict[str, list[bytes]] = {}
    for param in parse_value(value, 64).params:
        found.setdefault(param.name, []).append(param.value)
    assert found == expected


def test_white_space_round_the_sign_is_told() -> None:
    params = parse_value(b"x/y z; a =b; c= d; e=f; g = h", 64).params
    assert [param.name for param in params if param.spaced] == ["a", "c", "g"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(rb"x/y, name=a\b.exe", rb"a\b.exe"), (rb'x/y, name="a\b.exe"', b"ab.exe"), (rb'x/y, name="a\"b', rb"a\"b")],
)
def test_a_lost_name_is_unescaped_in_quotes(value: bytes, expected: bytes) -> None:
    assert [param.value for param in parse_value(value, 64).params] == [expected.replace(rb"\"", b'"')]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a(b)c", b"ac"),
        (b"a(b(c)d)e", b"ae"),
        (b"a(b", b"a"),
        (b"a)b(c)d", b"a)bd"),
        (rb"a(b\)c)d", b"ad"),
        (rb"a(b\(c)d", b"ad"),
        (rb"a\(b", rb"a\(b"),
    ],
)
def test_comments_are_taken_out(value: bytes, expected: bytes) -> None:
    assert without_comments(value) == expected


def test_a_parameter_counts_once_however_many_readings_it_has() -> None:
    value = b"x/y z; " + b"; ".join(b"a%d=b" % number for number in range(60))
    assert Flaw.TOO_MANY not in parse_value(value, 64).flaws


@pytest.mark.parametrize(
    ("charset", "octets"),
    [
        ("unicode_escape", b"\\x61"),
        ("raw-unicode-escape", b"\\u0061"),
        ("idna", b"xn--bcher-kva"),
        ("punycode", b"bcher-kva"),
        ("undefined", b"a"),
        ("no-such", b"a"),
    ],
)
def test_what_is_no_charset_of_mail_decodes_nothing(charset: str, octets: bytes) -> None:
    assert decode_octets(octets, charset) == octets.decode()
