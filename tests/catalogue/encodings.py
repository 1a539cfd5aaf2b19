"""Rows 30 to 35: damaged encodings, and those from before MIME."""

import binascii

from services.screener.mime.anomaly import Anomaly
from tests.catalogue.case import CTE, NAMED, PROGRAM, Case
from tests.support.mail_samples import EXE, PDF, b64

_KIND = "Content-Type: application/octet-stream"
_B64 = f"{_KIND}\n{CTE}: base64"
_LINES = b64(EXE)
_DIFFER = (Anomaly.BAD_BASE64,)
_UNKNOWN = (Anomaly.UNKNOWN_ENCODING,)


def _base64() -> list[Case]:
    pieces = "\n".join(binascii.b2a_base64(EXE[n : n + 2], newline=False).decode() for n in range(0, len(EXE), 2))
    one = _LINES.replace("\n", "")
    return [
        *(
            Case(30, f"{junk} after every octet", _B64, junk.join(one), (), PROGRAM)
            for junk in ("#", ".", "-", "_", "\n", " ", "\u00e9")
        ),
        Case(30, "a pad after every two octets", _B64, pieces, _DIFFER, PROGRAM),
        Case(30, "pads first", _B64, f"====\n{_LINES}", _DIFFER, PROGRAM),
        Case(30, "a text before the pad", _B64, f"{b64(b'text, text, text!!!')}\n{_LINES}", _DIFFER, PROGRAM),
        Case(30, "begin-base64 line", _B64, f"begin-base64 744 x.pdf\n{_LINES}", _DIFFER, PROGRAM),
        Case(
            30,
            "lines of 4 and an X",
            _B64,
            "\n".join(f"{one[n : n + 4]}X" for n in range(0, len(one), 4)),
            (),
            PROGRAM,
        ),
        Case(30, "lines of 3", _B64, b64(EXE, 3), (), PROGRAM),
        Case(30, "blank lines", _B64, b64(EXE).replace("\n", "\n\n\n"), (), PROGRAM),
        Case(30, "one line", _B64, one, (), PROGRAM),
        *(
            Case(31, f"{junk} first", _B64, f"{junk}\n\n{_LINES}", _DIFFER, PROGRAM)
            for junk in ("A", "AB", "ABC", "ABC=", "AA==")
        ),
        Case(31, "junk before a PDF", _B64, f"ABCD\n{b64(PDF)}", (), None),
    ]


def _quoted_printable() -> list[Case]:
    qp = f"{_KIND}\n{CTE}: quoted-printable"
    broken = (Anomaly.BAD_QUOTED_PRINTABLE,)
    return [
        Case(32, "plain", qp, "MZ=90=00=03", (), PROGRAM),
        Case(32, "lower case", qp, "MZ=90=00=03=0a".lower().replace("mz", "MZ"), (), PROGRAM),
        Case(32, "broken hex", qp, "MZ=90=00=03=ZZ", broken, PROGRAM),
        Case(32, "a soft break inside an octet", qp, "MZ=9=\n0=00=03", broken, PROGRAM),
        Case(32, "spaces after =", qp, "M=  \nZ=90=00=03", (), PROGRAM),
        Case(32, "broken text", f"Content-Type: text/plain\n{CTE}: quoted-printable", "100 % = all", (), None),
    ]


def _uu(octets: bytes, name: str = "x.exe") -> str:
    lines = [binascii.b2a_uu(octets[n : n + 45], backtick=True).decode() for n in range(0, len(octets), 45)]
    return f"begin 644 {name}\n{''.join(lines)}`\nend\n"


def _yenc(octets: bytes, name: str) -> str:
    coded = bytearray()
    for octet in octets:
        value = (octet + 42) & 255
        coded += bytes((61, (value + 64) & 255)) if value in b"\0\r\n=" else bytes((value,))
    lines = [bytes(coded[n : n + 128]) for n in range(0, len(coded), 128)]
    lines = [line[:-1] + b"=}" if line.endswith(b"=") else line for line in lines]
    text = b"\n".join(lines).decode("utf-8", "surrogateescape")
    return f"=ybegin line=128 size={len(octets)} name={name}\n{text}\n=yend size={len(octets)}\n"


def _binhex(octets: bytes, name: str) -> str:
    alphabet = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
    head = bytes((len(name),)) + name.encode() + b"\0" + b"APPLAPPL" + bytes(2)
    data = head + len(octets).to_bytes(4, "big") + bytes(4) + bytes(2) + octets + bytes(2)
    data = data.replace(b"\x90", b"\x90\0")
    standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    text = binascii.b2a_base64(data, newline=False).decode().rstrip("=").translate(str.maketrans(standard, alphabet))
    lines = "\n".join(text[n : n + 64] for n in range(0, len(text), 64))
    return f"(This file must be converted with BinHex 4.0)\n\n:{lines}:\n"


