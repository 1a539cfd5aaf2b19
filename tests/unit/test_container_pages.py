"""Pages, drawings, calendars, and members of Office documents: each sign by itself, and what has none of them."""

import base64

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.documents.html import is_active, is_calendar
from services.screener.containers.documents.office import member_signs
from services.screener.containers.documents.office_flat import is_flat
from services.screener.containers.member import Sign
from tests.support.mail_samples import EXE

PROGRAM = base64.b64encode(EXE)


def types(contents: Contents) -> set[str]:
    return {one.type for inside in contents.inside for one in inside.detected}


@pytest.mark.parametrize(
    "hands_over", [b"msSaveOrOpenBlob(x", b"msSaveBlob(x", b"createObjectURL(x", b"<a id=a download>"]
)
@pytest.mark.parametrize(
    "builds", [b"atob(x", b"Uint8Array", b"fromCharCode", b"charCodeAt", b"new Blob", b"new File(x"]
)
def test_a_page_that_builds_a_file_and_hands_it_over_smuggles_it(builds: bytes, hands_over: bytes) -> None:
    page = b"<html><a href='data:,'></a><script>"
    assert look_inside(page + builds + hands_over).signs == {Sign.SMUGGLING}
    assert look_inside(page + builds).signs == frozenset()
    assert look_inside(page + hands_over).signs == frozenset()


@pytest.mark.parametrize(
    "octets",
    [
        b"<a href=data:a/b,c>",
        b"<html><script>msSaveBlob(x)",
        b"\0<a href=data:a/b,c>",
        b"<html>" + bytes(range(1, 32)) * 20 + b"<a href=data:a/b,c>",
        b"\n" * 2000 + b"<a href=data:a/b,c>",
        b"\xff\xfe" + "<a href=data:a/b,c>".encode("utf-16-le"),
        b"\xfe\xff" + "<a href=data:a/b,c>".encode("utf-16-be"),
    ],
)
def test_pages_are_looked_into(octets: bytes) -> None:
    assert is_active(octets)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"data:a/b,c",
        b"\0" + bytes(range(1, 32)) * 20 + b"<a href=data:a/b,c>",
        b"\xfe\xffdata:",
        b"<html><p>hello",
        "schöne".encode("utf-16"),
    ],
)
def test_what_is_no_page_or_has_nothing_in_it_is_not(octets: bytes) -> None:
    assert not is_active(octets)


@pytest.mark.parametrize("encoding", ["ascii", "utf-16"])
def test_a_file_in_a_page_keeps_the_type_it_was_given(encoding: str) -> None:
    page = f"<a href='data:application/X-Run;base64,{PROGRAM.decode()}'>"
    marked = b"\xfe\xff" + page.encode("utf-16-be") if encoding == "utf-16" else page.encode()
    contents = look_inside(marked)
    assert [inside.declared for inside in contents.inside] == ["application/x-run"]
    assert "application/x-msdownload" in types(contents)


def test_a_file_without_a_type_is_seen_too() -> None:
    assert "application/x-msdownload" in types(look_inside(b"<a href='data:;base64," + PROGRAM + b"'>"))


CARD = b"BEGIN:VCARD\r\nPHOTO;ENCODING=b:" + PROGRAM + b"\r\n"


def test_a_calendar_is_one_by_its_beginning_and_what_it_holds() -> None:
    assert is_calendar(CARD)
    assert is_calendar(CARD.replace(b"VCARD", b"VCALENDAR"))
    assert is_calendar(b"BEGIN:VCARD\r\nPHOTO:data:image/png;base64,AAAA")
    assert not is_calendar(CARD.replace(b"BEGIN:VCARD", b"Dear sir"))
    assert not is_calendar(b"BEGIN:VCALENDAR\r\nSUMMARY:encoding\r\n")


