"""Rows 44 to 56: names that hide what opens a file."""

from services.screener.mime.anomaly import Anomaly
from tests.catalogue.case import CTE, NAMED, PROGRAM, Case
from tests.support.mail_samples import EXE, b64

_BODY = "x"
_CD = "Content-Disposition: attachment"
_PNG = "Content-Type: image/png"


def _params() -> list[Case]:
    both = [
        ("type banned", f"{_PNG}; name=x.exe\n{_CD}; filename=x.png"),
        ("disposition banned", f"{_PNG}; name=x.png\n{_CD}; filename=x.exe"),
        ("filename on the type", f"{_PNG}; filename=x.exe"),
        ("name on the disposition", f"{_CD}; name=x.exe"),
    ]
    twice = [
        ("two parameters", f"{_CD}; filename=a.png; filename=a.exe"),
        ("two parameters, first", f"{_CD}; filename=a.exe; filename=a.png"),
        ("two fields", f"{_CD}; filename=a.png\n{_CD}; filename=a.exe"),
        ("two fields, first", f"{_CD}; filename=a.exe\n{_CD}; filename=a.png"),
        ("joined", f"{_CD}; filename=a.; filename=exe"),
    ]
    sections = [
        ("beside a plain one", f"{_CD}; filename=file.png; filename*1=exe; filename*0=file."),
        ("from one", f"{_CD}; filename*1=a.; filename*2=exe"),
        ("a gap", f"{_CD}; filename*0=a.; filename*5=exe"),
        ("reversed", f"{_CD}; filename*1=exe; filename*0=a."),
        ("as they come", f"{_CD}; filename*1=a.; filename*0=exe"),
        ("leading zero", f"{_CD}; filename*00=a.; filename*01=exe"),
        ("encoded and not", f"{_CD}; filename*0*=utf-8''a%2E; filename*1=exe"),
        ("extended and plain", f"{_CD}; filename=a.png; filename*=utf-8''a.exe"),
    ]
    language = [
        ("language", f"{_CD}; filename*=utf-8'en-US'payload.exe"),
        ("empty", f"{_CD}; filename*=''payload.exe"),
        ("no quotes", f"{_CD}; filename*=payload.exe"),
        ("quoted", f"{_CD}; filename*=\"utf-8'en'payload%2Eexe\""),
    ]
    sections += [
        ("a space before the star", f"{_CD}; filename *=utf-8''x%2Eexe"),
        ("spaces before the numbers", f"{_CD}; filename* 0=x.; filename* 1=exe"),
        ("a section of a section", f"{_CD}; filename*0*0=x.exe"),
        ("a negative number", f"{_CD}; filename*-1=x.exe"),
        ("long numbers", f"{_CD}; filename*00000=x.; filename*00001=exe"),
        ("a charset in each", f"{_CD}; filename*0*=utf-8''x%2E; filename*1*=utf-8''exe"),
    ]
    both += [
        ("no disposition", "Content-Disposition: filename=x.exe"),
        ("no semicolon", "Content-Disposition: attachment filename=x.exe"),
        ("a comma", 'Content-Disposition: attachment, filename="x.exe"'),
        ("a colon", "Content-Disposition: attachment: filename=x.exe"),
        ("a type and no semicolon", "Content-Type: application/octet-stream name=x.exe"),
        ("a type and a tab", 'Content-Type: application/octet-stream\tname="x.exe"'),
        ("a space between parameters", f"{_CD}; size=3 filename=x.exe"),
        ("a line end between parameters", f"{_CD};\n\tsize=3\n\tfilename=x.exe"),
        ("text after the quotes", f'{_CD}; filename="x.exe"a.png'),
        ("a semicolon inside", f'{_CD}; filename="x.exe;a.png"'),
        ("a fold inside", f'{_CD}; filename="x.e\n xe"'),
    ]
    rows = ((44, both), (45, twice), (46, sections), (48, language))
    return [Case(row, name, fields, _BODY) for row, cases in rows for name, fields in cases]


