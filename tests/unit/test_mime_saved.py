"""Which attachments are mail or text again: every name and type of one, and what only looks like it."""

import pytest

from services.screener.mime.part import Part
from services.screener.mime.saved import is_coded_file, is_saved_message
from services.screener.mime.tree import parse

ENDINGS = ("eml", "mht", "mhtml", "nws")
TYPES = ("application/x-mimearchive", "application/eml", "application/x-eml")
CODED_ENDINGS = ("uu", "uue", "hqx", "ync", "bhx")
CODED_TYPES = ("application/mac-binhex40", "application/x-uuencode", "application/mac-binhex")
OFFICE = ("doc", "dot", "docx", "rtf", "wri", "xls", "xlt", "xlsx", "ppt", "pps", "pptx")
SLOPPY = b"From: a@b.example\r\n\r\nhello\r\n"
MAIL = b"From: a@b.example\r\nContent-Type: text/plain\r\n\r\nhello\r\n"


def part(kind: str, name: str, body: bytes) -> Part:
    header = f"Content-Type: {kind}\r\nContent-Disposition: attachment; filename={name}\r\n"
    return parse(header.encode() + b"\r\n" + body).parts[0]


@pytest.mark.parametrize(
    ("kind", "name"),
    [*(("text/plain", f"a.{ending}") for ending in ENDINGS), *((kind, "a.bin") for kind in TYPES)],
)
def test_saved_mail_by_its_name_or_type_begins_with_any_field(kind: str, name: str) -> None:
    assert is_saved_message(part(kind, name, SLOPPY))
    assert not is_saved_message(part(kind, name, b"hello\r\n"))


@pytest.mark.parametrize(
    ("kind", "name"), [("application/x-any", "a.bin"), *(("text/plain", f"a.{e}") for e in OFFICE)]
)
def test_what_is_no_text_or_opened_by_office_is_mail_if_it_says_how_to_be_read(kind: str, name: str) -> None:
    assert is_saved_message(part(kind, name, MAIL))
    assert not is_saved_message(part(kind, name, SLOPPY))
    assert not is_saved_message(part(kind, name, b"such as:\r\n" + MAIL))


def test_a_text_that_quotes_mail_is_none() -> None:
    assert not is_saved_message(part("text/plain", "a.txt", MAIL))


@pytest.mark.parametrize(
    ("kind", "name"),
    [*(("text/plain", f"a.{ending}") for ending in CODED_ENDINGS), *((kind, "a.bin") for kind in CODED_TYPES)],
)
def test_a_coded_file_is_one_by_its_name_or_type(kind: str, name: str) -> None:
    assert is_coded_file(part(kind, name, b"x\r\n"))
    assert not is_coded_file(part("text/plain", "a.txt", b"x\r\n"))
