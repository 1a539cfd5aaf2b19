"""Messages as real programs write them, built as raw octets: nothing here goes through a MIME library."""

import base64

EXE = b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00\xb8" + bytes(range(256)) * 3
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    + bytes(90)
)
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<</Type/Catalog>>\nendobj\n" + bytes(range(128, 256)) * 4


def crlf(text: str) -> bytes:
    """Return text in UTF-8 with CRLF line ends."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def b64(octets: bytes, width: int = 76) -> str:
    """Return base64 in lines of `width`."""
    text = base64.b64encode(octets).decode("ascii")
    return "\n".join(text[n : n + width] for n in range(0, len(text), width))


HEAD = """\
Received: from client.example ([192.0.2.7]) by relay.example.net with ESMTPS id 1; Mon, 21 Sep 2026 10:00:00 +0000
From: "Alice A." <alice@example.org>
To: Bob <bob@example.net>
Subject: =?utf-8?Q?Unterlagen_f=C3=BCr_Dich?=
Date: Mon, 21 Sep 2026 12:00:00 +0200
Message-ID: <1234@client.example>
MIME-Version: 1.0
"""


def attachment(name: str, content: bytes, kind: str = "application/octet-stream") -> str:
    """Return an ordinary base64 attachment part."""
    return (
        f'Content-Type: {kind}; name="{name}"\nContent-Transfer-Encoding: base64\n'
        f'Content-Disposition: attachment; filename="{name}"\n\n{b64(content)}\n'
    )


def multipart(parts: list[str], subtype: str = "mixed", boundary: str = "=_b1", head: str = HEAD) -> bytes:
    """Return a message of the given parts (header and body each, no delimiter)."""
    body = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return crlf(f'{head}Content-Type: multipart/{subtype};\n boundary="{boundary}"\n\n{body}--{boundary}--\n')


TEXT = (
    "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nHallo Bob,\n\nanbei — schöne Grüße\n"
)
HTML = (
    "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
    '<html><body style=3D"margin:0">Hallo <b>Bob</b> <img src=3D"cid:img1@x"></body></html>\n'
)


def with_exe(name: str = "invoice.exe") -> bytes:
    """Return a text with a program attached."""
    return multipart([TEXT, attachment(name, EXE, "application/x-msdownload")])


OUTLOOK = crlf(
    HEAD
    + """\
X-Mailer: Microsoft Outlook 16.0
Content-Language: de
Content-Type: multipart/mixed;
\tboundary="----=_NextPart_000_0012_01DA0B2C.5F7A1C40"

This is a multipart message in MIME format.

------=_NextPart_000_0012_01DA0B2C.5F7A1C40
Content-Type: multipart/related;
\tboundary="----=_NextPart_001_0013_01DA0B2C.5F7A1C40"


------=_NextPart_001_0013_01DA0B2C.5F7A1C40
Content-Type: multipart/alternative;
\tboundary="----=_NextPart_002_0014_01DA0B2C.5F7A1C40"


------=_NextPart_002_0014_01DA0B2C.5F7A1C40
Content-Type: text/plain;
\tcharset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

Hallo Bob, anbei die Unterlagen f=FCr Dich.

------=_NextPart_002_0014_01DA0B2C.5F7A1C40
Content-Type: text/html;
\tcharset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

<html xmlns:o=3D"urn:schemas-microsoft-com:office:office"><body>Hallo <img =
src=3D"cid:image001.png@01DA0B2C.5F7A1C40"></body></html>

------=_NextPart_002_0014_01DA0B2C.5F7A1C40--

------=_NextPart_001_0013_01DA0B2C.5F7A1C40
Content-Type: image/png;
\tname="image001.png"
Content-Transfer-Encoding: base64
Content-ID: <image001.png@01DA0B2C.5F7A1C40>

"""
    + b64(PNG)
    + """

------=_NextPart_001_0013_01DA0B2C.5F7A1C40--

------=_NextPart_000_0012_01DA0B2C.5F7A1C40
Content-Type: application/pdf;
\tname="Angebot 2026.pdf"
Content-Transfer-Encoding: base64
Content-Disposition: attachment;
\tfilename="Angebot 2026.pdf"

"""
    + b64(PDF)
    + """

------=_NextPart_000_0012_01DA0B2C.5F7A1C40--
"""
)

GMAIL = crlf(
    HEAD
    + """\
Content-Type: multipart/mixed; boundary="000000000000a1b2c3061f2e3d4c"

--000000000000a1b2c3061f2e3d4c
Content-Type: multipart/alternative; boundary="000000000000a1b2c1061f2e3d4a"

--000000000000a1b2c1061f2e3d4a
Content-Type: text/plain; charset="UTF-8"
Content-Transfer-Encoding: base64

"""
    + b64("Schöne Grüße, siehe Anhang.\r\n".encode())
    + """
