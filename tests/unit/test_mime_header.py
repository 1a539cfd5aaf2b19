"""A header section: which fields it has to any program, and what is doubtful in it."""

import base64
import binascii

import pytest

from services.screener.mime import decode
from services.screener.mime.anomaly import Anomaly, Limits
from services.screener.mime.header import Header, parse_header
from services.screener.mime.legacy import _LONGEST_OUTPUT, _unrun, is_uu_line, uudecode, ydecode
from services.screener.mime.octets import line_end

CODED = {
    **dict.fromkeys(
        ("uuencode", "x-uuencode", "uue", "x-uue", "x-uu"), b"begin 644 a\n" + binascii.b2a_uu(b"abc") + b"`\nend\n"
    ),
    **dict.fromkeys(("yenc", "x-yenc", "yencode", "x-yencode"), b"=ybegin line=3 name=a\n\x8b\x8c\x8d\n=yend size=3\n"),
    **dict.fromkeys(("gzip64", "x-gzip64"), base64.b64encode(b"abc")),
}


def read(section: bytes, *, is_message: bool = False) -> Header:
    raw = section + b"\r\n"
    return parse_header(raw, 0, len(raw), Limits(), is_message=is_message)


@pytest.mark.parametrize(
    ("section", "is_message", "anomalies"),
    [
        (b"From x\r\nA: b\r\nContent-Type: a/b\r\n", True, set()),
        (b">From x\r\nA: b\r\nContent-Type: a/b\r\n", True, set()),
        (b"From x\r\nA: b\r\nContent-Type: a/b\r\n", False, {Anomaly.NOT_A_FIELD}),
        (b"A: b\r\nFrom x\r\nContent-Type: a/b\r\n", True, {Anomaly.NOT_A_FIELD}),
        (b"From : x\r\nno field\r\nContent-Type: a/b\r\n", True, {Anomaly.NOT_A_FIELD}),
        (b"A: b\r\nno field\r\nX-Other: c\r\n", True, set()),
        (b"A: b\r\nno field\r\nX-Other: c\r\n", False, {Anomaly.NOT_A_FIELD}),
        (b"Content-Type: a/b\r\nno field\r\nX-Other: c\r\n", True, set()),
        (b"A: b\r\n \r\nX-Other: c\r\n", True, set()),
        (b"Content-Type: a/b\r\nA: b\r\n \r\n", True, set()),
        (b"A: b\r\n \r\nContent-Type: a/b\r\n", True, {Anomaly.BLANK_CONTINUATION}),
        (b"A: b\rc\r\n", True, {Anomaly.BARE_CR}),
        (b"A: b\0c\r\n", True, {Anomaly.NUL}),
        (b"A: b\r\nC: d\n", True, {Anomaly.BARE_LF}),
        (b"A: b\nC: d\n", True, set()),
        (b"A: b\nC: d\r\n", True, set()),
        (b"A:\r\n Content-Type: a/b\r\n", True, {Anomaly.HIDDEN_FIELD}),
        (b"DKIM-Signature: h=From:\r\n Content-Type: a\r\n", True, set()),
        (b'Subject: boundary="a\r\n b"\r\n', True, set()),
        (b'Content-Type: a/b; boundary="a\r\n b"\r\n', True, {Anomaly.BAD_BOUNDARY}),
        (b"ARC-Seal: h=From:\r\n Content-Type: a\r\n", True, set()),
    ],
)
def test_what_is_doubtful(section: bytes, is_message: bool, anomalies: set[Anomaly]) -> None:
    assert read(section, is_message=is_message).anomalies == anomalies


@pytest.mark.parametrize(
    ("section", "fields"),
    [
        (b"A: b\r\n", [("a", b"b")]),
        (b"A :\tb \r\n", [("a", b"b")]),
        (b"A: b\r\n c\r\n", [("a", b"b c")]),
        (b"A: b\rContent-Type: c\r\n", [("a", b"b\rContent-Type: c"), ("content-type", b"c")]),
        (b"A: b\r\n Content-Type: c\r\n d\r\n", [("a", b"b Content-Type: c d"), ("content-type", b"c")]),
        (b"Content-Type(x): c\r\n", [("content-type", b"c")]),
        (b"Content-Type : c\r\n", [("content-type", b"c")]),
        (b"x Content-Type: c\r\n", [("content-type", b"c")]),
        (b"no field\r\nA: b\r\n", [("a", b"b")]),
    ],
)
def test_fields_to_any_program(section: bytes, fields: list[tuple[str, bytes]]) -> None:
    assert [(field.name, field.value) for field in read(section).fields] == fields


