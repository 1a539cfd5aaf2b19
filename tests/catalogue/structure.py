"""Rows 19 to 29: multiparts and line ends."""

from services.screener.mime.anomaly import Anomaly, Remark
from tests.catalogue.case import CTE, FILE, MIXED, NAMED, PARTS, PROGRAM, Case
from tests.support.mail_samples import EXE, b64

_BAD = (Anomaly.BAD_BOUNDARY,)
_HIDDEN = (Anomaly.HIDDEN_PARTS,)
_OTHER = PARTS.replace("--b", "--c")
_TEXT = "--b\n\nx\n--b--\n"
_MANY = "".join(f"X-{n}: y\n" for n in range(6))
_FOLDED = "X-A: y\n z\n"
_MIXED = "Content-Type: multipart/mixed"


def _boundaries() -> list[Case]:
    longer = (Anomaly.LONGER_DELIMITER,)
    inner = "--b\nContent-Type: multipart/mixed; boundary={}\n\n{}"
    return [
        Case(19, "empty boundary", f'{_MIXED}; boundary=""', PARTS, _BAD),
        Case(19, "blank boundary", f'{_MIXED}; boundary=" "', PARTS, _BAD),
        Case(19, "boundary without a value", f"{_MIXED}; boundary=", PARTS, (Anomaly.BAD_PARAMETER,)),
        Case(20, "trailing space", f'{_MIXED}; boundary="b "', PARTS, _BAD),
        Case(20, "trailing VT", f'{_MIXED}; boundary="b\v"', PARTS, _BAD),
        Case(20, "space after the delimiters", MIXED, PARTS.replace("--b\n", "--b \t\n"), ()),
        *(
            Case(21, f"delimiter{end}", MIXED, PARTS.replace("--b\nContent", f"--b{end}\nContent"), longer)
            for end in ("X", " bar", "-", "=")
        ),
        *(
            Case(
                21,
                f"fields before the type, {name}",
                MIXED,
                PARTS.replace("--b\nContent", f"--bX\n{fields}Content"),
                longer,
            )
            for name, fields in (("many", _MANY), ("folded", _FOLDED))
        ),
        Case(13, "a fold inside the boundary", f'{_MIXED}; boundary="b\n c"', PARTS.replace("--b", "--b c"), _BAD),
        Case(21, "a field before the type", MIXED, PARTS.replace("--b\nContent", "--bX\nX-A: b\nContent"), longer),
        Case(22, "outer boundary inside", MIXED, inner.format("b", PARTS), (Anomaly.REUSED_BOUNDARY,)),
        Case(
            22, "outer end inside", MIXED, inner.format("c", f"--c\n\nx\n--b--\n--c\n{FILE}\n--c--\n--b--\n"), _HIDDEN
        ),
        Case(
            22,
            "the same boundary twice",
            MIXED,
            f"{inner.format('c', _OTHER)}\n{inner.format('c', _OTHER)}\n--b--\n",
            (),
        ),
        Case(23, "no closing delimiter", MIXED, PARTS.replace("--b--\n", ""), (), NAMED, Remark.UNCLOSED),
        Case(
            23,
            "no closing delimiter inside",
            MIXED,
            f"{inner.format('c', _OTHER.replace('--c--', ''))}\n--b--\n",
            (),
            NAMED,
            Remark.UNCLOSED,
        ),
    ]


def _outside() -> list[Case]:
    return [
        Case(24, "parts after the end", MIXED, _TEXT + PARTS, _HIDDEN),
        Case(24, "other parts after the end", MIXED, _TEXT + _OTHER, _HIDDEN),
        Case(24, "an unmarked part after the end", MIXED, f"{_TEXT}--b\n\nMZ\n", _HIDDEN, None),
        Case(24, "a part without a delimiter after the end", MIXED, _TEXT + FILE, _HIDDEN, None),
        Case(24, "parts in the preamble", MIXED, _OTHER + _TEXT, _HIDDEN),
        Case(24, "a part without a delimiter in the preamble", MIXED, FILE + _TEXT, _HIDDEN, None),
        Case(24, "a uuencoded file in the preamble", MIXED, f"{_uu()}{_TEXT}", ()),
        Case(24, "a uuencoded file after the end", MIXED, f"{_TEXT}{_uu()}", ()),
        Case(25, "wrong boundary", f"{_MIXED}; boundary=z", PARTS, _HIDDEN),
        Case(25, "no boundary", _MIXED, PARTS, _HIDDEN),
        Case(25, "no boundary, a part first", _MIXED, f"--c\n{FILE}", _HIDDEN),
        *(
            Case(
                25,
                f"fields before the type, {name}",
                _MIXED,
                PARTS.replace("--b\nContent", f"--b\n{fields}Content"),
                _HIDDEN,
            )
            for name, fields in (("many", _MANY), ("folded", _FOLDED))
        ),
        Case(25, "a very long boundary", f"{_MIXED}; boundary=z", PARTS.replace("--b", f"--{'b' * 300}"), _HIDDEN),
        Case(25, "no boundary, a uuencoded file", _MIXED, _uu(), ()),
    ]


