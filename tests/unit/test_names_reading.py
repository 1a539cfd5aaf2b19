"""Names: every reading of RFC 2231, RFC 2047 and raw octets, and the form that decides what opens a file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.screener.identity.names import extension, for_display, forms, is_deceptive
from services.screener.mime.filenames import names_of
from services.screener.mime.value import parse_value
from services.screener.mime.words import decode_words


def names(value: bytes) -> list[str]:
    return names_of(parse_value(value, 64).params)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'attachment; filename="a.exe"', ["a.exe"]),
        (b"attachment; filename=a.exe", ["a.exe"]),
        (b"attachment; filename=a b.exe", ["a b.exe", "a"]),
        (b'attachment; filename="a.exe', ["a.exe"]),
        (b"attachment; filename='a.exe'", ["'a.exe'"]),
        (b'attachment; FileName = "a.exe"', ["a.exe"]),
        (b'attachment; filename="a;b.exe"; size=1', ["a;b.exe"]),
        (rb'attachment; filename="a\"b.exe"', ['a"b.exe', r"a\"b.exe"]),
        (rb'attachment; filename="C:\tmp\a.exe"', ["C:tmpa.exe", r"C:\tmp\a.exe"]),
        (b"application/pdf; name=a.pdf", ["a.pdf"]),
        (b"attachment; filename*=utf-8''%e2%82%ac.exe", ["€.exe"]),
        (b"attachment; filename*=utf-8'en-US'payload.exe", ["payload.exe"]),
        (b"attachment; filename*=iso-8859-1''gr%FC%DFe.exe", ["grüße.exe"]),
        (b"attachment; filename*=no-such''a%2Eexe", ["a.exe"]),
        (b"attachment; filename*=a%2Eexe", ["a.exe"]),
        (b'attachment; filename*0="a."; filename*1="exe"', ["a.exe"]),
        (b'attachment; filename*1="exe"; filename*0="a."', ["a.exe", "exea."]),
        (b"attachment; filename*0*=utf-8''%e2%82; filename*1*=%ac.exe", ["€.exe"]),
        (b"attachment; filename*0*=utf-8''a; filename*1=\".exe\"", ["a.exe"]),
        (b'attachment; filename*1="a."; filename*2="exe"', ["a.exe"]),
        (b"attachment; filename*0*=utf-8''a; filename*1*='b'c.exe", ["a'b'c.exe", "ac.exe"]),
        (rb'attachment; x y; filename="a\";b.exe"', ['a";b.exe', r"a\";b.exe"]),
        (b"attachment; filename=file.png; filename*1=zip; filename*0=file.", ["file.png", "file.zip", "zipfile."]),
        (b'attachment; filename="=?utf-8?B?YS5leGU=?="', ["a.exe", "=?utf-8?B?YS5leGU=?="]),
        (b'attachment; filename="=?utf-8?Q?a=2Eexe?="', ["a.exe", "=?utf-8?Q?a=2Eexe?="]),
        (b'attachment; filename="=?utf-8*en?Q?a=2Eexe?="', ["a.exe", "=?utf-8*en?Q?a=2Eexe?="]),
        (
            b'attachment; filename="a.=?us-ascii?Q?ex?= =?us-ascii?Q?e?="',
            ["a.exe", "a.=?us-ascii?Q?ex?= =?us-ascii?Q?e?="],
        ),
        (b'attachment; filename="=?utf-7?Q?a+AC4-exe?="', ["a.exe", "=?utf-7?Q?a+AC4-exe?="]),
        (
            b'attachment; filename="=?utf-16le?B?YQAuAGUAeABlAA==?="',
            ["a.exe", "=?utf-16le?B?YQAuAGUAeABlAA==?=", "愀⸀攀砀攀"],
        ),
        (b'attachment; filename="=?utf-8?B?YS5leGU?="', ["a.exe", "=?utf-8?B?YS5leGU?="]),
        ("attachment; filename=grüße.exe".encode(), ["grüße.exe"]),
        (b"attachment; filename=gr\xfc\xdfe.exe", ["grüße.exe"]),
        (b"attachment; filename=a.png; filename=a.exe", ["a.png", "a.exe", "a.pnga.exe"]),
        (b"attachment; name=a.exe; filename=b.txt", ["b.txt", "a.exe"]),
        (b"attachment; xfilename=a.exe", []),
        (b"attachment; filename=", []),
        (b"attachment", []),
        (b"", []),
    ],
)
def test_every_reading_of_a_name_is_found(value: bytes, expected: list[str]) -> None:
    assert names(value) == expected


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?a_b?= c", "a b c"),
        (b"=?utf-8?B?w7w=?==?utf-8?B?w7w=?=", "üü"),
        (b"=?utf-8?B?w7w=?=\r\n =?utf-8?B?w7w=?=", "üü"),
        (b"=?x?z?y?=", "=?x?z?y?="),
        (b"=?unicode_escape?Q?=5Cud800?=", "\\ud800"),
        (b"=?utf-8?Q?", "=?utf-8?Q?"),
        (b"=?utf-7?Q?+2AA-?=", "?"),
    ],
)
def test_encoded_words_are_decoded_and_nothing_else(octets: bytes, text: str) -> None:
    assert decode_words(octets) == text


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.exe", "exe"),
        ("A.EXE", "exe"),
        ("a.exe.", "exe"),
        ("a.exe . .", "exe"),
        ("a.exe\u00a0", "exe"),
        ("a.exe\0.png", "exe"),
        ("a.exe::$DATA", "exe"),
        ("a.exe:x.png", "exe"),
        ("a%2Eexe", "exe"),
        ("a.exe%20", "exe"),
        ("a.exe%00.png", "exe"),
        ("..\\..\\a.exe", "exe"),
        ("a.exe/", "exe"),
        ("dir/a.exe", "exe"),
        ("a\uff0eexe", "exe"),
        ("a\u2024exe", "exe"),
        ("a\u3002exe", "exe"),
        ("a.\uff45\uff58\uff45", "exe"),
        ("a.e\u200bxe", "exe"),
        ("a.ex\u00ade", "exe"),
        ("a.ex\te", "exe"),
        ("a.e\x01xe", "exe"),
        ("a.exe/ ", "exe"),
        ("%25E4a%E3%80%82exe", "exe"),
        ("annexe\u202efdp.exe", "exe"),
        ("invoice.pdf" + " " * 60 + ".exe", "exe"),
        ('a.exe"', "exe"),
        ("a.exe;", "exe"),
        ("a.exe?=", "exe"),
        (".exe", "exe"),
    ],
)
def test_a_banned_ending_is_seen_through_every_disguise(name: str, ending: str) -> None:
    assert ending in {extension(form) for form in forms(name)}


@pytest.mark.parametrize(
    "name",
    ["exe", "a.exe.txt", "a.pdf", "", ".", "...", "exe.", "100% a.pdf", "Re: a", "a_exe", "a.exe_", "a.exemplar", "%"],
)
def test_an_innocent_name_has_no_banned_ending(name: str) -> None:
    assert "exe" not in {extension(form) for form in forms(name)}


@pytest.mark.parametrize("name", ["", " ", "...", "\0"])
def test_a_name_of_nothing_has_no_form(name: str) -> None:
    assert forms(name) == []


def test_white_space_is_no_ending() -> None:
    assert extension("a.\u2028") is None


@pytest.mark.parametrize(
    ("name", "deceptive"),
    [
        ("annexe\u202efdp.txt", True),
        ("a\u202dtxt", True),
        ("a.{20D04FE0-3AEA-1069-A2D8-08002B30309D}", True),
        ("a.txt", False),
        ("עברית\u200f.pdf", False),
        ("नमस्ते\u200d.pdf", False),
        ("नमस्\u200dते", False),
        ("{20D04FE0-3AEA-1069-A2D8-08002B30309D}.txt", False),
    ],
)
def test_overrides_and_class_ids_are_deceptive(name: str, *, deceptive: bool) -> None:
    assert is_deceptive(name) is deceptive


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.exe", "a.exe"),
        ("a\r\nBcc: x", "a Bcc: x"),
        ('a"b', "a b"),
        ("annexe\u202efdp.exe", "annexe fdp.exe"),
        ("x" * 200, "x" * 119 + "…"),
        ("\0", ""),
    ],
)
def test_a_shown_name_cannot_shape_the_text(name: str, shown: str) -> None:
    assert for_display(name) == shown


@given(st.binary(max_size=200))
def test_any_octets_give_names_that_can_be_encoded(value: bytes) -> None:
    for name in names(b"attachment; filename=" + value) + names(b'attachment; filename*="' + value):
        name.encode()
        for form in forms(name):
            form.encode()
