"""Web mail and telephones."""

from collections.abc import Iterator

from tests.ordinary.writing import ASCII, EVENT, GREETING, PAGE, PDF64, PNG64, entity, message, parts, quoted
from tests.support.mail_samples import b64

_TEXT8 = entity(
    'Content-Type: text/plain; charset="UTF-8"\nContent-Transfer-Encoding: base64', f"{b64(GREETING.encode())}\n"
)


def gmail() -> Iterator[bytes]:
    fields = "MIME-Version: 1.0\nX-Gm-Message-State: AOJu0Yx\nX-Received: by 2002:a05:6000:1842 with SMTP id x2mr1; Mon,\n 21 Sep 2026 03:00:00 -0700 (PDT)\n"

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"000000000000a1b2c{number}061f2e3d4c"
        return parts(f'Content-Type: multipart/{kind}; boundary="{boundary}"', boundary, *content, gap="\n")

    text = entity('Content-Type: text/plain; charset="UTF-8"', ASCII)
    html = entity('Content-Type: text/html; charset="UTF-8"\nContent-Transfer-Encoding: quoted-printable', quoted(PAGE))
    image = entity(
        'Content-Type: image/png; name="image.png"\nContent-Disposition: inline; filename="image.png"\nContent-Transfer-Encoding: base64\nContent-ID: <ii_lx1y2z3a0>\nX-Attachment-Id: ii_lx1y2z3a0',
        PNG64,
    )
    pdf = entity(
        'Content-Type: application/pdf; name="=?UTF-8?B?QW5nZWJvdCBmw7xyIEJvYi5wZGY=?="\nContent-Disposition: attachment; filename="=?UTF-8?B?QW5nZWJvdCBmw7xyIEJvYi5wZGY=?="\nContent-Transfer-Encoding: base64\nContent-ID: <f_lx1>\nX-Attachment-Id: f_lx1',
        PDF64,
    )
    event = entity(
        'Content-Type: text/calendar; charset="UTF-8"; method=REQUEST\nContent-Transfer-Encoding: 7bit',
        EVENT.format("REQUEST"),
    )
    ics = entity(
        'Content-Type: application/ics; name="invite.ics"\nContent-Disposition: attachment; filename="invite.ics"\nContent-Transfer-Encoding: base64',
        b64(EVENT.format("REQUEST").encode()),
    )
    yield message(fields, text)
    yield message(fields, _TEXT8)
    yield message(fields, mixed("alternative", 1, text, html))
    yield message(fields, mixed("alternative", 1, _TEXT8, html))
    yield message(fields, mixed("mixed", 2, mixed("alternative", 1, _TEXT8, html), pdf))
    yield message(fields, mixed("related", 2, mixed("alternative", 1, text, html), image))
    yield message(fields, mixed("mixed", 3, mixed("related", 2, mixed("alternative", 1, text, html), image), pdf))
    yield message(fields, mixed("mixed", 2, mixed("alternative", 1, text, html, event), ics))
    yield message(fields, mixed("mixed", 2, text, pdf, pdf))
    yield message(
        fields,
        mixed(
            "mixed",
            2,
            text,
            entity(
                'Content-Type: message/rfc822; name="x.eml"\nContent-Disposition: attachment; filename="x.eml"\nContent-ID: <f_2>\nX-Attachment-Id: f_2',
                f"From: a@b.example\nSubject: x\nMIME-Version: 1.0\n{text}",
            ),
        ),
    )


def iphone() -> Iterator[bytes]:
    fields = "Mime-Version: 1.0 (1.0)\nX-Mailer: iPhone Mail (22A3370)\n"

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"Apple-Mail-F1E2D3C4-0000-4A4B-8C8D-11223344556{number}"
        return parts(
            f"Content-Type: multipart/{kind};\n\tboundary={boundary}\nContent-Transfer-Encoding: 7bit",
            boundary,
            *content,
            preamble="\n",
        )

    text = entity(
        "Content-Type: text/plain;\n\tcharset=utf-8\nContent-Transfer-Encoding: quoted-printable", quoted(GREETING)
    )
    html = entity(
        "Content-Type: text/html;\n\tcharset=utf-8\nContent-Transfer-Encoding: quoted-printable", quoted(PAGE)
    )
    photo = entity(
        "Content-Type: image/jpeg;\n\tname=IMG_0001.jpeg;\n\tx-apple-part-url=F1E2\nContent-Disposition: inline;\n\tfilename=IMG_0001.jpeg\nContent-Transfer-Encoding: base64",
        b64(b"\xff\xd8\xff\xe0" + bytes(90)),
    )
    film = entity(
        "Content-Type: video/quicktime;\n\tname=IMG_0002.MOV\nContent-Disposition: attachment;\n\tfilename=IMG_0002.MOV\nContent-Transfer-Encoding: base64",
        b64(bytes(4) + b"ftypqt  " + bytes(60)),
    )
    yield message(fields, f"{text}\n\nVon meinem iPhone gesendet\n")
    yield message(fields, mixed("alternative", 1, text, html))
    yield message(fields, mixed("mixed", 1, text, photo))
    yield message(fields, mixed("mixed", 1, photo, text))
    yield message(fields, mixed("mixed", 1, text, photo, text, photo, film))
    yield message(fields, mixed("alternative", 1, text, mixed("mixed", 2, html, photo, html)))


