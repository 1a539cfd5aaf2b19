"""Programs that people write mail with at a desk."""

from collections.abc import Iterator

from tests.ordinary.writing import (
    ASCII,
    EVENT,
    GREETING,
    PAGE,
    PDF64,
    PNG64,
    VCARD,
    entity,
    message,
    parts,
    quoted,
)
from tests.support.mail_samples import PDF, b64


def outlook() -> Iterator[bytes]:
    fields = "MIME-Version: 1.0\nX-Mailer: Microsoft Outlook 16.0\nThread-Index: AQHb0000\nContent-Language: de\n"

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"----=_NextPart_{number:03}_0012_01DA0B2C.5F7A1C40"
        preamble = "This is a multipart message in MIME format.\n\n" if number == 0 else ""
        return parts(
            f'Content-Type: multipart/{kind};\n\tboundary="{boundary}"',
            boundary,
            *content,
            preamble=preamble,
            gap="\n\n",
        )

    text = entity(
        'Content-Type: text/plain;\n\tcharset="utf-8"\nContent-Transfer-Encoding: quoted-printable', quoted(GREETING)
    )
    html = entity(
        'Content-Type: text/html;\n\tcharset="utf-8"\nContent-Transfer-Encoding: quoted-printable', quoted(PAGE)
    )
    image = entity(
        'Content-Type: image/png;\n\tname="image001.png"\nContent-Transfer-Encoding: base64\nContent-ID: <image001.png@01DA0B2C.5F7A1C40>',
        PNG64,
    )
    pdf = entity(
        'Content-Type: application/pdf;\n\tname="Angebot 2026.pdf"\nContent-Transfer-Encoding: base64\n'
        'Content-Disposition: attachment;\n\tfilename="Angebot 2026.pdf"',
        f"{PDF64}\n",
    )
    card = entity(
        'Content-Type: text/x-vcard;\n\tname="A.vcf"\nContent-Transfer-Encoding: 7bit\nContent-Disposition: attachment;\n\tfilename="A.vcf"',
        VCARD,
    )
    forwarded = entity(
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\nContent-Disposition: attachment",
        f"From: a@b.example\nSubject: x\nMIME-Version: 1.0\n{text}",
    )
    yield message(fields, text)
    yield message(fields, mixed("alternative", 0, text, html))
    yield message(fields, mixed("mixed", 0, text, pdf))
    yield message(fields, mixed("mixed", 0, mixed("alternative", 1, text, html), pdf))
    yield message(fields, mixed("related", 0, mixed("alternative", 1, text, html), image))
    yield message(fields, mixed("mixed", 0, mixed("related", 1, mixed("alternative", 2, text, html), image), pdf, pdf))
    yield message(fields, mixed("mixed", 0, text, card))
    yield message(fields, mixed("mixed", 0, text, forwarded))
    yield message(
        fields,
        entity('Content-Type: text/html;\n\tcharset="us-ascii"\nContent-Transfer-Encoding: 7bit', "<html>x</html>\n"),
    )
    yield message(
        fields,
        mixed(
            "alternative",
            0,
            text,
            html,
            entity(
                'Content-Type: text/calendar; method=REQUEST;\n\tcharset="utf-8"\nContent-Transfer-Encoding: quoted-printable',
                EVENT.format("REQUEST"),
            ),
        ),
    )


