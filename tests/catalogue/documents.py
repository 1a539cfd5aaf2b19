"""Rows 41, 42 and 64 to 72: documents and mail that hold files, or do something when they are opened."""

import base64
import zlib

from tests.catalogue.case import CTE, NAMED, PARTS, PROGRAM, Case
from tests.catalogue.containers import BY_CONTENT, INSIDE, attached
from tests.support import document_samples as documents
from tests.support.archive_samples import zip_of
from tests.support.mail_samples import EXE, PDF, PNG, b64

_WINMAIL = "Content-Type: application/ms-tnef; name=winmail.dat"
_WORDML = b'<?xml version="1.0"?><w:wordDocument xmlns:w="http://schemas.microsoft.com/office/word/2003/wordml"%b/>'
_FLAT = b'<pkg:package xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage"><pkg:part pkg:name="%b"/></pkg:package>'
_TABLE = b"name;value\r\nx;1\r\n%b;2\r\n"
_GIF, _HTA = b"GIF89a\1\0\1\0\0\0\0", "content:application/hta"
_MACRO, _REMOTE = "active:macro", "active:remote-content"
_NATIVE = documents.native(b"x.exe", EXE)
_URI = b"data:application/octet-stream;base64," + base64.b64encode(EXE)
_PACKAGE = {"[Content_Types].xml": b"<Types/>", "_rels/.rels": b"<Relationships/>", "word/document.xml": b"<w/>"}
_VBA = documents.compound({"VBA/_VBA_PROJECT": b"\xcc\x61\xff\xff\0\0\0", "VBA/dir": b"\1\0", "PROJECT": b"ID=x"})


_PAGE = "Content-Type: text/html"


def _tnef() -> list[Case]:
    whole = documents.tnef(b"x.exe", EXE)
    return [
        attached(41, "a program", whole, INSIDE, "winmail.dat"),
        attached(41, "by another name", documents.tnef(b"a.txt", EXE), BY_CONTENT, "letter.txt"),
        attached(41, "a name of any length", documents.tnef(b"a.txt", b"x", "longer.exe"), INSIDE),
        attached(41, "cut off", documents.tnef(b"a.txt", b"x")[:-5], "container:malformed"),
        attached(41, "in an Outlook message", documents.outlook("a.dat", whole), INSIDE, "a.bin"),
        attached(41, "harmless", documents.tnef(b"a.txt", b"text"), None, "winmail.dat"),
        Case(41, "none at all", f"{_WINMAIL}\n{CTE}: base64", b64(b"text"), (), "container:malformed"),
        Case(41, "declared", f"{_WINMAIL}\n{CTE}: base64", b64(documents.tnef(b"a.txt", b"text")), (), None),
    ]


