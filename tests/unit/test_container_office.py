"""Members of Office documents that say what the document does, each beside one that says nothing."""

import pytest

from services.screener.containers.documents.formulas import is_formula, read_formula
from services.screener.containers.documents.office import member_signs
from services.screener.containers.documents.office_flat import is_flat, read_flat
from services.screener.containers.documents.scripted import is_scripted
from services.screener.containers.documents.texts import is_text
from services.screener.containers.member import Sign

RELATION = b'<Relationship Type="http://x/%b" Target="http://a.example/b" TargetMode="%b"/>'
FETCHED = (b"attachedTemplate", b"oleObject", b"frame", b"subDocument", b"externalLinkPath/dde")
FIELD = b"<w:instrText>%b</w:instrText>"
DDE = {Sign.REMOTE}


@pytest.mark.parametrize(
    ("name", "content", "signs"),
    [
        *(("a/b.xml.rels", RELATION % (kind, b"External"), {Sign.REMOTE}) for kind in FETCHED),
        ("a/b.xml.rels", RELATION % (b"frame", b"Internal"), set()),
        ("a/b.xml.rels", RELATION % (b"hyperlink", b"External"), set()),
        ("a/b.xml", RELATION % (b"frame", b"External"), set()),
        ("xl/externalLinks/a.xml", b"<ddeLink/>", {Sign.REMOTE}),
        ("xl/externalLinks/a.xml", b"<oleLink/>", set()),
        ("xl/other/a.xml", b"<ddeLink/>", set()),
        ("META-INF/manifest.xml", b"<m:encryption-data/>", {Sign.ENCRYPTED}),
        ("META-INF/manifest.xml", b"<m:file-entry/>", set()),
        ("META-INF/other.xml", b"<m:encryption-data/>", set()),
        ("[Content_Types].xml", b"ms-office.vbaProject", {Sign.MACRO}),
        ("[Content_Types].xml", b"ms-excel.macrosheet", {Sign.MACRO}),
        ("[Content_Types].xml", b"ms-excel.sheet", set()),
        ("word/document.xml", b"ms-office.vbaProject", set()),
        ("word/document.xml", FIELD % b" DDE cmd", DDE),
        ("word/document.xml", FIELD % b"PAGE" + FIELD % b"DDE cmd", DDE),
        ("word/document.xml", FIELD % b"DD" + FIELD % b"EAUTO cmd", DDE),
        ("word/document.xml", FIELD % b"&#68;DE cmd", DDE),
        ("word/document.xml", FIELD % b"" + FIELD % b"DDE cmd", DDE),
        ("word/document.xml", b'<w:fldSimple w:instr="DDE cmd"/>', DDE),
        ("word/document.xml", b'<w:fldSimple w:instr=""/>', set()),
        ("word/document.xml", FIELD % b"PAGEDDE cmd", set()),
        ("word\\vbaProject.bin", b"", {Sign.MACRO}),
        ("xl/macrosheets/a.xml", b"", {Sign.MACRO}),
        ("Basic/Standard/script-lb.xml", b"", set()),
    ],
)
def test_what_a_member_says(name: str, content: bytes, signs: set[Sign]) -> None:
    assert member_signs(("x", name), content) == signs


WORD = b"<x xmlns='http://schemas.microsoft.com/office/word/2003/wordml'%b/>"
FLAT = b"<x xmlns='http://schemas.microsoft.com/office/2006/xmlPackage'%b/>"
MACROS = [
    b" macrosPresent = 'yes'",
    b" macrosPresent='1'",
    b" a='editdata.mso'",
    b" a='vbaProject.bin'",
    b' a="QWN0aXZlTWlt',
    b"> QWN0aXZlTWlt",
]


@pytest.mark.parametrize("root", [WORD, FLAT, FLAT.replace(b"office", b"OFFICE")])
@pytest.mark.parametrize("said", MACROS)
def test_macros_of_a_document_in_one_file(root: bytes, said: bytes) -> None:
    for document in (root % said, (root % said).decode().encode("utf-16"), (root % said).decode().encode("utf-16-le")):
        assert is_flat(document)
        assert list(read_flat(document)) == [Sign.MACRO]