def _words() -> list[Case]:
    def word(charset: str, octets: bytes) -> str:
        return f"=?{charset}?B?{b64(octets)}?="

    words = [
        "=?utf-8?B?YS5leGU=?=",
        "=?utf-8?Q?a=2Eexe?=",
        "=?utf-8*en?Q?a=2Eexe?=",
        "a.=?us-ascii?Q?ex?= =?us-ascii?Q?e?=",
        "=?utf-8?B?YS5leGU?=",
        word("utf-16", "a.exe".encode("utf-16")),
        word("utf-16", "a.exe".encode("utf-16-le")),
        word("utf-16", "a.exe".encode("utf-16-be")),
        word("utf-16le", "a.exe".encode("utf-16-be")),
        word("utf-16be", "a.exe".encode("utf-16-le")),
        word("utf-32", "a.exe".encode("utf-32-be")),
        word("utf-7", b"a+AC4-exe"),
        "=?utf-8?B?YS5leGU=",
        "=??B?YS5leGU=?=",
        "=?utf-8?Q?=3D=3Futf-8=3FB=3FYS5leGU=3D=3F=3D?=",
    ]
    charsets = [
        "=?utf-7?Q?a+AC4-exe?=",
        "=?no-such?Q?a=2Eexe?=",
        "a%2Eexe",
        "a%252Eexe",
        "a.%65x%65",
        "a&#46;exe",
        "a.&#x65;xe",
        "a+AC4-exe",
        "a\udcc0\udcaeexe",
        "a\udce0\udc80\udcaeexe",
    ]
    return [
        Case(row, name, f'{_CD}; filename="{name}"', _BODY)
        for row, names in ((47, words), (49, charsets))
        for name in names
    ]


def _forms() -> list[Case]:
    endings = [
        "a.exe.", "a.exe . .", "a.exe\u00a0", "a.exe%20", "a.exe::$DATA", "a.exe:x.png", "..\\\\..\\\\a.exe", "dir/a.exe", "a.exe/",
        "a.ex\te", "a.exe%00.png",
    ]  # fmt: skip
    invisible = ["annexe\u202efdp.exe", "a.e\u200bxe", "a.ex\u00ade", "a.\u2066exe", "a.exe\u200f", "a.ex\U000e0065e"]
    drawn = ["a\uff0eexe", "a\ufe52exe", "a\u2024exe", "a\u3002exe", "a.\uff45\uff58\uff45"]
    long = [
        f"invoice.pdf{' ' * 80}.exe",
        "invoice.pdf.exe",
        f"{'a' * 250}.exe",
        "a.exe.{20D04FE0-3AEA-1069-A2D8-08002B30309D}",
    ]
    rows = ((50, endings), (51, invisible), (52, drawn), (53, long))
    return [
        *(
            Case(
                row,
                f"{name[:40]!a}",
                f'{_CD}; filename="{name}"',
                _BODY,
                (),
                "name:deceptive" if "{" in name else NAMED,
            )
            for row, names in rows
            for name in names
        ),
        Case(50, "NUL", f'{_CD}; filename="a.exe\0.png"', _BODY, (Anomaly.NUL,)),
        Case(
            51, "an override that hides nothing", f'{_CD}; filename="annexe\u202efdp.txt"', _BODY, (), "name:deceptive"
        ),
        Case(51, "a tag character", f'{_CD}; filename="a.p\U000e0064df"', _BODY, (), "name:deceptive"),
        Case(51, "a mark inside the ending", f'{_CD}; filename="a.p\u200bdf"', _BODY, (), "name:deceptive"),
        Case(51, "a mark that Hebrew needs", f'{_CD}; filename="\u05d0\u200f.pdf"', _BODY, (), None),
    ]