def _misdeclared() -> list[Case]:
    return [
        Case(26, "base64 on a multipart", f"{MIXED}\n{CTE}: base64", b64(PARTS.encode()), (Anomaly.ENCODED_MULTIPART,)),
        Case(26, "base64 declared, parts plain", f"{MIXED}\n{CTE}: base64", PARTS, (Anomaly.ENCODED_MULTIPART,)),
        Case(
            26,
            "quoted-printable on a multipart",
            f"{MIXED}\n{CTE}: quoted-printable",
            PARTS,
            (),
            NAMED,
            Remark.QUOTED_PRINTABLE_MULTIPART,
        ),
        Case(
            26,
            "a name that quoted-printable hides",
            f"{MIXED}\n{CTE}: quoted-printable",
            PARTS.replace("x.exe", "x.=65x=65"),
            (),
        ),
        Case(27, "text with a boundary", "Content-Type: text/plain; boundary=b", PARTS, _HIDDEN),
        Case(27, "text that is parts", "Content-Type: text/plain", PARTS.partition("text\n")[2], _HIDDEN),
        Case(
            27,
            "base64 text that is parts",
            f"Content-Type: text/plain\n{CTE}: base64",
            b64(PARTS.partition("text\n")[2].encode()),
            _HIDDEN,
        ),
        Case(27, "an image that is parts", "Content-Type: image/png", f"x\n{PARTS}", _HIDDEN),
        Case(
            27,
            "a text that quotes parts",
            "Content-Type: text/plain",
            f"look:\n\n{PARTS}",
            (),
            None,
            Remark.PARTS_IN_TEXT,
        ),
    ]


def _uu() -> str:
    return "begin 644 x.exe\n#86)C\n`\nend\n"


def _separators() -> list[Case]:
    header = (Anomaly.HEADER_IN_BODY,)
    stray = (Anomaly.NOT_A_FIELD,)
    top = "From: a@b.example\nSubject: x\n"
    return [
        Case(28, "blank line first", f"\n{MIXED}", PARTS, header, None, whole=True),
        Case(28, "blank line before the type", f"{top}\n{MIXED}", PARTS, header, None, whole=True),
        Case(28, "blank line first, other fields", f"\n{top}{MIXED}", PARTS, header, None, whole=True),
        Case(28, "a line without a colon", f"nonsense\n{MIXED}", PARTS, stray),
        Case(28, "VT line", f"{top}\v\n{MIXED}", PARTS, stray, whole=True),
        Case(28, "white space line", f"{top}X: y\n \n{MIXED}", PARTS, (Anomaly.BLANK_CONTINUATION,), whole=True),
        Case(
            28,
            "no blank line in a part",
            MIXED,
            f"--b\nContent-Type: application/pdf\n{CTE}: base64\n{b64(EXE)}\n--b--\n",
            stray,
            None,
        ),
        Case(
            28,
            "no blank line before the delimiter",
            f"{top}{MIXED}\n{PARTS.partition('text')[2][1:]}".removesuffix("\n"),
            "",
            stray,
            whole=True,
        ),
        Case(28, "a uuencoded file in the header", f"{top}nonsense\n{_uu()}X: y", "text", (), whole=True),
        Case(
            28,
            "LF CRLF",
            f"From: a@b.example\r\nX: y\n\r\n{MIXED}\n",
            PARTS,
            (Anomaly.BARE_LF,),
            None,
            whole=True,
            line_ends=False,
        ),
    ]


def _line_ends() -> list[Case]:
    def crlf(text: str) -> str:
        return text.replace("\n", "\r\n")

    parts = crlf(PARTS)
    top = crlf(f"From: a@b.example\n{MIXED}")
    return [
        Case(
            29,
            "bare CR before a delimiter",
            top,
            parts.replace("\r\n--b\r\nContent", "\r--b\r\nContent"),
            (Anomaly.BARE_CR,),
            None,
            whole=True,
            line_ends=False,
        ),
        Case(
            29,
            "bare LF before a delimiter",
            top,
            parts.replace("\r\n--b\r\nContent", "\n--b\r\nContent"),
            (Anomaly.BARE_LF,),
            whole=True,
            line_ends=False,
        ),
        Case(
            29,
            "bare LF before a field",
            crlf(f"From: a@b.example\nX: y{chr(0)}{MIXED}").replace("\0", "\n"),
            parts,
            (Anomaly.BARE_LF,),
            whole=True,
            line_ends=False,
        ),
        Case(
            29,
            "a blank line of bare LF",
            crlf("From: a@b.example\nX: y") + "\n\n" + crlf(f"{MIXED}\n"),
            parts,
            (Anomaly.BARE_LF,),
            None,
            whole=True,
            line_ends=False,
        ),
        Case(29, "bare CR in a field", "X-Foo: a\rb\nContent-Type: text/plain", "x", (Anomaly.BARE_CR,), None),
        Case(
            29,
            "bare LF before the blank line",
            "From: a@b.example\r\nX: y\n",
            "x",
            (Anomaly.BARE_LF,),
            None,
            whole=True,
            line_ends=False,
        ),
        Case(29, "all lines end with LF", MIXED, PARTS, ()),
    ]


def _nul() -> list[Case]:
    return [
        Case(29, "NUL in a type", "Content-Type: multi\0part/mixed; boundary=b", PARTS, (Anomaly.NUL,)),
        Case(29, "NUL in a text", "Content-Type: text/plain", "a\0b", (Anomaly.NUL,), None),
        Case(29, "NUL in base64", f"Content-Type: image/png\n{CTE}: base64", f"\0{b64(EXE)}", (Anomaly.NUL,), PROGRAM),
    ]


CASES = [*_boundaries(), *_outside(), *_misdeclared(), *_separators(), *_line_ends(), *_nul()]