def test_a_document_in_one_file_without_macros_says_nothing() -> None:
    assert list(read_flat(WORD % b" macrosPresent='no'")) == []
    assert not is_flat(b"<x/>")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [(b"", True), (b"text\n", True), ("größe".encode(), True), ("text".encode("utf-16"), True),
     (bytes(range(256)), False), (b"\1" + b"x" * 19, True), (b"\1" + b"x" * 18, False),
     (b"x" * 4096 + bytes(range(32)) * 900, True)],
)  # fmt: skip
def test_what_may_be_a_text(octets: bytes, expected: bool) -> None:
    assert is_text(octets) is expected


PADDING = bytes(range(1, 32)) * 150 + b"\n"


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"=cmd|'/c calc'!A0", True),
        (b"cmd|'/c calc'!A0", True),
        ("=cmd|'/c calc'!A0".encode("utf-16"), True),
        (PADDING + b"=cmd|'/c calc'!A0", True),
        (PADDING + b"=cmd|'/cc'!A0", True),
        (PADDING + b"=cmd|'/c'!A0", False),
        (PADDING + b"=cmd|/c!A0", False),
        (PADDING + b"=cmd|'/c calc'!A0\1", False),
        (b"=cmd|'/c calc'", False),
        (b"=cmd!A0", False),
        (b"=|'/c calc'!A0", False),
        (b"=cmd|'/c calc'! ", False),
    ],
)
def test_what_may_be_a_formula_that_starts_something(octets: bytes, expected: bool) -> None:
    assert is_formula(octets) is expected


@pytest.mark.parametrize(
    ("octets", "signs"),
    [
        (PADDING + b"=cmd|'/c calc'!A0", [Sign.REMOTE]),
        (PADDING + b"a;=1+cmd.exe|'/c calc'!A0;b", [Sign.REMOTE]),
        (PADDING + b"='cmd'|calc!A0\n", [Sign.REMOTE]),
        (PADDING + b"a\0,\0=\0c\0m\0d\0|\0c\0a\0l\0c\0!\0A\0", [Sign.REMOTE]),
        ("\ufeff{}\r\n=cmd|'/c calc'!A0".format("\u4141" * 3000).encode("utf-16-le"), [Sign.REMOTE]),
        (b"x|y!z " * 10_001 + b"\n=cmd|'/c calc'!A0", [Sign.REMOTE]),
        (PADDING + b"cmd|'/c calc'!A0", []),
        (PADDING + b"=cm|'/c calc'!A0", []),
        (b"=cm|'/c calc'!A0", [Sign.REMOTE]),
        (PADDING + b"=\1cmd|'/c calc'!A0", []),
        (b"=\1cmd|'/c calc'!A0" + b"text" * 9, [Sign.REMOTE]),
    ],
)
def test_a_formula_is_seen_whatever_the_table_begins_with(octets: bytes, signs: list[Sign]) -> None:
    """Where it begins as no text, only what can be nothing else: such octets come about by chance as well."""
    assert list(read_formula(octets)) == signs


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"<x xmlns:m='urn:schemas-microsoft-com:xslt'><m:script/>", True),
        (b"x <x xmlns:m='urn:schemas-microsoft-com:xslt'><m:script/>", False),
        (b"<h:HTML xmlns:m='urn:schemas-microsoft-com:xslt'><m:script/>", False),
        (b"<x xmlns:m='urn:schemas-microsoft-com:xslt'><m:text/>", False),
        (b"<x xmlns:m='urn:schemas-microsoft-com:xslt'><n:script/>", False),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><x><m:text/>", False),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><x xmlns='&a;' onload='y()'/>", True),
        (b"<x><h:body xmlns:h='http://www.w3.org/1999/xhtml' onLoad = 'y()'/></x>", True),
        (b"<x><s:a xmlns:s='http://www.w3.org/2000/svg' href=' javascript:y()'/></x>", True),
        (b"<x><h:b xmlns:h='http://www.w3.org/1999/xhtml' online='1'>onload=, javascript:</h:b></x>", False),
        (b"<x onload='y()' href='javascript:y()'/>", False),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><x><m:script/>", True),
    ],
)
def test_what_is_xml_with_a_script(octets: bytes, expected: bool) -> None:
    assert is_scripted(octets) is expected
