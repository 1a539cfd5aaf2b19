"""What is inside documents and mail, and what they do when they are opened."""

import base64
import subprocess
import zlib
from pathlib import Path

import pytest

from services.screener.containers.budget import Limits
from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.member import Sign
from services.screener.rules import compile_rules
from services.screener.screening import screen
from shared.config.model import Rules
from shared.model import Action, Direction
from tests.support import archive_samples as archives
from tests.support import document_samples as documents
from tests.support.mail_samples import EXE, HEAD, TEXT, attachment, b64, crlf, multipart, with_exe
from tests.support.programs import needed

EXE_TYPE = "application/x-msdownload"
RULES = compile_rules(Rules(), Direction.INBOUND)


def names(contents: Contents) -> set[str]:
    return {name for inside in contents.inside for name in inside.names}


def has_program(contents: Contents) -> bool:
    return any(one.type == EXE_TYPE for inside in contents.inside for one in inside.detected)


DATA_URI = b"data:application/octet-stream;base64," + base64.b64encode(EXE)
CALENDAR = (
    b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nATTACH;FMTTYPE=application/x-msdownload;ENCODING=BASE64;VALUE=BINARY;\r\n"
    b" X-FILENAME=plan.exe:" + b"\r\n ".join(base64.b64encode(EXE)[n : n + 70] for n in range(0, 1040, 70))
) + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
NATIVE = documents.native(b"evil.exe", EXE)


@pytest.mark.parametrize(
    ("document", "name"),
    [
        pytest.param(documents.compound({"ObjectPool/_1/\x01Ole10Native": NATIVE}), "evil.exe", id="package"),
        pytest.param(
            documents.compound({"ObjectPool/_1/\x01Ole10Native": documents.native(b"big.exe", EXE * 9)}),
            "big.exe",
            id="package in sectors",
        ),
        pytest.param(documents.outlook("größe.exe", EXE), "größe.exe", id="msg"),
        pytest.param(documents.tnef(b"EVIL~1.EXE", EXE), "EVIL~1.EXE", id="tnef"),
        pytest.param(documents.tnef(b"E.TXT", EXE, "größe.exe"), "größe.exe", id="tnef, long name"),
        pytest.param(documents.rtf(NATIVE[4:]), "evil.exe", id="rtf package"),
        pytest.param(documents.rtf(documents.compound({"\x01Ole10Native": NATIVE}), b"X.1"), "evil.exe", id="rtf ole"),
        pytest.param(documents.rtf(EXE, b"X.1"), None, id="rtf"),
        pytest.param(documents.rtf(EXE, b"X.1").replace(b"objdata ", b"objdata0 "), None, id="rtf, a number"),
        pytest.param(documents.rtf(EXE, b"X.1").replace(b"objdata ", b"objdata"), None, id="rtf, no space"),
        pytest.param(documents.onenote(b"text", EXE), None, id="onenote"),
        pytest.param(documents.onenote(EXE, name="größe.exe", source="C:\\a\\b.txt"), "größe.exe", id="onenote, named"),
        pytest.param(documents.onenote(EXE, name="a.txt", source="Z:\\x.hta"), "Z:\\x.hta", id="onenote, its source"),
        pytest.param(documents.pdf(documents.embedded(EXE)), None, id="pdf"),
        pytest.param(documents.pdf(documents.embedded(EXE, packed=False)), None, id="pdf, not packed"),
        pytest.param(
            documents.pdf(documents.embedded(EXE).replace(b"/Embedded", b"/Em#62edded")), None, id="pdf, escaped"
        ),
        pytest.param(b"<html><body><a href='" + DATA_URI + b"'>x</a>", None, id="html"),
        pytest.param(
            b"\xff\xfe" + (b"<html><a href='" + DATA_URI + b"'>").decode().encode("utf-16-le"), None, id="utf-16"
        ),
        pytest.param(b"<svg><image href='" + DATA_URI + b"'/></svg>", None, id="svg"),
        *(
            pytest.param(b"<html><a href='" + address + b"'>x</a>", None, id=f"html, {name}")
            for name, address in (
                ("upper case", DATA_URI.replace(b"data:", b"DATA:").replace(b"base64,", b"BASE64,")),
                ("a letter by its number", DATA_URI.replace(b"data:", b"&#100;ata:")),
                ("a named colon", DATA_URI.replace(b"data:", b"data&colon;")),
                ("a line end inside", DATA_URI.replace(b"data:", b"da\r\nta:")),
                ("a tab by its number", DATA_URI.replace(b"data:", b"da&#x9;ta:")),
                ("a space", DATA_URI.replace(b";base64", b"; base64")),
                ("quotes", DATA_URI.replace(b";base64", b';name="x.exe";base64')),
                ("percent signs", b"data:a/b," + b"".join(b"%%%02x" % octet for octet in EXE[:99])),
            )
        ),
        pytest.param(b"<a download=evil.exe href='" + DATA_URI + b"'>", "evil.exe", id="html, saved as"),
        pytest.param(CALENDAR, "plan.exe", id="calendar"),
        pytest.param(
            CALENDAR.replace(b"ATTACH;", b'ATTACH;X-A="a:b";'), "plan.exe", id="calendar, a colon in a parameter"
        ),
        pytest.param(
            b"BEGIN:VCARD\r\nitem1.PHOTO;ENCODING=b:" + base64.b64encode(EXE) + b"\r\n", None, id="card, a group"
        ),
        pytest.param(b"BEGIN:VCARD\r\nPHOTO:" + DATA_URI + b"\r\n", None, id="card, an address"),
        pytest.param(archives.zip_of({"a.eml": with_exe("evil.exe")}), "evil.exe", id="mail in zip"),
        pytest.param(
            archives.zip_of(
                {
                    "[Content_Types].xml": b"<Types/>",
                    "word/embeddings/oleObject1.bin": documents.compound({"\x01Ole10Native": NATIVE}),
                }
            ),
            "evil.exe",
            id="docx",
        ),
    ],
)
def test_the_file_inside_is_seen(document: bytes, name: str | None) -> None:
    contents = look_inside(document)
    assert has_program(contents)
    assert name is None or name in names(contents)
    assert not {sign for sign in contents.signs if sign.startswith("container:")}