def exchange() -> Iterator[bytes]:
    fields = (
        "Thread-Topic: x\nThread-Index: AQHb0000\nAccept-Language: de-DE, en-US\nContent-Language: de-DE\nX-MS-Has-Attach: yes\n"
        "X-MS-TNEF-Correlator:\nx-ms-exchange-messagesentrepresentingtype: 1\n"
    )

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"_{number:03}_DB9PR05MB1234ABCDEF0123456789DB9PR05MB1234eurp_"
        extra = ';\n\ttype="multipart/alternative"' if kind == "related" else ""
        return parts(
            f'Content-Type: multipart/{kind};\n\tboundary="{boundary}"{extra}\nMIME-Version: 1.0',
            boundary,
            *content,
            gap="\n\n",
        )

    text = entity(
        'Content-Type: text/plain; charset="utf-8"\nContent-Transfer-Encoding: base64', f"{b64(GREETING.encode())}\n"
    )
    html = entity(
        'Content-Type: text/html; charset="iso-8859-1"\nContent-Transfer-Encoding: quoted-printable',
        "<html>Gr=FC=DFe =\nund so</html>\n",
    )
    image = entity(
        'Content-Type: image/png; name="image001.png"\nContent-Description: image001.png\nContent-Disposition: inline; filename="image001.png"; size=133;\n'
        '\tcreation-date="Mon, 21 Sep 2026 10:00:00 GMT";\n\tmodification-date="Mon, 21 Sep 2026 10:00:00 GMT"\n'
        "Content-ID: <image001.png@01DA0B2C.5F7A1C40>\nContent-Transfer-Encoding: base64",
        f"{PNG64}\n",
    )
    pdf = entity(
        'Content-Type: application/pdf; name="=?utf-8?B?QW5nZWJvdCBmw7xyIEJvYi5wZGY=?="\nContent-Description: =?utf-8?B?QW5nZWJvdCBmw7xyIEJvYi5wZGY=?=\n'
        'Content-Disposition: attachment;\n\tfilename="=?utf-8?B?QW5nZWJvdCBmw7xyIEJvYi5wZGY=?="; size=600;\n\tcreation-date="Mon, 21 Sep 2026 10:00:00 GMT"\n'
        "Content-Transfer-Encoding: base64",
        f"{PDF64}\n",
    )
    item = entity(
        'Content-Type: message/rfc822\nContent-Disposition: attachment;\n\tcreation-date="Mon, 21 Sep 2026 10:00:00 GMT"',
        f'From: a@b.example\nSubject: inner\nContent-Type: multipart/alternative;\n\tboundary="_000_inner_"\nMIME-Version: 1.0\n\n--_000_inner_\n{text}\n--_000_inner_\n{html}\n--_000_inner_--\n',
    )
    invitation = entity(
        'Content-Type: text/calendar; charset="utf-8"; method=REPLY\nContent-Transfer-Encoding: base64',
        f"{b64(EVENT.format('REPLY').encode())}\n",
    )
    yield message(fields, f"{text.partition(chr(10) * 2)[0]}\nMIME-Version: 1.0\n\n{b64(GREETING.encode())}\n")
    yield message(fields, mixed("alternative", 0, text, html))
    yield message(fields, mixed("mixed", 4, mixed("alternative", 0, text, html), pdf))
    yield message(fields, mixed("related", 4, mixed("alternative", 0, text, html), image))
    yield message(
        fields, mixed("mixed", 5, mixed("related", 4, mixed("alternative", 0, text, html), image, image), pdf)
    )
    yield message(fields, mixed("mixed", 4, text, item))
    yield message(fields, mixed("mixed", 4, mixed("alternative", 0, text, html), item, item))
    yield message(fields, mixed("alternative", 0, text, html, invitation))
    yield message(fields, mixed("mixed", 4, text, image, pdf))


def apple_mail() -> Iterator[bytes]:
    fields = "Mime-Version: 1.0 (Mac OS X Mail 16.0 \\(3774.300.61.1.2\\))\nX-Mailer: Apple Mail (2.3774.300.61.1.2)\n"

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"Apple-Mail=_F1E2D3C4-{number:04}-4A4B-8C8D-112233445566"
        extra = ';\n\ttype="text/html"' if kind == "related" else ""
        return parts(
            f'Content-Type: multipart/{kind}{extra};\n\tboundary="{boundary}"',
            boundary,
            *content,
            preamble="\n" if number else "",
        )

    text = entity(
        "Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain;\n\tcharset=utf-8", quoted(GREETING)
    )
    html = entity(
        "Content-Transfer-Encoding: 7bit\nContent-Type: text/html;\n\tcharset=us-ascii",
        "<html><head></head><body>Hallo</body></html>",
    )
    pdf = entity(
        "Content-Disposition: inline;\n\tfilename*=utf-8''Angebot%20f%C3%BCr%20Bob.pdf\nContent-Type: application/pdf;\n\tx-unix-mode=0644;\n"
        '\tname="=?utf-8?Q?Angebot_f=C3=BCr_Bob=2Epdf?="\nContent-Transfer-Encoding: base64',
        PDF64,
    )
    image = entity(
        'Content-Transfer-Encoding: base64\nContent-Disposition: inline;\n\tfilename=Bild.png\nContent-Type: image/png;\n\tx-unix-hidden-extension=yes;\n\tname="Bild.png"\nContent-Id: <F1E2-4A4B@local>',
        PNG64,
    )
    yield message(
        "",
        f"{entity(f'Content-Type: text/plain;{chr(10)}{chr(9)}charset=us-ascii{chr(10)}Content-Transfer-Encoding: 7bit{chr(10)}{fields.strip()}', ASCII)}",
    )
    yield message(fields, text)
    yield message(fields, mixed("alternative", 0, text, html))
    yield message(fields, mixed("mixed", 0, text, pdf))
    yield message(
        fields,
        mixed(
            "mixed",
            0,
            text,
            pdf,
            entity("Content-Transfer-Encoding: 7bit\nContent-Type: text/plain;\n\tcharset=us-ascii", "\n\n"),
        ),
    )
    yield message(fields, mixed("alternative", 0, text, mixed("mixed", 1, html, pdf, html)))
    yield message(fields, mixed("alternative", 0, text, mixed("related", 1, html, image)))
    yield message(fields, mixed("alternative", 0, text, mixed("mixed", 1, html, pdf, mixed("related", 2, html, image))))