def _uuencoded() -> list[Case]:
    text = "Content-Type: text/plain"
    return [
        *(
            Case(33, f"encoding {name}", f"{_KIND}\n{CTE}: {name}", _uu(EXE, "x"), _UNKNOWN, PROGRAM)
            for name in ("uuencode", "x-uuencode", "x-uue", "uue", "x-uu")
        ),
        Case(
            33,
            "no begin, no end",
            f"{_KIND}\n{CTE}: x-uuencode",
            _uu(EXE).partition("\n")[2].removesuffix("`\nend\n"),
            _UNKNOWN,
            PROGRAM,
        ),
        Case(33, "a program in a text", text, f"Hi,\n\n{_uu(EXE, 'x.txt')}\nBye\n", (), PROGRAM),
        Case(33, "behind a header", "Content-Type: text/rfc822-headers", f"X: y\n\n{_uu(b'x')}", (), NAMED),
        Case(33, "a named program in a text", text, f"Hi,\n\n{_uu(b'x')}", (), NAMED),
        Case(33, "without an end", text, _uu(EXE).removesuffix("`\nend\n"), (), NAMED),
        *(
            Case(33, f"begin {mode!r}", text, f"Hi,\n\n{_uu(b'x').replace('begin 644 ', f'begin{mode}')}", (), NAMED)
            for mode in ("  644  ", "\t644\t", " 100644 ")
        ),
        Case(33, "begin-base64", text, f"begin-base64 644 x.exe\n{_LINES}\n====\n", (), NAMED),
    ]


def _uuencoded_in_encoded() -> list[Case]:
    text = "Content-Type: text/plain"
    return [
        Case(33, "in a text that is encoded", f"{text}\n{CTE}: base64", b64(_uu(EXE).encode()), (), NAMED),
        Case(
            33,
            "in a quoted-printable text",
            f"{text}\n{CTE}: quoted-printable",
            _uu(EXE).replace("=", "=3D").replace("begin", "=62egin"),
            (),
            NAMED,
        ),
        *(
            Case(
                33,
                f"in {charset}",
                f"{text}; charset={charset}\n{CTE}: base64",
                b64(_uu(EXE).encode(charset)),
                (),
                NAMED,
            )
            for charset in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")
        ),
        Case(
            33,
            "behind a text in UTF-16",
            f"{text}\n{CTE}: base64",
            b64(f"Hi,\r\n\r\n{_uu(b'x')}".encode("utf-16")),
            (),
            NAMED,
        ),
        Case(33, "in UTF-16 as it is", f"{text}\n{CTE}: binary", _uu(b"x").encode("utf-16-be").decode(), (), NAMED),
    ]


def _uuencoded_files() -> list[Case]:
    text = "Content-Type: text/plain"
    return [
        Case(33, "two files", text, f"{_uu(PDF, 'a.pdf')}\n{_uu(EXE)}", (), NAMED),
        Case(33, "behind a begin that is none", text, f"begin 644 times\n{_uu(b'x')}", (), NAMED),
        Case(33, "behind a begin within a line", text, f"they begin 644 times\n{_uu(b'x')}", (), NAMED),
        Case(
            33,
            "before the first one ends",
            text,
            f"{_uu(PDF, 'a.pdf').removesuffix('end' + chr(10))}{_uu(b'x')}",
            (),
            NAMED,
        ),
        Case(33, "a very long name", text, _uu(b"x", f"{'a' * 2000}.exe"), (), NAMED),
        Case(33, "very many files", text, _uu(b"x", "a.txt") * 100 + _uu(b"x"), (Anomaly.LIMIT,), None),
        Case(33, "a sentence that begins so", text, "begin 644 times a day\nand never end\n", (), None),
    ]


def _yenc_and_binhex() -> list[Case]:
    text = "Content-Type: text/plain"
    return [
        Case(34, "encoding x-yencode", f"{_KIND}\n{CTE}: x-yencode", _yenc(EXE, "x"), _UNKNOWN, PROGRAM),
        Case(34, "yEnc in a text", f"{text}\n{CTE}: 8bit", f"Hi\n{_yenc(b'x', 'x.exe')}", (Anomaly.YENC,), NAMED),
        Case(
            34,
            "a program by yEnc in a text",
            f"{text}\n{CTE}: binary",
            f"Hi\n{_yenc(EXE, 'x')}",
            (Anomaly.YENC,),
            PROGRAM,
        ),
        Case(35, "encoding mac-binhex40", f"{_KIND}\n{CTE}: mac-binhex40", _binhex(EXE, "x"), _UNKNOWN, PROGRAM),
        Case(35, "BinHex in a text", text, _binhex(b"x", "x.exe"), (Anomaly.BINHEX,), NAMED),
        Case(35, "a program by BinHex in a text", text, _binhex(EXE, "x"), (Anomaly.BINHEX,), PROGRAM),
        Case(
            35,
            "BinHex as a type",
            "Content-Type: application/mac-binhex40; name=x.hqx",
            _binhex(EXE, "x.exe"),
            (Anomaly.BINHEX,),
            NAMED,
        ),
        Case(35, "encoding x-gzip64", f"{_KIND}\n{CTE}: x-gzip64", _LINES, _UNKNOWN, PROGRAM),
        Case(
            35,
            "multipart/x-foo",
            "Content-Type: multipart/x-foo; boundary=b",
            f"--b\n{_B64}\n\n{_LINES}\n--b--\n",
            (),
            PROGRAM,
        ),
    ]


CASES = [
    *_base64(),
    *_quoted_printable(),
    *_uuencoded(),
    *_uuencoded_in_encoded(),
    *_uuencoded_files(),
    *_yenc_and_binhex(),
]