RELS = (
    b'<Relationships><Relationship Id="1" Type="http://x/attachedTemplate" Target="http://a.example/b.dotm"'
    b' TargetMode="External"/></Relationships>'
)
LINK = RELS.replace(b"attachedTemplate", b"hyperlink")
NAMED_FILE = b"<</Type/Filespec/F(run.exe)/EF<</F 2 0 R>>>>"


@pytest.mark.parametrize(
    ("document", "sign"),
    [
        pytest.param(documents.compound({"Macros/VBA/_VBA_PROJECT": b"x"}), Sign.MACRO, id="vba"),
        pytest.param(documents.compound({"Workbook": b"\x85\0\7\0\0\0\0\0\0\1a"}), Sign.MACRO, id="excel 4 macros"),
        pytest.param(documents.compound({"Workbook": b"\x2f\0\2\0\0\0"}), Sign.ENCRYPTED, id="xls with a password"),
        pytest.param(documents.compound({"WordDocument": bytes(11) + b"\1" + bytes(20)}), Sign.ENCRYPTED, id="doc"),
        pytest.param(
            documents.compound({"Current User": bytes(12) + b"\xdf\xc4\xd1\xf3"}),
            Sign.ENCRYPTED,
            id="ppt with a password",
        ),
        pytest.param(documents.compound({"EncryptedPackage": bytes(5000)}), Sign.ENCRYPTED, id="docx with a password"),
        pytest.param(archives.zip_of({"word/vbaProject.bin": b"x"}), Sign.MACRO, id="docm"),
        pytest.param(archives.zip_of({"xl/macrosheets/sheet1.xml": b"x"}), Sign.MACRO, id="xlsm"),
        pytest.param(archives.zip_of({"Basic/Standard/Module1.xml": b"x"}), Sign.MACRO, id="odt with macros"),
        pytest.param(
            archives.zip_of({"META-INF/manifest.xml": b"<manifest:encryption-data/>"}),
            Sign.ENCRYPTED,
            id="odt password",
        ),
        pytest.param(archives.zip_of({"word/_rels/settings.xml.rels": RELS}), Sign.REMOTE, id="template"),
        pytest.param(
            archives.zip_of({"xl/externalLinks/externalLink1.xml": b"<ddeLink ddeService='cmd'/>"}),
            Sign.REMOTE,
            id="dde",
        ),
        *(
            pytest.param(archives.zip_of({"word/_rels/settings.xml.rels": rels}), Sign.REMOTE, id=f"template, {name}")
            for name, rels in (
                ("spaces", RELS.replace(b"TargetMode=", b"TargetMode = ")),
                ("a letter by its number", RELS.replace(b'"External', b'"&#69;xternal')),
                ("utf-16", RELS.decode().encode("utf-16")),
                ("another document", RELS.replace(b"attachedTemplate", b"subDocument")),
            )
        ),
        *(
            pytest.param(archives.zip_of({"word/document.xml": field}), Sign.REMOTE, id=f"DDE, {name}")
            for name, field in (
                ("a field", b'<w:instrText xml:space="preserve"> DDEAUTO c:\\cmd.exe "/k"</w:instrText>'),
                ("cut into runs", b"<w:instrText>DD</w:instrText><w:x/><w:instrText>EAUTO cmd</w:instrText>"),
                ("a simple field", b'<w:fldSimple w:instr="DDE cmd x"/>'),
            )
        ),
        *(
            pytest.param(archives.zip_of({"[Content_Types].xml": kind}), Sign.MACRO, id=f"macros elsewhere, {kind!r}")
            for kind in (b"application/vnd.ms-office.vbaProject", b"application/vnd.ms-excel.macrosheet+xml")
        ),
        pytest.param(b"\x09\x04\x06\0\0\0\x40\0\0\0", Sign.MACRO, id="a macro sheet of Excel 4"),
        pytest.param(b"\x09\x02\x06\0\0\0\x40\0\0\0", Sign.MACRO, id="a macro sheet of Excel 3"),
        pytest.param(b"\x09\0\x04\0\0\0\x40\0", Sign.MACRO, id="a macro sheet of Excel 2"),
        pytest.param(
            b"ActiveMime" + bytes(40) + zlib.compress(documents.compound({"VBA/_VBA_PROJECT": b"x"})),
            Sign.MACRO,
            id="macros of a web archive",
        ),
        pytest.param(b"{\\rtf1{\\*\\template http://a.example/b.dot}}", Sign.REMOTE, id="rtf template"),
        pytest.param(
            b"{\\rtf1{\\*\\template \\u104?\\'74tp:\\u47?/a.example/b}}", Sign.REMOTE, id="rtf template by numbers"
        ),
        pytest.param(b"{\\rtf1{\\field{\\*\\fldinst DDEAUTO cmd}}}", Sign.REMOTE, id="rtf DDE"),
        pytest.param("\ufeff<svg onload='x()'/>".encode("utf-16-le"), Sign.SCRIPTED_IMAGE, id="svg, utf-16"),
        pytest.param(b"<svg><a onfocus=x()></svg>", Sign.SCRIPTED_IMAGE, id="svg onfocus"),
        pytest.param(
            b"<?xml?><!--" + b"x" * 6000 + b"--><svg><script>x</script></svg>", Sign.SCRIPTED_IMAGE, id="svg, far down"
        ),
        pytest.param(b"<s:svg><s:script>x</s:script></s:svg>", Sign.SCRIPTED_IMAGE, id="svg, prefix"),
        pytest.param(
            archives.zip_of({"a.eml": with_exe().replace(b"boundary=", b"boundary=x; boundary=")}),
            Sign.MALFORMED,
            id="ambiguous mail in zip",
        ),
        pytest.param(b"<svg>" + b"data:a/b,x " * 1100, Sign.OVER_LIMIT, id="very many addresses"),
        pytest.param(b"{\\rtf1" + b"{\\objdata 00}" * 600 + b"\\object", Sign.OVER_LIMIT, id="very many objects"),
        pytest.param(bytes.fromhex("308006092a864886f70d010702a0803080"), Sign.MALFORMED, id="cms cut off"),
        pytest.param(b"{\\rtf1{\\object\\objupdate\\objautlink}}", Sign.REMOTE, id="rtf link"),
        pytest.param(documents.pdf(b"<</S/Launch/F(cmd)>>"), Sign.LAUNCH, id="launch"),
        pytest.param(documents.pdf(b"<</S/L#61unch/F(cmd)>>"), Sign.LAUNCH, id="launch, escaped"),
        pytest.param(documents.pdf(compressed=b"1 0 <</S/Launch/F(cmd)>>"), Sign.LAUNCH, id="launch, compressed"),
        pytest.param(documents.pdf(b"<</S/JavaScript/JS(app.alert)>>"), Sign.SCRIPT, id="script"),
        pytest.param(
            b"<html><script>b=new Blob([atob(x)]);URL.createObjectURL(b)</script>", Sign.SMUGGLING, id="smuggling"
        ),
        pytest.param(b"<?xml?><svg onload='x()'></svg>", Sign.SCRIPTED_IMAGE, id="svg onload"),
        pytest.param(b"<svg><script>x()</script></svg>", Sign.SCRIPTED_IMAGE, id="svg script"),
        pytest.param(documents.tnef(b"a", b"b")[:-5], Sign.MALFORMED, id="tnef cut off"),
        pytest.param(documents.compound({"a": b"b"})[:300], Sign.MALFORMED, id="compound cut off"),
    ],
)
def test_what_a_document_says_of_itself(document: bytes, sign: Sign) -> None:
    assert look_inside(document).signs == {sign}