def android() -> Iterator[bytes]:
    fields = "MIME-Version: 1.0\nUser-Agent: K-9 Mail for Android\n"

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"----A1B2C3D4E5F6G7H8I9J0K1L2M3N4O{number}"
        return parts(
            f'Content-Type: multipart/{kind};\n boundary="{boundary}"\nContent-Transfer-Encoding: 8bit',
            boundary,
            *content,
            gap="\n",
        )

    text = entity(
        "Content-Type: text/plain;\n charset=utf-8\nContent-Transfer-Encoding: quoted-printable", quoted(GREETING)
    )
    html = entity("Content-Type: text/html;\n charset=utf-8\nContent-Transfer-Encoding: quoted-printable", quoted(PAGE))
    photo = entity(
        'Content-Type: image/jpeg;\n name="20260921_120000.jpg"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment;\n filename="20260921_120000.jpg";\n size=90',
        b64(b"\xff\xd8\xff\xe0" + bytes(90)),
    )
    yield message(fields, text)
    yield message(fields, mixed("alternative", 1, text, html))
    yield message(fields, mixed("mixed", 1, text, photo))
    yield message(fields, mixed("mixed", 1, mixed("alternative", 2, text, html), photo, photo))


def samsung() -> Iterator[bytes]:
    fields = "MIME-Version: 1.0\nImportance: Normal\n"
    boundary = "--_com.samsung.android.email_1790000000000"

    def mixed(kind: str, number: int, *content: str) -> str:
        return parts(f'Content-Type: multipart/{kind}; boundary="{boundary}{number}"', f"{boundary}{number}", *content)

    text = entity(
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64", f"{b64(GREETING.encode())}\n"
    )
    html = entity(
        "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64", f"{b64(PAGE.encode())}\n"
    )
    photo = entity(
        'Content-Type: image/jpeg; name="a b.jpg"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="a b.jpg"',
        b64(b"\xff\xd8\xff\xe0" + bytes(90)),
    )
    yield message(fields, mixed("alternative", 1, text, html))
    yield message(fields, mixed("mixed", 0, mixed("alternative", 1, text, html), photo))
    yield message(fields, mixed("mixed", 0, text, photo))


def yahoo() -> Iterator[bytes]:
    fields = "MIME-Version: 1.0\nReferences: <1.ref@mail.yahoo.example>\nX-Mailer: WebService/1.1.22645 YMailNorrin\n"

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"----=_Part_12345_{number}.1790000000000"
        return parts(f'Content-Type: multipart/{kind}; \n\tboundary="{boundary}"', boundary, *content)

    text = entity(
        "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: quoted-printable", quoted(GREETING)
    )
    html = entity("Content-Type: text/html; charset=UTF-8\nContent-Transfer-Encoding: quoted-printable", quoted(PAGE))
    pdf = entity(
        'Content-Type: application/pdf\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="a.pdf"\nContent-ID: <1f2e3d>',
        PDF64,
    )
    yield message(fields, text)
    yield message(fields, mixed("alternative", 1, text, html))
    yield message(fields, mixed("mixed", 0, mixed("alternative", 1, text, html), pdf))
    yield message(fields, mixed("mixed", 0, mixed("related", 2, mixed("alternative", 1, text, html), pdf), pdf))


def proton() -> Iterator[bytes]:
    fields = "MIME-Version: 1.0\nFeedback-ID: 1:user:proton\nX-Pm-Message-ID: 0123\n"

    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"b1=_{number}aBcDeFgHiJkLmNoPqRsTuVwXyZ"
        return parts(
            f'Content-Type: multipart/{kind};\n boundary="{boundary}"',
            boundary,
            *content,
            preamble="This is a multi-part message in MIME format.\n\n",
        )

    text = entity(
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64", f"{b64(GREETING.encode())}\n"
    )
    html = entity(
        "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64", f"{b64(PAGE.encode())}\n"
    )
    key = entity(
        'Content-Type: application/pgp-keys; filename="publickey - alice.asc"; name="publickey - alice.asc"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="publickey - alice.asc"; name="publickey - alice.asc"',
        b64(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"),
    )
    yield message(fields, mixed("alternative", 1, text, html))
    yield message(fields, mixed("mixed", 0, mixed("alternative", 1, text, html), key))
    yield message(fields, text)


def gmx() -> Iterator[bytes]:
    fields = "MIME-Version: 1.0\nX-UI-Message-Type: mail\nX-Priority: 3\n"

    def mixed(kind: str, boundary: str, *content: str) -> str:
        return parts(f"Content-Type: multipart/{kind};\n boundary={boundary}", boundary, *content)

    html = entity("Content-Type: text/html; charset=UTF-8", PAGE)
    pdf = entity(
        "Content-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf\nContent-Transfer-Encoding: base64",
        PDF64,
    )
    yield message(fields, html)
    yield message(fields, mixed("mixed", "sgnirk-7d6c5b4a-1234-4e4f-9a8b-112233445566", html, pdf))
    yield message(
        fields,
        mixed(
            "related",
            "abmob-7d6c5b4a",
            html,
            entity(
                "Content-Type: image/png\nContent-ID: <img1@x>\nContent-Disposition: inline; filename=a.png\nContent-Transfer-Encoding: base64",
                PNG64,
            ),
        ),
    )


BUILDERS = (gmail, iphone, android, samsung, yahoo, proton, gmx)
