"""What Content fields say: exact readings, and what is doubtful in them and what is not."""

import pytest

from services.screener.mime.anomaly import Anomaly, Limits, Remark
from services.screener.mime.delimiters import Delimiter, find_delimiters, starts_with_parts
from services.screener.mime.describe import Description, describe
from services.screener.mime.embedded import Embedded, find_files
from services.screener.mime.header import parse_header

LIMITS = Limits()


def described(fields: str) -> Description:
    raw = fields.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n\r\n"
    return describe(parse_header(raw, 0, len(raw), LIMITS, is_message=False), "text/plain", LIMITS)


@pytest.mark.parametrize(
    ("fields", "anomalies"),
    [
        ("Content-Type: text/plain\nContent-Type: text/plain; charset=utf-8", set()),
        ("Content-Type: text/plain\nContent-Type: image/png", {Anomaly.TWO_TYPES}),
        ("Content-Type: message/rfc822\nContent-Type: message/rfc822; a=b", {Anomaly.TWO_TYPES}),
        ("Content-Type: text/plain; charset=(x)utf-8", set()),
        ("Content-Type: message/rfc822; a=(x)b", {Anomaly.COMMENT}),
        ("Content-Type: message/rfc822; a b", {Anomaly.BAD_PARAMETER}),
        ("Content-Type: text/plain; a b; boundary=x", {Anomaly.BAD_PARAMETER}),
        ("Content-Type: text/plain; a=(x)b; boundary=x", {Anomaly.COMMENT}),
        (f"Content-Description: {'a' * 70_000}", {Anomaly.LIMIT}),
        (f"X-Long: {'a' * 70_000}", set()),
        *((f"Content-Transfer-Encoding: {name}", set()) for name in ("7-bit", "8-bit", "7 bit", "8 bit", "7BIT")),
        ("Content-Transfer-Encoding: 9bit", {Anomaly.UNKNOWN_ENCODING}),
        ("Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: 8 bit", set()),
        ("Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: base64", {Anomaly.ENCODED_MULTIPART}),
    ],
)
def test_what_is_doubtful(fields: str, anomalies: set[Anomaly]) -> None:
    assert described(fields).anomalies == anomalies


@pytest.mark.parametrize(
    ("fields", "remarks"),
    [
        ("Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable", set()),
        ("Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: 8bit", set()),
        (
            "Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: quoted-printable",
            {Remark.QUOTED_PRINTABLE_MULTIPART},
        ),
        ("Content-Type: text/plain; charset=(x)utf-8", {Remark.BROKEN_PARAMETER}),
        ("Content-Type: text/plain; a b", {Remark.BROKEN_PARAMETER}),
        ("Content-Type: text/plain; charset = utf-8", {Remark.BROKEN_PARAMETER}),
    ],
)
def test_what_is_remarked(fields: str, remarks: set[Remark]) -> None:
    assert described(fields).remarks == remarks


@pytest.mark.parametrize(
    ("parameters", "boundaries"),
    [
        ("boundary=x", (b"x",)),
        ('boundary=""', ()),
        ('boundary="a\\b"', (b"ab", b"a\\b")),
        ("boundary==?us-ascii?Q?x?=", (b"=?us-ascii?Q?x?=", b"x")),
        ("boundary=x; boundary*=us-ascii''y%20", (b"x", b"us-ascii''y%20", b"y")),
        ("boundary*1=b; boundary*0=a", (b"b", b"a", b"ab")),
    ],
)
def test_boundaries(parameters: str, boundaries: tuple[bytes, ...]) -> None:
    assert described(f"Content-Type: multipart/mixed; {parameters}").boundaries == boundaries


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ("Content-Type: multipart/mixed; boundary=x\nContent-Description: a.exe", ()),
        ("Content-Type: message/rfc822\nContent-Description: a.exe", ()),
        ("Content-Type: text/plain\nContent-Description: a.exe", ()),
        ("Content-Type: image/png\nContent-Description: a.exe", ("a.exe",)),
        ("Content-Type: image/png\nContent-Description: we are example.com", ()),
        ("Content-Type: image/png\nContent-Description: example.com", ("example.com",)),
        ("Content-Type: image/png\nContent-Description: my a.exe", ("my a.exe",)),
        ("Content-Type: image/png\nContent-Description: me@a.exe", ("me@a.exe",)),
        ("Content-Type: image/png\nContent-Id: <a.exe>", ("a.exe",)),
        ("Content-Type: image/png\nContent-Id: <a@b.com>", ()),
        ("Content-Type: image/png\nContent-Location: http://a.com/b.exe", ("/b.exe",)),
        ("Content-Type: a/b; name*0=a%2Eexe", ("a%2Eexe",)),
        ("Content-Type: a/b; name*0*=a%2Eexe", ("a.exe",)),
        ("Content-Type: a/b; name*=utf-8''=?utf-8?Q?a.exe?=", ("a.exe",)),
        ('Content-Type: a/b; name="=?utf-8?Q?a?=.exe"', ("a.exe", "=?utf-8?Q?a?=.exe")),
        ("Content-Type: a/b; name=a.png; name=a.png", ("a.png",)),
        ("Content-Type: a/b; name=a; name=.exe", ("a", ".exe", "a.exe")),
        ("Content-Type: a/b; name*0=a; filename*0=b", ("b", "a")),
        ("Content-Type: a/b; name*0*=utf-8''a; name*1*=b'c'd", ("ab'c'd", "ad")),
        ("Content-Type: a/b; name*0=x'y'a", ("x'y'a",)),
        ("Content-Type: a/b; name*0*=x'a", ("x'a",)),
        ('Content-Type: a/b; name=""', ()),
        ("Content-Type: a/b\nContent-Description:", ()),
    ],
)
def test_names(fields: str, names: tuple[str, ...]) -> None:
    assert described(fields).names == names


