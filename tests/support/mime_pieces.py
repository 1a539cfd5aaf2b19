"""Octets of which hostile mail is made, for tests that put them together in any order."""

PIECES = [
    b"--b",
    b"--b--",
    b"--c",
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b";",
    b"=",
    b'"',
    b"(",
    b"\\",
    b"\0",
    b":",
    b"Content-Type: ",
    b"multipart/mixed; boundary=b",
    b'multipart/alternative; boundary="c"',
    b"message/rfc822",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: x\r\n",
    b"Content-Disposition: attachment; ",
    b"filename*0*=utf-8''a%2Eexe",
    b"name=",
    b"a.exe",
    b"=?utf-8?B?YS5leGU=?=",
    b"=?utf-16?B?",
    b"TVqQAAMAAAAEAAAA",
    b"\xff\xe4",
    b"begin 644 a.exe\r\n",
    b"#86)C\r\n",
    b"=ybegin line=1 name=a\r\n",
    b"(This file must be converted with BinHex 4.0)\r\n:",
    b"multipart/digest",
    b"\xc0\xae",
    b"=?utf-7?Q?+AC4-?=",
    b"%",
    b"&#46;",
    b"name=a.eml",
]


def spliced(seed: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    """Return a message with pieces put in, octets taken out, and stretches repeated."""
    for at, length, piece in cuts:
        place = at % (len(seed) + 1)
        seed = seed[:place] + piece + seed[place + length :]
    return seed