def _identity() -> list[Case]:
    base64 = f"{CTE}: base64"
    return [
        Case(54, "no ending", f"Content-Type: application/octet-stream; name=invoice\n{base64}", b64(EXE), (), PROGRAM),
        Case(54, "another ending", f"Content-Type: application/pdf; name=x.pdf\n{base64}", b64(EXE), (), PROGRAM),
        Case(54, "a banned type", "Content-Type: application/x-msdownload; name=invoice", _BODY, (), "type:application/x-msdownload"),
        Case(54, "an image by type", "Content-Type: image/png; name=x.exe", _BODY),
        *(
            Case(55, name, f"{_CD}; filename={name}", _BODY, (), f"extension:{name.partition('.')[2].lower()}")
            for name in (
                "a.ex_", "a.appref-ms", "a.scr", "a.command", "a.terminal", "a.inetloc", "a.desktop", "a.run", "a.AppImage",
                "a.settingcontent-ms", "a.lnk", "a.url", "a.library-ms", "a.pif", "a.workflow",
            )
        ),
        *(
            Case(55, f"a.{ending}", f"{_CD}; filename=a.{ending}", _BODY, (), f"extension:{ending}")
            for ending in ("appcontent-ms", "deskthemepack", "diagcfg", "diagpkg", "dmg", "dqy", "ocx", "oqy", "rqy", "theme", "themepack", "xht")
        ),
        Case(54, "a page without an ending", f"Content-Type: text/html; name=invoice\n{_CD}", "<html>x</html>", (), "type:text/html"),
        *(
            Case(54, f"{kind} without a name, {shown}", f"Content-Type: {kind}\nContent-Disposition: {shown}", content, (), f"type:{kind}")
            for kind, content in (("text/html", "<div>x</div>"), ("image/svg+xml", "<svg/>"), ("application/xhtml+xml", "<p/>"))
            for shown in ("attachment", "ATTACHMENT; size=3", "unknown", "inline\nContent-Disposition: attachment")
        ),
        Case(54, "a program for a text without a name", f"Content-Type: text/plain\n{_CD}", "Windows Registry Editor Version 5.00", (), "content:text/x-ms-regedit"),
        Case(54, "a page in the message", "Content-Type: text/html\nContent-Disposition: inline", "<html>x</html>", (), None),
        Case(54, "a drawing in the message", "Content-Type: image/svg+xml\nContent-Disposition: inline", "<svg/>", (), None),
        Case(54, "a text without a name", f"Content-Type: text/plain\n{_CD}", "x", (), None),
        Case(56, "description", "Content-Type: application/octet-stream\nContent-Description: x.exe", _BODY),
        Case(56, "description beside a name", "Content-Type: image/png; name=x.png\nContent-Description: =?utf-8?Q?x=2Eexe?=", _BODY),
        Case(56, "location", "Content-Type: image/png\nContent-Location: http://a.example/x.exe", _BODY),
        Case(56, "id", "Content-Type: image/png\nContent-ID: <x.exe>", _BODY),
        Case(56, "an id in its form", "Content-Type: image/png\nContent-ID: <x.exe@a.com>", _BODY, (), None),
        Case(56, "the location of a host", "Content-Type: image/png\nContent-Location: http://www.example.com", _BODY, (), None),
        Case(56, "prose that ends in a domain", "Content-Type: image/png\nContent-Description: Logo of example.com", _BODY, (), None),
        Case(56, "description of a text that is attached", f"Content-Type: text/plain\n{_CD}\nContent-Description: x.exe", _BODY),
        Case(56, "description of a text with a name", f"Content-Type: text/plain; name=a.txt\n{_CD}\nContent-Description: example.com", _BODY, (), None),
        Case(56, "description of mail that is attached", f"Content-Type: message/rfc822\n{_CD}\nContent-Description: example.com", "Subject: a\n\nb", (), None),
        Case(56, "the description of a text", "Content-Type: text/plain\nContent-Description: example.com", _BODY, (), None),
    ]  # fmt: skip


CASES = [*_params(), *_words(), *_forms(), *_identity()]