def test_without_a_type_the_usual_one_applies() -> None:
    assert described("Content-Type: ; charset=utf-8").types == ("text/plain",)


@pytest.mark.parametrize(
    ("raw", "end", "body_start", "over"),
    [
        (b"a: b\n\nbody", 5, 6, False),
        (b"a: b\r\n\r\nbody", 6, 8, False),
        (b"\r\nbody", 0, 2, False),
        (b"a: b\nc: d", 9, 9, False),
        (b"a: b\r\nc: d\n\nx\r\n\r\n", 11, 12, False),
        (b"a: b\n" * 5 + b"\nbody", 20, 20, True),
        (b"a" * 30, 20, 20, True),
    ],
)
def test_where_a_header_ends(raw: bytes, end: int, body_start: int, over: bool) -> None:
    header = parse_header(raw, 0, len(raw), Limits(header_octets=20), is_message=True)
    assert (header.end, header.body_start, Anomaly.LIMIT in header.anomalies) == (end, body_start, over)


def test_a_header_is_left_where_time_runs_out() -> None:
    raw = b"a: b\r\n" * 200 + b"\r\n"
    header = parse_header(raw, 0, len(raw), Limits(out_of_time=lambda: True), is_message=True)
    assert header.anomalies == {Anomaly.TIME}
    assert len(header.fields) < 64


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"], ids=["crlf", "lf"])
def test_the_line_end_before_a_delimiter_belongs_to_it(eol: bytes) -> None:
    body = eol.join([b"text", b"--b", b"a", b"--b--", b"end"])
    found = find_delimiters(body, 0, len(body), b"b", LIMITS)
    width = len(eol)
    first, last = 4 + width, 4 + 3 + 1 + 3 * width
    assert found.lines == (
        Delimiter(4, first, first + 3 + width, closes=False),
        Delimiter(last - width, last, last + 5 + width, closes=True),
    )


@pytest.mark.parametrize(("body", "cut"), [(b"--b\r", 0), (b"\n--b\r", 0), (b"\r\n--b\r", 0), (b"x\n--b", 1)])
def test_no_line_end_before_the_body_belongs_to_a_delimiter(body: bytes, cut: int) -> None:
    assert find_delimiters(body, 0, len(body), b"b", LIMITS).lines[0].cut == cut


@pytest.mark.parametrize(
    ("body", "reopened", "over_limit"),
    [
        (b"--b\n--b--\n", False, False),
        (b"--b\n--b--\n--b--\n", False, False),
        (b"--b\n--b--\n--b\n--b--\n", True, False),
        (b"--b\n" * 10, False, False),
        (b"--b\n" * 12, False, True),
        (b"--bx\n" * 40, False, False),
        (b"--bx\n" * 41, False, True),
    ],
)
def test_delimiters_after_the_last_and_too_many(body: bytes, reopened: bool, over_limit: bool) -> None:
    found = find_delimiters(body, 0, len(body), b"b", Limits(parts=10))
    assert (found.reopened, found.over_limit) == (reopened, over_limit)


@pytest.mark.parametrize(
    ("body", "starts"),
    [
        (b"text", False),
        (b"--b\nContent-Type: a/b\n", True),
        (b"\n \n--b\nX: y\nContent-Type: a/b\n", True),
        (b"text\n--b\nContent-Type: a/b\n", False),
    ],
)
def test_a_body_that_starts_with_parts(body: bytes, starts: bool) -> None:
    assert starts_with_parts(body, 0, len(body)) is starts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"Hi\nbegin 644 a.exe\n#86)C\n`\nend\nBye\n", [Embedded(3, 31, ("a.exe",), "x-uuencode")]),
        (b"begin 644 a.exe\n#86)C\n", [Embedded(0, 22, ("a.exe",), "x-uuencode")]),
        (b"begin 644 a.exe\nwas run by all of us\nend\n", []),
        (b"begin-base64 644 a.exe\nAAAA\n====\nBye\n", [Embedded(0, 33, ("a.exe",), "x-uuencode")]),
        (b"begin-base64 644 a.exe\nnot at all\n====\n", []),
        (b'begin 644 "\n#86)C\nend\n', [Embedded(0, 22, (), "x-uuencode")]),
        (b"=ybegin line=1 name=a.exe\nx\n=yend size=1\nBye\n", [Embedded(0, 41, ("a.exe",), "x-yenc")]),
        (b"=ybegin line=1\nx\n", [Embedded(0, 17, (), "x-yenc")]),
        (b"(This file must be converted with BinHex 4.0)\n\n :AA:\nBye", [Embedded(0, 52, (), "binhex")]),
        (b"so (This file must be converted with BinHex 4.0)\n:AA:\n", []),
    ],
)
def test_files_in_a_text(text: bytes, found: list[Embedded]) -> None:
    assert find_files(text, 0, len(text)) == found


@pytest.mark.parametrize(
    ("disposition", "attached"),
    [("", False), ("; size=3", False), ("inline", False), ("attachment", True), ("form-data", True)],
)
def test_every_disposition_but_inline_is_an_attachment(disposition: str, attached: bool) -> None:
    assert described(f"Content-Type: text/plain\nContent-Disposition: {disposition}").attached is attached
