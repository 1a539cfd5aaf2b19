"""Rows 1 to 18: fields that programs read differently."""

from services.screener.mime.anomaly import Anomaly, Remark
from tests.catalogue.case import CTE, FILE, MIXED, NAMED, PARTS, PROGRAM, Case
from tests.support.mail_samples import EXE, b64

_KIND = "Content-Type: application/octet-stream"
_LINES = b64(EXE)
_QP = "MZ=90=00=03=00=00=00=04=00=00=00\n"
_HIDDEN = (Anomaly.HIDDEN_PARTS,)


def _encodings() -> list[Case]:
    two = [
        Case(
            1,
            f"{one} then {other}, {body[:6]}",
            f"{_KIND}\n{CTE}: {one}\n{CTE}: {other}",
            body,
            (Anomaly.TWO_ENCODINGS,),
            PROGRAM,
        )
        for one, other, body in (
            ("base64", "quoted-printable", _LINES),
            ("quoted-printable", "base64", _LINES),
            ("7bit", "base64", _LINES),
            ("base64", "7bit", _LINES),
            ("base64", "quoted-printable", _QP),
        )
    ]
    unknown = [
        Case(2 if " " in value.strip() else 3, f"encoding {value!r}", f"{_KIND}\n{CTE}: {value}", body, doubt, PROGRAM)
        for value, body in (
            ("base64, quoted-printable", _LINES),
            ("quoted-printable base64", _LINES),
            ("x-base64", _LINES),
            ("base64;", _LINES),
            ("base64,", _LINES),
            ('"base64"', _LINES),
            ("base\\64", _LINES),
            ("bas()e64", _LINES),
            ("(x)base64", _LINES),
            ("=?UTF-8?B?YmFzZTY0?=", _LINES),
            ("xxbase64", _LINES),
            ("x-quoted-printable", _QP),
            ("gzip", "MZ\udc90\0\3"),
        )
        for doubt in [(Anomaly.UNKNOWN_ENCODING,)]
    ]
    return [
        *two,
        *unknown,
        Case(3, "NUL in an encoding", f"{_KIND}\n{CTE}: base64\0", _LINES, (Anomaly.NUL,), PROGRAM),
        Case(3, "2000 spaces before an encoding", f"{_KIND}\n{CTE}:{' ' * 2000}base64", _LINES, (), PROGRAM),
        Case(4, "folded before the encoding", f"{_KIND}\n{CTE}:\n base64", _LINES, (), PROGRAM),
        Case(4, "folded after spaces", f"{_KIND}\n{CTE}: \n\t  base64", _LINES, (), PROGRAM),
    ]