--000000000000a1b2c1061f2e3d4a
Content-Type: text/html; charset="UTF-8"
Content-Transfer-Encoding: quoted-printable

<div dir=3D"ltr">Sch=C3=B6ne Gr=C3=BC=C3=9Fe</div>

--000000000000a1b2c1061f2e3d4a--
--000000000000a1b2c3061f2e3d4c
Content-Type: application/pdf; name="=?UTF-8?B?QW5nZWJvdCBmw7xyIEJvYi5wZGY=?="
Content-Disposition: attachment; filename="=?UTF-8?B?QW5nZWJvdCBmw7xyIEJvYi5wZGY=?="
Content-Transfer-Encoding: base64
Content-ID: <f_lx1y2z3a0>
X-Attachment-Id: f_lx1y2z3a0

"""
    + b64(PDF)
    + "\n--000000000000a1b2c3061f2e3d4c--\n"
)

APPLE = crlf(
    HEAD.replace("MIME-Version: 1.0\n", "")
    + """\
Content-Type: multipart/alternative;
\tboundary="Apple-Mail=_F1E2D3C4-0000-4A4B-8C8D-112233445566"
Mime-Version: 1.0 (Mac OS X Mail 16.0 \\(3774.300.61.1.2\\))
X-Mailer: Apple Mail (2.3774.300.61.1.2)

--Apple-Mail=_F1E2D3C4-0000-4A4B-8C8D-112233445566
Content-Transfer-Encoding: quoted-printable
Content-Type: text/plain;
\tcharset=utf-8

Sch=C3=B6ne Gr=C3=BC=C3=9Fe

--Apple-Mail=_F1E2D3C4-0000-4A4B-8C8D-112233445566
Content-Type: multipart/mixed;
\tboundary="Apple-Mail=_00112233-0000-4A4B-8C8D-112233445566"


--Apple-Mail=_00112233-0000-4A4B-8C8D-112233445566
Content-Transfer-Encoding: 7bit
Content-Type: text/html;
\tcharset=us-ascii

<html><head></head><body>Hallo</body></html>
--Apple-Mail=_00112233-0000-4A4B-8C8D-112233445566
Content-Disposition: inline;
\tfilename*=utf-8''Angebot%20f%C3%BCr%20Bob.pdf
Content-Type: application/pdf;
\tx-unix-mode=0644;
\tname="=?utf-8?Q?Angebot_f=C3=BCr_Bob=2Epdf?="
Content-Transfer-Encoding: base64

"""
    + b64(PDF)
    + """
--Apple-Mail=_00112233-0000-4A4B-8C8D-112233445566--

--Apple-Mail=_F1E2D3C4-0000-4A4B-8C8D-112233445566--
"""
)

THUNDERBIRD = crlf(
    HEAD
    + """\
User-Agent: Mozilla Thunderbird
Content-Type: multipart/mixed; boundary="------------0a1B2c3D4e5F6g7H8i9J0k1L"

This is a multi-part message in MIME format.
--------------0a1B2c3D4e5F6g7H8i9J0k1L
Content-Type: text/plain; charset=UTF-8; format=flowed
Content-Transfer-Encoding: 8bit

Schöne Grüße

-- \nAlice
--------------0a1B2c3D4e5F6g7H8i9J0k1L
Content-Type: application/pdf; name="Angebot.pdf"
Content-Disposition: attachment;
 filename*0*=UTF-8''Angebot%20f%C3%BCr%20Bob%20und%20alle%20anderen%20die%20es;
 filename*1*=%20lesen%20wollen.pdf
Content-Transfer-Encoding: base64

"""
    + b64(PDF)
    + "\n--------------0a1B2c3D4e5F6g7H8i9J0k1L--\n"
)

MUTT = crlf(
    HEAD
    + """\
Content-Type: multipart/signed; micalg=pgp-sha512;
\tprotocol="application/pgp-signature"; boundary="jI8keyz6grp/JLjh"
Content-Disposition: inline
User-Agent: Mutt/2.2.12 (2023-09-09)

--jI8keyz6grp/JLjh
Content-Type: multipart/mixed; boundary="k+w/mQv8wyuph6w0"
Content-Disposition: inline

--k+w/mQv8wyuph6w0
Content-Type: text/plain; charset=utf-8
Content-Disposition: inline
Content-Transfer-Encoding: quoted-printable

see attached

--k+w/mQv8wyuph6w0
Content-Type: text/x-diff; charset=us-ascii
Content-Disposition: attachment; filename="fix.patch"

--- a/x
+++ b/x
@@ -1 +1 @@

--k+w/mQv8wyuph6w0--

--jI8keyz6grp/JLjh
Content-Type: application/pgp-signature; name="signature.asc"

-----BEGIN PGP SIGNATURE-----