def thunderbird() -> Iterator[bytes]:
    fields = "MIME-Version: 1.0\nUser-Agent: Mozilla Thunderbird\nContent-Language: de-DE\n"

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"------------0a1B2c3D4e5F6g7H8i9J0k1{number}"
        preamble = "This is a multi-part message in MIME format.\n" if number == 0 else ""
        return parts(f'Content-Type: multipart/{kind};\n boundary="{boundary}"', boundary, *content, preamble=preamble)

    text = entity("Content-Type: text/plain; charset=UTF-8; format=flowed\nContent-Transfer-Encoding: 8bit", GREETING)
    html = entity("Content-Type: text/html; charset=UTF-8\nContent-Transfer-Encoding: 8bit", PAGE)
    pdf = entity(
        'Content-Type: application/pdf; name="=?UTF-8?Q?Angebot_f=C3=BCr?=\n =?UTF-8?Q?_Bob=2Epdf?="\nContent-Disposition: attachment;\n'
        " filename*0*=UTF-8''Angebot%20f%C3%BCr%20Bob%20und%20alle%20anderen%20die%20es;\n filename*1*=%20lesen%20wollen.pdf\n"
        "Content-Transfer-Encoding: base64",
        f"{PDF64}\n",
    )
    image = entity(
        'Content-Type: image/png; name="moz.png"\nContent-Disposition: inline; filename="moz.png"\nContent-Id: <part1.abc@example.org>\nContent-Transfer-Encoding: base64',
        PNG64,
    )
    forwarded = entity(
        'Content-Type: message/rfc822; charset=UTF-8;\n name="Re: Unterlagen.eml"\nContent-Disposition: attachment; filename="Re: Unterlagen.eml"\nContent-Transfer-Encoding: 8bit',
        f"Return-Path: <x@y.example>\nFrom: x@y.example\nMIME-Version: 1.0\n{mixed('mixed', 9, text, pdf)}",
    )
    yield message(fields, text)
    yield message(
        fields,
        entity(
            "Content-Type: text/plain; charset=UTF-8; format=flowed; delsp=yes\nContent-Transfer-Encoding: 7bit", ASCII
        ),
    )
    yield message(fields, mixed("alternative", 0, text, html))
    yield message(fields, mixed("mixed", 0, text, pdf))
    yield message(fields, mixed("alternative", 0, text, mixed("related", 1, html, image)))
    yield message(fields, mixed("mixed", 0, mixed("alternative", 1, text, mixed("related", 2, html, image)), pdf))
    yield message(fields, mixed("mixed", 0, text, forwarded))
    yield message(
        fields,
        mixed(
            "mixed",
            0,
            text,
            entity(
                'Content-Type: text/x-patch; charset=UTF-8; name="x.patch"\nContent-Disposition: attachment; filename="x.patch"\nContent-Transfer-Encoding: base64',
                f"{b64(b'--- a/x')}\n",
            ),
        ),
    )
    yield message(
        "X-Mozilla-Draft-Info: internal/draft; vcard=0\n" + fields,
        mixed(
            "mixed",
            0,
            entity(
                "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: base64", b64(GREETING.encode())
            ),
            pdf,
        ),
    )