def _boundaries() -> list[Case]:
    mixed = "Content-Type: multipart/mixed"
    bad = (Anomaly.BAD_BOUNDARY,)
    return [
        Case(5, "text, then multipart", f"Content-Type: text/plain\n{MIXED}", PARTS, (Anomaly.TWO_TYPES,)),
        Case(5, "multipart, then text", f"{MIXED}\nContent-Type: text/plain", PARTS, (Anomaly.TWO_TYPES,)),
        Case(5, "two boundaries in two fields, first used", f"{MIXED}\n{mixed}; boundary=c", PARTS, (Anomaly.TWO_TYPES,)),
        Case(5, "two boundaries in two fields, last used", f"{mixed}; boundary=c\n{MIXED}", PARTS, (Anomaly.TWO_TYPES,)),
        Case(6, "two boundaries, first used", f"{MIXED}; boundary=c", PARTS, (Anomaly.TWO_BOUNDARIES,)),
        Case(6, "two boundaries, last used", f"{mixed}; boundary=c; boundary=b", PARTS, (Anomaly.TWO_BOUNDARIES,)),
        Case(7, "extended boundary", f"{mixed}; boundary*=us-ascii''b", PARTS, bad),
        Case(7, "percent in an extended boundary", f"{mixed}; boundary*=us-ascii''%62", PARTS, bad),
        Case(7, "boundary in sections", f'{mixed}; boundary*0="b"', PARTS, bad),
        Case(
            7,
            "sections out of order",
            f"{mixed}; boundary*1=c; boundary*0=b",
            PARTS.replace("--b", "--bc"),
            bad,
        ),
        Case(7, "a section twice", f"{mixed}; boundary*0=b; boundary*0=c", PARTS, bad),
        Case(7, "beside a plain one", f"{mixed}; boundary=c; boundary*=''b", PARTS, bad),
        Case(8, "encoded word in a boundary", f'{mixed}; boundary="=?us-ascii?Q?b?="', PARTS, bad),
        Case(8, "partly encoded", f'{mixed}; boundary="x=?us-ascii?Q?b?="', PARTS.replace("--b", "--xb"), bad),
        Case(8, "encoded type", "Content-Type: =?us-ascii?Q?application/hta?=", "x", (Anomaly.ENCODED_WORD,), "type:application/hta"),
        Case(
            8,
            "encoded multipart type",
            "Content-Type: =?us-ascii?Q?multipart/mixed?=; boundary=b",
            PARTS,
            (Anomaly.ENCODED_WORD, Anomaly.MALFORMED_TYPE),
        ),
        Case(
            9, "boundary on the disposition", f"{MIXED}\nContent-Disposition: inline; boundary=c", PARTS.replace("--b", "--c"),
            (Anomaly.MISPLACED_BOUNDARY,),
        ),
        Case(
            9, "boundary on the disposition only", f"{mixed}\nContent-Disposition: inline; boundary=b", PARTS,
            (Anomaly.MISPLACED_BOUNDARY,),
        ),
        Case(14, "semicolon in a boundary", f'{mixed}; boundary="b;"', PARTS.replace("--b", "--b;"), bad),
        Case(15, "space after the =", f"{mixed}; boundary= b", PARTS, bad),
        Case(15, "space before the =", f"{mixed}; boundary =b", PARTS, bad),
        Case(15, "line end after the =", f"{mixed}; boundary=\n b", PARTS, bad),
    ]  # fmt: skip


def _names_of_fields() -> list[Case]:
    dirty = (Anomaly.BAD_FIELD_NAME,)
    return [
        Case(10, f"field name {name!r}", f"{name} multipart/mixed; boundary=b", PARTS, dirty)
        for name in (
            "Content-Type(meow):",
            "Content-Type (meow):",
            "(meow)Content-Type:",
            "Content-Type\udce9:",
            "Content-Type;:",
        )
    ] + [
        Case(10, "no colon", f"Content-Type\n{MIXED}", PARTS, dirty),
        Case(15, "space before the colon", "Content-Type : multipart/mixed; boundary=b", PARTS, dirty),
        Case(15, "tab before the colon", "Content-Type\t: multipart/mixed; boundary=b", PARTS, dirty),
        Case(15, "folded field name", "Content-Type\n : multipart/mixed; boundary=b", PARTS, dirty),
        Case(15, "two colons", "Content-Type:: multipart/mixed; boundary=b", PARTS, (Anomaly.MALFORMED_TYPE,)),
        Case(
            15,
            "spaces round the = of a charset",
            'Content-Type: text/plain; charset = "utf-8"',
            "x",
            (),
            None,
            Remark.BROKEN_PARAMETER,
        ),
        Case(15, "spaces round the = of a name", "Content-Type: image/png; name = x.exe", "x", (), NAMED),
    ]