def _der(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    length = len(body).to_bytes(4)
    return bytes((tag, 0x84)) + length + body


def cms(oid: str, content: bytes) -> bytes:
    """Return a ContentInfo of a kind with something in it; RFC 5652's SignedData as far as its content."""
    kind, data = bytes.fromhex(f"06{oid}"), bytes.fromhex("06092a864886f70d010701")
    inner = _der(0x30, data, _der(0xA0, _der(0x04, content)))
    return _der(0x30, kind, _der(0xA0, _der(0x30, b"\2\1\1", _der(0x31), inner)))


def _smime() -> list[Case]:
    signed, enveloped = "092a864886f70d010702", "092a864886f70d010703"
    compressed, authenticated = "0b2a864886f70d0109100109", "0b2a864886f70d0109100117"
    content = f"Content-Type: multipart/mixed; boundary=b\r\n\r\n{PARTS}".encode()
    wrapped = cms(signed, content)
    armour = "-----BEGIN PGP MESSAGE-----\n\nhQIMA0123456789abAQ/+abcdefgh\n=abcd\n-----END PGP MESSAGE-----\n"
    mime = f"Content-Type: application/pkcs7-mime; smime-type=signed-data\n{CTE}: base64"
    sealed = "Content-Type: multipart/encrypted; protocol=application/pgp-encrypted; boundary=e"
    parts = f"--e\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--e\nContent-Type: application/octet-stream\n\n{armour}\n--e--\n"
    pem = f"-----BEGIN PKCS7-----\n{b64(wrapped, 64)}\n-----END PKCS7-----\n".encode()
    return [
        Case(42, "signed", mime, b64(wrapped), (), INSIDE),
        attached(42, "signed, by name", wrapped, INSIDE, "smime.p7m"),
        attached(42, "signed, twice", cms(signed, f"{mime}\n\n{b64(wrapped)}".encode()), INSIDE),
        attached(42, "signed, in PEM", pem, INSIDE),
        attached(42, "signed, in base64 again", b64(wrapped).encode(), INSIDE),
        attached(42, "compressed", cms(compressed, zlib.compress(content)), INSIDE),
        attached(42, "signed, harmless", cms(signed, b"Content-Type: text/plain\r\n\r\nx"), None, "smime.p7m"),
        attached(42, "enveloped", cms(enveloped, b"x"), "encrypted:s-mime", "smime.p7m"),
        attached(42, "authenticated and enveloped", cms(authenticated, b"x"), "encrypted:s-mime", "smime.p7m"),
        Case(42, "PGP/MIME", sealed, parts, (), "encrypted:pgp-mime"),
        Case(42, "PGP in a text", "Content-Type: text/plain", f"Hi,\n{armour}", (), "encrypted:pgp"),
        attached(42, "PGP in a file", b"\x84\x0d\x03" + bytes(12) + b"\xd2\x10" + bytes(10), "encrypted:pgp"),
    ]


def _office() -> list[Case]:
    rels = b'<Relationships><Relationship Type="http://x/attachedTemplate" Target="http://a.example/b" TargetMode="External"/></Relationships>'
    embedded = documents.compound({"\x01Ole10Native": _NATIVE})
    return [
        attached(64, "macros in docx", zip_of({**_PACKAGE, "word/vbaProject.bin": _VBA}), _MACRO, "a.docx"),
        attached(64, "macros in xlsx", zip_of({**_PACKAGE, "xl/vbaProject.bin": _VBA}), _MACRO, "a.xlsx"),
        attached(64, "Excel 4 macros in xlsx", zip_of({**_PACKAGE, "xl/macrosheets/sheet1.xml": b"<x/>"}), _MACRO),
        attached(
            64, "macros in odt", zip_of({"mimetype": b"x", "Basic/Standard/Module1.xml": b"<x/>"}), _MACRO, "a.odt"
        ),
        attached(64, "macros in Word's XML", _WORDML % b' w:macrosPresent="yes"', _MACRO, "a.xml"),
        attached(64, "macros in Word's XML, unsaid", _WORDML % b"><b>QWN0aXZlTWltZQ</b", _MACRO, "a.doc"),
        attached(64, "macros in UTF-16", (_WORDML % b" w:macrosPresent='yes'").decode().encode("utf-16"), _MACRO),
        attached(64, "macros in a flat docx", _FLAT % b"/word/vbaProject.bin", _MACRO, "a.xml"),
        attached(64, "a flat docx without", _FLAT % b"/word/document.xml", None, "a.xml"),
        attached(64, "Word's XML without", _WORDML % b' w:macrosPresent="no"', None, "a.xml"),
        attached(64, "macros in doc", documents.compound({"Macros/VBA/dir": b"x"}), _MACRO, "a.doc"),
        attached(64, "Excel 4 macros in xls", documents.compound({"Workbook": b"\x85\0\7\0\0\0\0\0\0\1a"}), _MACRO),
        attached(64, "remote template", zip_of({**_PACKAGE, "word/_rels/settings.xml.rels": rels}), _REMOTE, "a.docx"),
        attached(64, "DDE", zip_of({"xl/externalLinks/externalLink1.xml": b"<ddeLink ddeService='cmd'/>"}), _REMOTE),
        attached(
            64, "package in docx", zip_of({**_PACKAGE, "word/embeddings/oleObject1.bin": embedded}), INSIDE, "a.docx"
        ),
        attached(64, "package in doc", documents.compound({"ObjectPool/_1/\x01Ole10Native": _NATIVE}), INSIDE, "a.doc"),
        attached(64, "a plain docx", zip_of(_PACKAGE), None, "a.docx"),
    ]


def _formulas() -> list[Case]:
    return [
        *(
            attached(64, f"formula {formula}", _TABLE % formula.encode(), _REMOTE, "a.csv")
            for formula in (
                "=cmd|' /C calc'!A0",
                "+cmd|' /C calc'!A0",
                "-2+3+cmd|' /C calc'!A0",
                "@SUM(1+1)*cmd|' /C calc'!A0",
                "\"=cmd|' /C calc'!A0\"",
                " \" = cmd|'/C calc'!'A0'",
                "=MSEXCEL|'..\\calc.exe'!_xlbgnm.A1",
                "=rundll32|calc!A",
                "=A1+B1-C1&\"x\"/12345&cmd|'/c calc'!A",
                "='cmd'|'/c calc'!A0",
                "=cmd|'/c echo '' & calc'!A0",
                "=cmd |'/c calc'!*",
            )
        ),
        attached(64, "a sheet as SYLK", b"ID;P\nC;X1;Y1;K0;EEXEC(1)\n", "content:application/x-sylk", "a.csv"),
        attached(64, "a formula first", b"=cmd|' /C calc'!A0", _REMOTE, "a.txt"),
        attached(64, "a formula after tabs", b"a\t=cmd|'/C calc'!A0\tb", _REMOTE, "a.tsv"),
        attached(
            64, "a formula in UTF-16", (_TABLE % b"=cmd|'/C calc'!A0").decode().encode("utf-16"), _REMOTE, "a.csv"
        ),
        attached(
            64,
            "a formula behind a picture",
            b"GIF89a" + bytes(range(1, 32)) * 150 + _TABLE % b"=cmd|'/C calc'!A0",
            _REMOTE,
            "a.csv",
        ),
        attached(64, "a formula in zip", zip_of({"a.csv": _TABLE % b"=cmd|'/C calc'!A0"}), _REMOTE),
        Case(64, "a formula in a nameless table", "Content-Type: text/csv", "a;=cmd|'/C calc'!A0", (), _REMOTE),
        Case(64, "a formula that people read", "Content-Type: text/plain", "=cmd|'/C calc'!A0", (), None),
        *(
            attached(64, f"no formula {text}", _TABLE % text.encode(), None, "a.csv")
            for text in (
                "=A1+B1",
                "x|y",
                "a=b|c!",
                "cmd|' /C calc'!A0",
                "- yes|no! Ok",
                "+x = (a|b)!=0;",
                "=|'x'!A",
                "=a||b!c",
            )
        ),
    ]


def _rtf_and_pdf() -> list[Case]:
    return [
        attached(65, "object in rtf", documents.rtf(_NATIVE[4:]), INSIDE, "a.rtf"),
        attached(
            65, "object by a short head", documents.rtf(_NATIVE[4:]).replace(b"{\\rtf1", b"{\\rt"), INSIDE, "a.doc"
        ),
        attached(65, "link in rtf", b"{\\rtf1{\\object\\objupdate\\objautlink}}", _REMOTE),
        attached(65, "launch in pdf", documents.pdf(b"<</S/Launch/F(cmd)>>"), "active:launch"),
        attached(65, "file in pdf", documents.pdf(documents.embedded(EXE)), BY_CONTENT),
        attached(65, "a form in pdf", documents.pdf(b"<</S/JavaScript/JS(x)>>"), None, "a.pdf"),
    ]


def _pages() -> list[Case]:
    smuggler = b"<html><script>b=new Blob([atob(x)]);URL.createObjectURL(b)</script></html>"
    return [
        attached(66, "smuggling", smuggler, "active:html-smuggling", "a.html"),
        attached(66, "smuggling by another name", smuggler, "active:html-smuggling", "a.dat"),
        attached(66, "any page in a file", b"<html><p>x</html>", "content:text/html"),
        attached(67, "script in svg", b"<svg><script>x()</script></svg>", "active:scripted-image", "a.png"),
        attached(67, "event in svg", b"<?xml?><svg onload='x()'></svg>", "active:scripted-image", "a.png"),
        attached(67, "svg", b"<svg><path d='M0 0'/></svg>", "extension:svg", "a.svg"),
    ]


def _xml() -> list[Case]:
    msxsl = b"xmlns:m='urn:schemas-microsoft-com:xslt'"
    page_of_xml = b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><script>x()</script></html>"
    scripted = {
        "msxsl": b"<?xml version='1.0'?><xsl:stylesheet xmlns:xsl='x' %b><m:script>x()</m:script></xsl:stylesheet>"
        % msxsl,
        "without a declaration": b"\n<stylesheet\n%b><m:script language='JScript'/></stylesheet>" % msxsl,
        "by a reference": b"<?xml?><x xmlns:m='&#117;rn:schemas-microsoft-com:xslt'><m:script/></x>",
        "by an entity": b"<!DOCTYPE x [<!ENTITY a 'urn'>]><x xmlns:m='&a;:schemas-microsoft-com:xslt'><m:script/></x>",
        "xalan": b"<?xml?><x xmlns:l='http://xml.apache.org/xalan'><l:script/></x>",
        "in a page": b"<?xml?><x xmlns:h='http://www.w3.org/1999/xhtml'><h:script>x()</h:script></x>",
        "in a drawing": b'<?xml?><x><y xmlns = "http://www.w3.org/2000/svg"><script>x()</script></y></x>',
        "behind a page in a comment": b"<?xml?><!-- <html> --><x %b><m:script/></x>" % msxsl,
    }
    harmless = {
        "a style sheet": b"<?xml?><?xml-stylesheet href='a.xsl' type='text/xsl'?><x/>",
        "a namespace only": b"<?xml?><x %b><script/></x>" % msxsl,
        "another script": b"<?xml?><x xmlns:h='http://www.w3.org/1999/xhtml'><office:scripts/><font script='Arab'/></x>",
    }
    return [
        *(
            attached(67, f"script in XML, {name}", text, "active:scripted-xml", "a.xml")
            for name, text in scripted.items()
        ),
        attached(67, "script in UTF-16", scripted["msxsl"].decode().encode("utf-16"), "active:scripted-xml", "a.xsl"),
        attached(
            67,
            "script in UTF-16, unmarked",
            scripted["msxsl"].decode().encode("utf-16-le"),
            "active:scripted-xml",
            "a.xsl",
        ),
        attached(67, "script in zip", zip_of({"a.xml": scripted["msxsl"]}), "active:scripted-xml"),
        attached(
            67, "a page of XML", b"<?xml version='1.0'?>\n<!-- x --><html xmlns='x'/>", "content:text/html", "a.xml"
        ),
        attached(
            67, "a page of XML by its prefix", b"\xef\xbb\xbf<?xml?><h:html xmlns:h='x'/>", "content:text/html", "a.xml"
        ),
        attached(
            67, "a page of XML in UTF-16", "<?xml?><html xmlns='x'/>".encode("utf-16"), "content:text/html", "a.xml"
        ),
        *(
            Case(67, f"a page in {fields}", f"Content-Type: {fields}", page_of_xml.decode(), (), rule)
            for rule, each in {
                "content:text/html": (
                    "text/plain; name=a.xml",
                    "text/css; name=a.XSL",
                    "text/a; name=a.xslt",
                    "text/xml",
                ),
                None: ("text/plain; name=a.txt", "text/css; name=xml"),
            }.items()
            for fields in each
        ),
        *(attached(67, f"XML without, {name}", text, None, "a.xml") for name, text in harmless.items()),
        attached(67, "a page of XML in zip", zip_of({"a.xhtml": page_of_xml}), None),
        Case(67, "script in XML that people read", _PAGE, scripted["in a page"].decode(), (), None),
    ]


def _in_pages_and_pictures() -> list[Case]:
    return [
        Case(68, "data in a page", _PAGE, f"<html><a href='{_URI.decode()}'>x</a></html>", (), BY_CONTENT),
        Case(
            68,
            "a picture in a page",
            _PAGE,
            "<html><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='></html>",
            (),
            None,
        ),
        Case(
            69,
            "a program as a picture in the text",
            f"Content-Type: image/png\nContent-Disposition: inline\nContent-ID: <a@b.example>\n{CTE}: base64",
            b64(EXE),
            (),
            PROGRAM,
        ),
        Case(
            69,
            "a name that is inline",
            "Content-Type: image/png\nContent-Disposition: inline; filename=x.exe",
            "x",
            (),
            NAMED,
        ),
        attached(70, "picture and zip", PNG + zip_of({"x.exe": EXE}), INSIDE, "a.png"),
        attached(
            70,
            "GIF and jar",
            b"GIF89a" + bytes(90) + zip_of({"META-INF/MANIFEST.MF": b"x", "a.jar": b"x"}),
            "member:application/java-archive",
        ),
        attached(70, "picture and HTA", _GIF + b"<HTA:Application>", _HTA, "a.gif"),
        attached(70, "picture and script", _GIF + bytes(3000) + b"<script src=x>", _HTA, "a.gif"),
        attached(70, "a picture that speaks of scripts", _GIF + b"<scripture> <hta:a>", None, "a.gif"),
        attached(70, "PDF and zip", PDF + zip_of({"x.exe": EXE}), INSIDE, "a.pdf"),
        attached(70, "PDF behind something", b"junk" * 20 + documents.pdf(b"<</S/Launch/F(cmd)>>"), "active:launch"),
    ]


def _calendars_and_links() -> list[Case]:
    calendar = b"BEGIN:VCALENDAR\r\nATTACH;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=x.exe:%s\r\nEND:VCALENDAR\r\n"
    card = b"BEGIN:VCARD\r\nPHOTO;ENCODING=b;TYPE=JPEG:%s\r\nEND:VCARD\r\n"
    link = "https://files.example/d/x.exe?download=1"
    return [
        attached(71, "file in a calendar", calendar % base64.b64encode(EXE), INSIDE, "a.ics"),
        attached(71, "program as a photo", card % base64.b64encode(EXE), BY_CONTENT, "a.vcf"),
        attached(71, "a photo", card % base64.b64encode(PNG), None, "a.vcf"),
        Case(72, "a link to a program", _PAGE, f"<html><a href='{link}'>x</a></html>", (), None),
        Case(72, "a link in a text", "Content-Type: text/plain", link, (), None),
        Case(72, "a picture of a code", f"Content-Type: image/png; name=qr.png\n{CTE}: base64", b64(PNG), (), None),
    ]


CASES = [
    *_tnef(),
    *_smime(),
    *_office(),
    *_formulas(),
    *_rtf_and_pdf(),
    *_pages(),
    *_xml(),
    *_in_pages_and_pictures(),
    *_calendars_and_links(),
]