@pytest.mark.parametrize(
    "document",
    [
        documents.compound(
            {"WordDocument": bytes(8000), "1Table": bytes(100), "Workbook": b"\x0a\0\0\0\x2f\0\2\0\0\0"}
        ),
        archives.zip_of({"word/document.xml": b"<w/>", "word/_rels/document.xml.rels": LINK}),
        documents.pdf(b"<</Type/Catalog>>", b"<</S/URI/URI(http://a.example/Launcher)>>"),
        b"<html><body><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='></body></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'><path d='M0 0'/></svg>",
        b"{\\rtf1\\ansi{\\object\\objemb}}",
        b"{\\rtf1{\\*\\template C:\\\\Normal.dotm}{\\field{\\*\\fldinst PAGE}} DDE}",
        archives.zip_of({"word/document.xml": b"<w:instrText> PAGE </w:instrText><w:t> DDE x</w:t>"}),
        archives.zip_of({"[Content_Types].xml": b"<Types><Default ContentType='application/xml'/></Types>"}),
        b"\x09\x04\x06\0\0\0\x10\0\0\0",
        b"<html><p>Data: 12/03/2024, ore 10&#39;</p><svg/><b onclick=x></html>",
        documents.onenote(b"some text"),
        documents.onenote(b"some text", name="a.txt", source="C:\\a.txt"),
    ],
)
def test_ordinary_documents_have_no_sign(document: bytes) -> None:
    assert look_inside(document).signs == frozenset()