def _values() -> list[Case]:
    mixed, bad = "Content-Type: multipart/mixed", (Anomaly.BAD_PARAMETER,)
    comment = (Anomaly.COMMENT,)
    return [
        Case(11, "comment", f"{mixed}; (x) boundary=b", PARTS, comment),
        Case(11, "comment in a value", f"{mixed}; boundary=(boundary=foo)b", PARTS, comment),
        Case(11, "nested comment", f"{mixed}; boundary=(a(b)c)b", PARTS, comment),
        Case(11, "escaped comment", f"{mixed}; (\\)boundary=c;) boundary=b", PARTS, comment),
        Case(11, "open comment", f"{mixed}; (x; boundary=b", PARTS, comment),
        Case(11, "comment in an encoding", f"{_KIND}\n{CTE}: base64 (x)", _LINES, (Anomaly.UNKNOWN_ENCODING,), PROGRAM),
        Case(11, "comment in a name", "Content-Disposition: attachment; filename=x.(a)exe", "x", (), NAMED),
        Case(12, "colon in a name", f"{mixed}; x:y=1; boundary=b", PARTS, bad),
        Case(12, "8-bit in a name", f"{mixed}; \udce9=1; boundary=b", PARTS, bad),
        Case(12, "no =", f"{mixed}; x y; boundary=b", PARTS, bad),
        Case(12, "before a file name", "Content-Disposition: attachment; x:y=1; filename=x.exe", "x", (), NAMED),
        Case(13, "missing end quote", f'{mixed}; boundary="b', PARTS, bad),
        Case(13, "quote in the middle", f'{mixed}; boundary=b"c"', PARTS, bad),
        Case(13, "only an end quote", f'{mixed}; boundary=b"', PARTS, bad),
        Case(13, "escape", f'{mixed}; boundary="\\b"', PARTS, (Anomaly.BAD_BOUNDARY,)),
        Case(13, "single quotes", f"{mixed}; boundary='b'", PARTS, _HIDDEN),
        Case(13, "text after the quotes", f'{mixed}; boundary="b"c', PARTS, bad),
        Case(13, "a name without its end quote", 'Content-Disposition: attachment; filename="x.exe', "x", (), NAMED),
    ]


def _hidden_fields() -> list[Case]:
    hidden = (Anomaly.HIDDEN_FIELD,)
    return [
        Case(16, "folded field", f"X-Foo: bar\n {MIXED}", PARTS, hidden),
        Case(16, "folded field after a space", f"X-Foo :bar\n\t{MIXED}", PARTS, hidden),
        Case(16, "folded encoding", f"{_KIND}\nX-Foo: bar\n {CTE}: base64", _LINES, hidden, PROGRAM),
        Case(16, "field after a bare CR", f"X-Foo: bar\r{MIXED}", PARTS, (Anomaly.BARE_CR,)),
    ]


def _types() -> list[Case]:
    malformed = (Anomaly.MALFORMED_TYPE,)
    return [
        *(
            Case(17, f"type {kind}", f"Content-Type: {kind}; boundary=b", PARTS, malformed)
            for kind in (
                "multi\\part/mixed",
                '"multipart/mixed"',
                "multipart / mixed",
                "multipart/mixed foo",
                "multipart",
                "/",
                "ulti",
            )
        ),
        *(
            Case(17, f"type {kind} without a boundary", f"Content-Type: {kind}", PARTS, _HIDDEN)
            for kind in ("multiparts/mixed", "x-multipart/mixed", "ulti/mixed", "/", "multipart", "foo")
        ),
        *(
            Case(17, f"type {kind}", f"Content-Type: {kind}; boundary=b", PARTS, _HIDDEN)
            for kind in ("multiparts/mixed", "x-multipart/mixed")
        ),
        Case(17, "a banned type in quotes", 'Content-Type: "application/hta"', "x", (), "type:application/hta"),
        Case(
            17,
            "a banned type without a semicolon",
            "Content-Type: application/hta name=x",
            "x",
            (),
            "type:application/hta",
        ),
        Case(18, "no MIME-Version, no type", "Content-Disposition: attachment; filename=x.exe", "x"),
        Case(
            18,
            "a text with a name",
            FILE.partition("\n\n")[0].replace("application/octet-stream", "text/plain"),
            "eA==",
        ),
        Case(18, "a multipart without MIME-Version", MIXED, PARTS),
    ]


CASES = [*_encodings(), *_boundaries(), *_names_of_fields(), *_values(), *_hidden_fields(), *_types()]