def test_a_file_in_a_calendar_keeps_the_type_it_was_given() -> None:
    contents = look_inside(CARD.replace(b"PHOTO;", b"ATTACH;FMTTYPE=application/X-Run;"))
    assert [inside.declared for inside in contents.inside] == ["application/x-run"]
    assert [inside.declared for inside in look_inside(CARD).inside] == [""]


def test_a_calendar_of_very_many_files_is_over_the_limit() -> None:
    line = b"PHOTO;ENCODING=b:AAAAAAAAAAAAAAAA\r\n"
    assert Sign.OVER_LIMIT in look_inside(b"BEGIN:VCARD\r\n" + line * 1100).signs


RELATION = b'<Relationship Type="http://x/%b" Target="http://a.example/b" TargetMode="External"/>'
FETCHED = (b"attachedTemplate", b"oleObject", b"frame", b"aFChunk", b"subDocument", b"externalLinkPath/dde")


@pytest.mark.parametrize("kind", FETCHED)
def test_what_a_document_fetches_is_said(kind: bytes) -> None:
    relation = RELATION % kind
    assert member_signs(["word/_rels/a.rels"], relation) == {Sign.REMOTE}
    assert member_signs(["word/_rels/a.rels"], relation.decode().encode("utf-16")) == {Sign.REMOTE}
    assert member_signs(["word/_rels/a.rels"], b"\xfe\xff" + relation.decode().encode("utf-16-be")) == {Sign.REMOTE}
    assert member_signs(["word/_rels/a.rels"], relation.replace(b"External", b"Internal")) == set()
    assert member_signs(["word/a.xml"], relation) == set()


@pytest.mark.parametrize(
    ("name", "content", "signs"),
    [
        ("xl/externalLinks/externalLink1.xml", b"<ddeLink/>", {Sign.REMOTE}),
        ("xl\\externalLinks\\externalLink1.xml", b"<ddeLink/>", {Sign.REMOTE}),
        ("xl/externalLinks/externalLink1.xml", b"<externalBook/>", set()),
        ("xl/sheet1.xml", b"<ddeLink/>", set()),
        ("META-INF/manifest.xml", b"<manifest:encryption-data/>", {Sign.ENCRYPTED}),
        ("META-INF/manifest.xml", b"<manifest:file-entry/>", set()),
        ("content.xml", b"<p>encryption-data</p>", set()),
        ("customUI/customUI.xml", b"<customUI onLoad='http://a.example/b.dotm!c'/>", {Sign.REMOTE}),
        ("CustomUI\\a.xml", b'<customUI onLoad = "\\\\a.example\\b.dotm!c"/>', {Sign.REMOTE}),
        ("customUI/customUI.xml", "<customUI onLoad='//a/b'/>".encode("utf-16"), {Sign.REMOTE}),
        ("customUI/customUI.xml", b"<customUI onLoad='Start' xmlns='http://a.example'/>", set()),
        ("word/a.xml", b"<customUI onLoad='http://a.example/b.dotm!c'/>", set()),
        ("word/a.xml", b"<w:instrText></w:instrText>", set()),
        ("word/a.xml", b"<w:instrText>PAGE</w:instrText><w:instrText>DDE cmd</w:instrText>", {Sign.REMOTE}),
        ("word/a.xml", b"<w:instrText>D</w:instrText><w:instrText>DE cmd</w:instrText>", {Sign.REMOTE}),
    ],
)
def test_what_a_member_says_of_its_document(name: str, content: bytes, signs: set[Sign]) -> None:
    assert member_signs([name], content) == signs


def test_a_document_in_one_file_is_xml_with_the_namespace() -> None:
    namespace = b"http://schemas.microsoft.com/office/word/2003/wordml"
    assert is_flat(b"<w:wordDocument xmlns:w='" + namespace + b"'>")
    assert is_flat((b"<w:wordDocument xmlns:w='" + namespace + b"'>").decode().encode("utf-16"))
    assert not is_flat(b"see " + namespace)
    assert not is_flat(b"<html>")