def test_names_of_files_in_a_pdf_are_seen_and_addresses_are_none() -> None:
    assert names(look_inside(documents.pdf(NAMED_FILE))) == {"run.exe"}
    assert names(look_inside(documents.pdf(compressed=b"1 0 " + NAMED_FILE))) == {"run.exe"}
    form = NAMED_FILE.replace(b"run.exe", b"http://www.example.com")
    assert names(look_inside(documents.pdf(form))) == set()


def test_text_far_from_the_name_of_a_file_in_onenote_is_none() -> None:
    text = "www.example.com".encode("utf-16-le") + b"\0\0"
    section = documents.onenote(b"x", name="a.txt", source="C:\\a.txt") + len(text).to_bytes(4, "little") + text
    assert names(look_inside(section)) == {"a.txt", "C:\\a.txt"}


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (("t\0\0\0", "t\0\0\0"), True),
        (("t\0\0\0", "t\0x\0"), False),
        (("a\0", "\x01\0"), False),
        (("a\0", "\0\xd8"), False),
    ],
)
def test_what_is_no_string_is_no_name_of_a_file_in_onenote(change: tuple[str, str], seen: bool) -> None:
    old, new = (text.encode("latin-1") for text in change)
    section = documents.onenote(b"x", name="a.txt", source="").replace(old, new, 1)
    assert any(name.endswith(".txt") for name in names(look_inside(section))) is seen