@pytest.mark.parametrize("encoding", CODED)
def test_encodings_from_before_mime(encoding: str) -> None:
    body = CODED[encoding]
    assert encoding in decode.LEGACY
    assert decode.whole(body, 0, len(body), encoding) == b"abc"


@pytest.mark.parametrize("encoding", ["binhex", "x-binhex", "mac-binhex40", "x-mac-binhex40", "binhex40"])
@pytest.mark.parametrize("body", [b"no file", b':"@0[F\'9ZG(4P:(*+G5pSG)"A:\n'])
def test_binhex_of_any_name_is_undone(encoding: str, body: bytes) -> None:
    assert encoding in decode.LEGACY
    assert decode.whole(body, 0, len(body), encoding) == decode.whole(body, 0, len(body), "binhex")
    assert decode.whole(body, 0, len(body), encoding) != body


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        (b"#86)C", True),
        (b"#86)C ", True),
        (b"#86)CX", True),
        (b"#86)CXYZ", False),
        (b"#86)", True),
        (b"#86", False),
        (b"M" + b"A" * 60, True),
        (b"", False),
        (b" 86)C", False),
        (b" 8", False),
        (b"#86)c", False),
        (b"a86)C", False),
        (b"`", True),
    ],
)
def test_a_line_of_uuencoded_data_is_as_long_as_it_says(line: bytes, is_one: bool) -> None:
    assert is_uu_line(line) is is_one


@pytest.mark.parametrize(("line", "whole"), [(b"A: b\r\n", True), (b"x", False)])
def test_a_header_over_the_limit_ends_with_a_line_if_there_is_one(line: bytes, whole: bool) -> None:
    raw = line * 1000
    header = parse_header(raw, 0, len(raw), Limits(header_octets=100), is_message=True)
    assert header.anomalies >= {Anomaly.LIMIT}
    assert header.end == header.body_start == (96 if whole else 100)


@pytest.mark.parametrize(
    "body",
    [
        b"begin 644 a\n#86)C\n`\nend\n",
        b"#86)C\nbegin 644 a\n#86)C\n`\nend\n",
        b"begin 644 a\n#86)C\nend\n#86)C\n",
        b"begin 644 a\n#86)C\n`\n#86)C\n",
        b"begin-base64 644 a\nYWJj\n====\nYWJj\n",
        b"#86)C\n",
    ],
)
def test_uuencoded_data_stands_between_its_first_line_and_its_last(body: bytes) -> None:
    assert uudecode(body) == b"abc"


def test_runs_of_binhex_unfold_to_no_more_than_the_limit() -> None:
    assert _unrun(b"ab\x90\x04c\x90\0d") == b"abbbbc\x90d"
    assert _unrun(b"a\x90\x03bc\x90\x03") == b"aaabccc"
    assert _unrun(b"a\x90\0\x90\x03") == b"a\x90\x90\x90"
    assert _unrun(b"a\x90\x01\x90\x03") == b"aaa"
    assert len(_unrun(b"a" + b"\x90\xff" * 300_000)) < _LONGEST_OUTPUT + 255


def test_an_escape_of_yenc_without_a_character_is_nothing() -> None:
    assert ydecode(b"=ybegin line=1 name=a\n\x8b==\x8c\n=yend\n") == bytes((0x61, (0x8C - 64 - 42) & 255))


@pytest.mark.parametrize(
    ("raw", "end"),
    [(b"a\r\nb\n", b"\r\n"), (b"a\nb\r\n", b"\n"), (b"\nb\r\n", b"\n"), (b"ab", b"\r\n"), (b"", b"\r\n")],
)
def test_a_message_uses_the_line_end_of_its_first_line(raw: bytes, end: bytes) -> None:
    assert line_end(raw) == end


def test_a_header_without_a_last_line_end_has_no_bare_lf() -> None:
    raw = b"A: b\r\nC: d"
    assert parse_header(raw, 0, len(raw), Limits(), is_message=True).anomalies == frozenset()