def mutt() -> Iterator[bytes]:
    fields = "MIME-Version: 1.0\nUser-Agent: Mutt/2.2.12 (2023-09-09)\nIn-Reply-To: <1@x.example>\n"

    def mixed(kind: str, boundary: str, *content: str) -> str:
        return parts(
            f'Content-Type: multipart/{kind}; boundary="{boundary}"\nContent-Disposition: inline',
            boundary,
            *content,
            end="\n",
        )

    text = entity(
        "Content-Type: text/plain; charset=utf-8\nContent-Disposition: inline\nContent-Transfer-Encoding: 8bit",
        GREETING,
    )
    patch = entity(
        'Content-Type: text/x-diff; charset=us-ascii\nContent-Disposition: attachment; filename="fix.patch"',
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n-- \n2.43.0\n",
    )
    pdf = entity(
        "Content-Type: application/pdf\nContent-Disposition: attachment; filename*=utf-8''Angebot%20f%C3%BCr.pdf\nContent-Transfer-Encoding: base64",
        f"{PDF64}\n",
    )
    signature = entity(
        'Content-Type: application/pgp-signature; name="signature.asc"',
        "-----BEGIN PGP SIGNATURE-----\n\niQIzBAABCgAdFiEE\n=abcd\n-----END PGP SIGNATURE-----\n",
    )
    signed = 'signed; micalg=pgp-sha512;\n\tprotocol="application/pgp-signature"'
    forwarded = entity(
        "Content-Type: message/rfc822\nContent-Disposition: inline",
        f"From: x@y.example\nSubject: y\nMIME-Version: 1.0\n{text}",
    )
    yield message(fields, text)
    yield message(fields, entity("Content-Type: text/plain; charset=us-ascii\nContent-Disposition: inline", ASCII))
    yield message(fields, mixed("mixed", "jI8keyz6grp/JLjh", text, patch))
    yield message(fields, mixed("mixed", "3V7upXqbjpZ4EhLz", text, pdf, pdf))
    yield message(fields, mixed(signed, "k+w/mQv8wyuph6w0", text, signature))
    yield message(fields, mixed(signed, "k+w/mQv8wyuph6w0", mixed("mixed", "a'()+_,-./:=?b", text, patch), signature))
    yield message(fields, mixed("mixed", "x", text, forwarded))
    yield message(
        fields, mixed("digest", "dig", f"\nFrom: a@b.example\nSubject: one\n\n{ASCII}", f"\nFrom: a@b.example\n{text}")
    )


def notes() -> Iterator[bytes]:
    fields = "X-Mailer: HCL Domino Release 12.0.2 November 2022\nX-MIMETrack: Serialize by Router on D1/X at\n 21.09.2026 12:00:00,\n\tSerialize complete at 21.09.2026 12:00:00\nMIME-Version: 1.0\n"

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"=_{kind} 003DB1B3C1258B5{number}_="
        return parts(
            f'Content-Type: multipart/{kind}; boundary="{boundary}"',
            boundary,
            *content,
            preamble="This is a multipart message in MIME format.\n",
        )

    text = entity(
        'Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; charset="UTF-8"', quoted(GREETING)
    )
    html = entity('Content-Transfer-Encoding: quoted-printable\nContent-Type: text/html; charset="UTF-8"', quoted(PAGE))
    gif = entity(
        "Content-Type: image/gif\nContent-ID: <_1_0A1B2C3D@local>\nContent-Transfer-Encoding: base64",
        b64(b"GIF89a" + bytes(40)),
    )
    pdf = entity(
        'Content-Type: application/octet-stream; name="a.pdf"\nContent-Disposition: attachment; filename="a.pdf"\nContent-Transfer-Encoding: base64',
        PDF64,
    )
    yield message(fields, text)
    yield message(fields, mixed("alternative", 1, text, html))
    yield message(fields, mixed("related", 2, mixed("alternative", 1, text, html), gif))
    yield message(fields, mixed("mixed", 3, mixed("related", 2, mixed("alternative", 1, text, html), gif), pdf))
    yield message(fields, mixed("mixed", 3, text, pdf))


def roundcube() -> Iterator[bytes]:
    fields = "MIME-Version: 1.0\nUser-Agent: Roundcube Webmail/1.6.9\nX-Sender: alice@example.org\n"

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"=_0d3e45a1e1b2c3d4e5f60718293a4b5{number}"
        return parts(f'Content-Type: multipart/{kind};\n boundary="{boundary}"', boundary, *content)

    text = entity("Content-Transfer-Encoding: 8bit\nContent-Type: text/plain; charset=UTF-8;\n format=flowed", GREETING)
    html = entity("Content-Transfer-Encoding: quoted-printable\nContent-Type: text/html; charset=UTF-8", quoted(PAGE))
    pdf = entity(
        "Content-Transfer-Encoding: base64\nContent-Type: application/pdf;\n name=a.pdf\nContent-Disposition: attachment;\n filename=a.pdf;\n size=600",
        PDF64,
    )
    odt = entity(
        "Content-Transfer-Encoding: base64\nContent-Type: application/vnd.oasis.opendocument.text;\n name=\"=?UTF-8?Q?f=C3=BCr.odt?=\"\nContent-Disposition: attachment;\n filename*=UTF-8''f%C3%BCr.odt;\n size=600",
        b64(PDF),
    )
    yield message(fields, text)
    yield message(fields, mixed("alternative", 0, text, html))
    yield message(fields, mixed("mixed", 0, text, pdf))
    yield message(fields, mixed("mixed", 0, text, odt))
    yield message(fields, mixed("mixed", 0, mixed("alternative", 1, text, html), pdf, odt))