iQIzBAABCgAdFiEE
=abcd
-----END PGP SIGNATURE-----

--jI8keyz6grp/JLjh--
"""
)

PLAIN = crlf("From: a@example.org\nTo: b@example.net\nSubject: no MIME at all\n\nHi,\n\n-- \nA\n")
PLAIN_MIME = crlf(HEAD + TEXT)

FORWARDED = multipart(
    [
        TEXT,
        'Content-Type: message/rfc822; name="Unterlagen.eml"\n'
        'Content-Disposition: attachment; filename="Unterlagen.eml"\n\n' + OUTLOOK.decode().replace("\r\n", "\n"),
    ]
)

FORWARDED_EXE = multipart(
    [
        TEXT,
        "Content-Type: message/rfc822\nContent-Disposition: inline\n\n"
        + with_exe().decode().replace("\r\n", "\n").replace("=_b1", "=_inner"),
    ]
)

ENCODED_FORWARD = multipart(
    [TEXT, "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + b64(with_exe()) + "\n"]
)

SIGNED_EXE = multipart(
    [
        'Content-Type: multipart/mixed; boundary="=_in"\n\n--=_in\n'
        + TEXT
        + "\n--=_in\n"
        + attachment("setup.exe", EXE)
        + "\n--=_in--\n",
        'Content-Type: application/pkcs7-signature; name="smime.p7s"\nContent-Transfer-Encoding: base64\n\nMIIBAAAA\n',
    ],
    subtype='signed; protocol="application/pkcs7-signature"; micalg=sha-256',
)

CALENDAR = multipart(
    [
        TEXT,
        HTML,
        'Content-Type: text/calendar; charset="utf-8"; method=REQUEST\nContent-Transfer-Encoding: base64\n\n'
        + b64(b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n")
        + "\n",
    ],
    subtype="alternative",
    boundary="_000_DB9PR05MB1234ABCD_",
)

REPORT = multipart(
    [
        "Content-Description: Notification\nContent-Type: text/plain; charset=us-ascii\n\nUndelivered.\n",
        (
            "Content-Description: Delivery report\nContent-Type: message/delivery-status\n\n"
            "Reporting-MTA: dns; mx.example.net\n\n"
            "Final-Recipient: rfc822; bob@example.net\nAction: failed\nStatus: 5.1.1\n"
        ),
        (
            "Content-Description: Undelivered Message Headers\nContent-Type: text/rfc822-headers\n\n"
            'Content-Type: multipart/mixed; boundary="x"\nFrom: a@example.org\n'
        ),
    ],
    subtype="report; report-type=delivery-status",
    boundary="9B095B5ADSN=_01D8/mx.example.net",
)

DIGEST = multipart(
    ["\n" + PLAIN.decode().replace("\r\n", "\n"), "\n" + PLAIN_MIME.decode().replace("\r\n", "\n")], subtype="digest"
)

LIST_FOOTER = OUTLOOK + crlf("\n_______________________________________________\nlist mailing list\nlist@example.org\n")
NO_CLOSE = multipart([TEXT, attachment("photo.png", PNG, "image/png")]).removesuffix(b"--=_b1--\r\n")
SLOPPY = crlf(
    HEAD + "Content-Type: multipart/mixed; boundary=----=_Part_1234_5678.90;\n"
    "Content-Transfer-Encoding: quoted-printable\n\n"
    '------=_Part_1234_5678.90\nContent-Type: text/plain; charset = "utf-8";\n\nhi\n'
    "------=_Part_1234_5678.90\nContent-Type: application/octet-stream; name=Bild (1).png\n"
    "Content-Transfer-Encoding: BASE64\nContent-Disposition: attachment; filename=Bild (1).png\n\n"
    + b64(PNG)
    + "\n------=_Part_1234_5678.90--\n"
)
PREFIX_BOUNDARIES = multipart(
    [
        'Content-Type: multipart/alternative; boundary="=_b1_inner"\n\n--=_b1_inner\n'
        + TEXT
        + "\n--=_b1_inner\n"
        + HTML
        + "\n--=_b1_inner--\n",
        attachment("photo.png", PNG, "image/png"),
    ]
)

CLEAN = {
    "outlook": OUTLOOK,
    "gmail": GMAIL,
    "apple": APPLE,
    "thunderbird": THUNDERBIRD,
    "mutt": MUTT,
    "plain": PLAIN,
    "plain-mime": PLAIN_MIME,
    "forwarded": FORWARDED,
    "calendar": CALENDAR,
    "report": REPORT,
    "digest": DIGEST,
    "list-footer": LIST_FOOTER,
    "no-closing-delimiter": NO_CLOSE,
    "sloppy": SLOPPY,
    "prefix-boundaries": PREFIX_BOUNDARIES,
    "empty": b"",
}
"""Messages that pass unchanged and are not ambiguous."""