def test_names_in_onenote_stand_behind_their_property_and_are_not_endless() -> None:
    text = "a.exe".encode("utf-16-le") + b"\0\0"
    section = documents.onenote(b"x")
    assert names(look_inside(section[:100] + len(text).to_bytes(4, "little") + text + section[100:])) == set()
    long = f"{'a' * 600}.exe"
    assert long not in names(look_inside(documents.onenote(b"x", name=long, source="b")))


def test_very_many_files_in_onenote_are_over_the_limit() -> None:
    assert look_inside(documents.onenote(*[b"x"] * 999)).signs == frozenset()
    assert look_inside(documents.onenote(*[b"x"] * 1001)).signs == {Sign.OVER_LIMIT}


def test_attachments_of_a_message_attached_to_an_outlook_message() -> None:
    outer, inner = "__attach_version1.0_#00000000/", "__attach_version1.0_#00000001/__substg1.0_"
    nested = {
        f"{outer}__substg1.0_3701000D/{inner}3707001F": "größe.exe".encode("utf-16-le"),
        f"{outer}__substg1.0_3701000D/{inner}37010102": EXE,
        f"{outer}__substg1.0_3001001F": "letter".encode("utf-16-le"),
    }
    contents = look_inside(documents.compound(nested))
    assert "größe.exe" in names(contents)
    assert has_program(contents)


def test_a_windows_installer_by_its_class() -> None:
    root = bytes.fromhex("84100c0000000000c000000000000046")
    assert "installer.msi" in names(look_inside(documents.compound({"a": b"b"}, root)))


SIGNING = [
    pytest.param(["-outform", "DER"], id="der"),
    pytest.param(["-outform", "DER", "-stream"], id="in pieces, without lengths"),
]


@pytest.mark.parametrize("options", SIGNING)
def test_what_openssl_signs_is_unwrapped(options: list[str], tmp_path: Path) -> None:
    needed("openssl")
    (tmp_path / "in.eml").write_bytes(with_exe("evil.exe") + b"padding\r\n" * 3000)
    request = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=a",
        "-keyout",
        "k",
        "-out",
        "c",
    ]
    subprocess.run(request, cwd=tmp_path, check=True, stderr=subprocess.DEVNULL)
    sign = [
        "openssl",
        "cms",
        "-sign",
        "-nodetach",
        "-binary",
        "-in",
        "in.eml",
        "-signer",
        "c",
        "-inkey",
        "k",
        "-out",
        "p7m",
    ]
    subprocess.run([*sign, *options], cwd=tmp_path, check=True)
    signed = (tmp_path / "p7m").read_bytes()
    contents = look_inside(signed)
    assert "evil.exe" in names(contents)
    assert has_program(contents)
    message = crlf(
        f"{HEAD}Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\n"
        f"Content-Transfer-Encoding: base64\n\n{b64(signed)}\n"
    )
    ruling = screen(message, RULES).ruling
    assert ruling.action is Action.QUARANTINE
    assert ruling.reasons == ("member:exe",)


@pytest.mark.parametrize(
    ("document", "name", "reason"),
    [
        (documents.tnef(b"a.exe", EXE), "winmail.dat", "member:exe"),
        (documents.compound({"Macros/VBA/dir": b"x"}), "a.doc", "active:macro"),
        (documents.pdf(b"<</S/Launch/F(cmd)>>"), "a.pdf", "active:launch"),
        (documents.pdf(b"<</S/JavaScript/JS(x)>>"), "a.pdf", None),
    ],
)
def test_the_whole_attachment_is_stripped(document: bytes, name: str, reason: str | None) -> None:
    ruling = screen(multipart([TEXT, attachment(name, document)]), RULES).ruling
    assert ruling.action is (Action.STRIP if reason else Action.PASS)
    assert ruling.reasons == ((reason,) if reason else ())
    assert screen(
        multipart([TEXT, attachment(name, document)]), RULES._replace(suspicious=Action.PASS)
    ).ruling.action is (Action.STRIP if reason and reason.startswith("member") else Action.PASS)


def test_objects_that_unpack_to_very_much_are_over_the_limit() -> None:
    assert Sign.OVER_LIMIT in look_inside(documents.pdf(compressed=bytes(40_000_000))).signs
    assert Sign.OVER_LIMIT in look_inside(documents.pdf(documents.embedded(bytes(40_000_000))), limits=Limits()).signs