def evolution() -> Iterator[bytes]:
    fields = "User-Agent: Evolution 3.52.3\nMIME-Version: 1.0\n"

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"=-{number}bCdEfGhIjKlMnOpQrStUv"
        return parts(
            f'Content-Type: multipart/{kind}; boundary="{boundary}"', boundary, *content, preamble="\n", gap="\n\n"
        )

    text = entity(
        'Content-Type: text/plain; charset="UTF-8"\nContent-Transfer-Encoding: quoted-printable', quoted(GREETING)
    )
    html = entity('Content-Type: text/html; charset="utf-8"\nContent-Transfer-Encoding: quoted-printable', quoted(PAGE))
    pdf = entity(
        'Content-Type: application/pdf; name="a.pdf"\nContent-Disposition: attachment; filename="a.pdf"\nContent-Transfer-Encoding: base64',
        f"{PDF64}\n",
    )
    event = entity(
        "Content-Type: text/calendar; name*0=invite.ics; charset=utf-8; METHOD=REQUEST\nContent-Transfer-Encoding: 8bit",
        EVENT.format("REQUEST"),
    )
    yield message(fields, text)
    yield message(fields, mixed("alternative", 1, text, html))
    yield message(fields, mixed("mixed", 1, text, pdf))
    yield message(fields, mixed("mixed", 1, mixed("alternative", 2, text, html), pdf))
    yield message(fields, mixed("mixed", 1, text, event))


def kmail() -> Iterator[bytes]:
    fields = "User-Agent: KMail\nMIME-Version: 1.0\n"

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"nextPart{number}234567.aBcDeF"
        extra = "Content-Transfer-Encoding: 7Bit\n" if number == 1 else ""
        return parts(
            f'{extra}Content-Type: multipart/{kind}; boundary="{boundary}"',
            boundary,
            *content,
            preamble="This is a multi-part message in MIME format.\n\n",
            gap="\n",
        )

    text = entity(
        'Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; charset="utf-8"', quoted(GREETING)
    )
    html = entity(
        'Content-Transfer-Encoding: 7Bit\nContent-Type: text/html; charset="us-ascii"', "<html><body>x</body></html>\n"
    )
    pdf = entity(
        "Content-Disposition: attachment; filename*=UTF-8''f%C3%BCr%20Bob%2Epdf\nContent-Transfer-Encoding: base64\nContent-Type: application/pdf; name*=UTF-8''f%C3%BCr%20Bob%2Epdf",
        PDF64,
    )
    yield message(fields, text)
    yield message(fields, mixed("alternative", 1, text, html))
    yield message(fields, mixed("mixed", 1, text, pdf))
    yield message(fields, mixed("mixed", 1, mixed("alternative", 2, text, html), pdf, pdf))


def zimbra() -> Iterator[bytes]:
    fields = "MIME-Version: 1.0\nX-Originating-IP: [192.0.2.1]\nX-Mailer: Zimbra 9.0.0_GA (ZimbraWebClient - FF3.0)\nThread-Index: aBc\n"

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"=_0a1b2c3d-{number}111-2222-3333-444455556666"
        return parts(f'Content-Type: multipart/{kind}; \n\tboundary="{boundary}"', boundary, *content)

    text = entity(
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable", quoted(GREETING)
    )
    html = entity("Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable", quoted(PAGE))
    pdf = entity(
        'Content-Type: application/pdf; name="a.pdf"\nContent-Disposition: attachment; filename="a.pdf"\nContent-Transfer-Encoding: base64',
        PDF64,
    )
    yield message(fields, text)
    yield message(fields, mixed("alternative", 1, text, html))
    yield message(fields, mixed("mixed", 2, mixed("alternative", 1, text, html), pdf))
    yield message(
        fields,
        mixed(
            "related",
            3,
            mixed("alternative", 1, text, html),
            entity(
                "Content-Type: image/png; name=a.png\nContent-Disposition: attachment; filename=a.png\nContent-ID: <a@zimbra>\nContent-Transfer-Encoding: base64",
                PNG64,
            ),
        ),
    )


BUILDERS = (outlook, exchange, apple_mail, thunderbird, mutt, notes, roundcube, evolution, kmail, zimbra)
