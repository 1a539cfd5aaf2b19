"""Programs that write mail by themselves: lists, bounces, invitations, newsletters, scripts."""

from collections.abc import Iterator

from tests.ordinary.writing import (
    ASCII,
    EVENT,
    GREETING,
    GZIP,
    PAGE,
    PDF64,
    PNG64,
    ZIP,
    encoded,
    entity,
    message,
    parts,
    quoted,
)
from tests.support.mail_samples import PDF, PNG, b64

_TEXT = entity("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit", GREETING)
_HTML = entity("Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable", quoted(PAGE))
_PLAIN = entity('Content-Type: text/plain; charset="us-ascii"\nContent-Transfer-Encoding: 7bit', ASCII)
_MIME = "MIME-Version: 1.0\n"
_PDF = encoded('application/pdf; name="a.pdf"', PDF, name="a.pdf")
_RETURNED = (
    f"Received: from x by y; Mon, 21 Sep 2026 10:00:00 +0000\nFrom: a@b.example\nTo: c@d.example\nSubject: x\n{_MIME}"
)


def _mixed(kind: str, boundary: str, *content: str) -> str:
    return parts(f'Content-Type: multipart/{kind}; boundary="{boundary}"', boundary, *content)


def mailman() -> Iterator[bytes]:
    fields = f"List-Id: A list <list.example.org>\nList-Unsubscribe: <https://lists.example.org/options/list>,\n <mailto:list-request@example.org?subject=unsubscribe>\nPrecedence: list\nX-Mailman-Version: 2.1.39\n{_MIME}Errors-To: list-bounces@example.org\n"
    footer = entity(
        'Content-Type: text/plain; charset="us-ascii"\nMIME-Version: 1.0\nContent-Transfer-Encoding: 7bit\nContent-Disposition: inline',
        "_______________________________________________\nlist mailing list\nlist@example.org\n",
    )
    boundary = "===============1234567890123456789=="
    digest = parts(
        'Content-Type: multipart/digest; boundary="===============22=="',
        "===============22==",
        f"\nDate: Mon, 21 Sep 2026\nFrom: a@b.example\nSubject: one\nMessage-ID: <1@x>\nMessage: 1\n\n{ASCII}",
        f"\nFrom: a@b.example\n{_MIME}{_TEXT}\nMessage: 2\n",
    )
    yield message(
        fields, f"{_PLAIN}_______________________________________________\nlist mailing list\nlist@example.org\n"
    )
    yield message(fields, _mixed("mixed", boundary, _TEXT, footer))
    yield message(fields, _mixed("mixed", boundary, _mixed("alternative", "00000000aa", _PLAIN, _HTML), footer))
    yield message(fields, _mixed("mixed", boundary, _mixed("mixed", "00000000aa", _PLAIN, _PDF), footer))
    yield message(fields, _mixed("mixed", boundary, _PLAIN, digest, footer))
    yield message(
        fields,
        f"{_mixed('alternative', 'xx', _PLAIN, _HTML)}\n_______________________________________________\nlist@example.org\n",
    )
    yield message(
        fields,
        _mixed(
            "mixed",
            boundary,
            _PLAIN,
            entity("Content-Type: message/rfc822\nMIME-Version: 1.0", f"{_RETURNED}{_TEXT}"),
            entity(
                "Content-Type: message/rfc822\nMIME-Version: 1.0\nContent-Disposition: inline",
                "Subject: confirm 0123\nFrom: list-request@example.org\n\nIf you reply\n",
            ),
        ),
    )
    yield message(
        fields,
        _mixed(
            "mixed",
            boundary,
            _PLAIN,
            entity(
                "Content-Type: text/html\nContent-Disposition: inline\nContent-Transfer-Encoding: base64",
                b64(b"-------------- next part --------------"),
            ),
            footer,
        ),
    )


def _report(boundary: str, human: str, status: str, returned: str) -> str:
    field = f'Content-Type: multipart/report; report-type=delivery-status;\n\tboundary="{boundary}"'
    return parts(field, boundary, human, status, returned, preamble="This is a MIME-encapsulated message.\n\n")


def postfix_bounces() -> Iterator[bytes]:
    fields = f"Auto-Submitted: auto-replied\n{_MIME}"
    human = entity(
        "Content-Description: Notification\nContent-Type: text/plain; charset=utf-8",
        "This is the mail system at host mx.example.net.\n",
    )
    status = entity(
        "Content-Description: Delivery report\nContent-Type: message/delivery-status",
        "Reporting-MTA: dns; mx.example.net\nX-Postfix-Queue-ID: 4ABC\n\nFinal-Recipient: rfc822; bob@example.net\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1\n    unknown\n",
    )
    for kind, returned in (
        ("message/rfc822\nContent-Transfer-Encoding: 8bit", f"{_RETURNED}{_TEXT}"),
        ("message/rfc822", f"{_RETURNED}{_mixed('mixed', 'in', _PLAIN, _PDF)}"),
        ("text/rfc822-headers", f'{_RETURNED}Content-Type: multipart/mixed; boundary="x"\n'),
        (
            "message/rfc822",
            f"{_RETURNED}{_mixed('alternative', 'in', _PLAIN, _HTML)}".partition("--in\nContent-Type: text/html")[0],
        ),
    ):
        yield message(
            fields,
            _report(
                "9B095B5ADSN=_01D8/mx.example.net",
                human,
                status,
                entity(f"Content-Description: Undelivered Message\nContent-Type: {kind}", returned),
            ),
        )


def exchange_bounces() -> Iterator[bytes]:
    fields = f"{_MIME}X-MS-Exchange-Message-Is-Ndr:\nContent-Language: en-US\n"
    boundary = "_000_0123456789abcdefeurp_"
    human = _mixed("alternative", "_001_in_", _PLAIN, _HTML)
    status = entity(
        "Content-Type: message/delivery-status",
        "Reporting-MTA: dns;x.example\n\nFinal-Recipient: rfc822;bob@example.net\nAction: failed\nStatus: 5.4.1\n",
    )
    yield message(
        fields, _report(boundary, human, status, entity("Content-Type: message/rfc822", f"{_RETURNED}{_TEXT}"))
    )
    yield message(fields, _report(boundary, _HTML, status, entity("Content-Type: text/rfc822-headers", _RETURNED)))
    yield message(
        fields,
        _report(
            boundary,
            _mixed("related", "_002_in_", human, encoded("image/png; name=a.png", PNG, "inline", "a.png")),
            status,
            entity("Content-Type: message/rfc822", f"{_RETURNED}{_PLAIN}"),
        ),
    )


def old_bounces() -> Iterator[bytes]:
    quotation = f"--- Below this line is a copy of the message.\n\nReturn-Path: <a@b.example>\n{_RETURNED}{_mixed('mixed', 'q', _PLAIN, _PDF)}"
    yield message(
        "",
        f"\nHi. This is the qmail-send program at mx.example.\nI tried.\n\n<c@d.example>:\nno mailbox\n\n{quotation}",
    )
    yield message("", f"\n{ASCII}\n{quotation}")
    yield message(
        "X-Failed-Recipients: c@d.example\nAuto-Submitted: auto-replied\n",
        f"\nThis message was created automatically by mail delivery software.\n\n------ This is a copy of your message ------\n\n{_RETURNED}{_mixed('alternative', 'x1', _PLAIN, _HTML)}",
    )
    status = entity(
        "Content-type: message/delivery-status",
        "Reporting-MTA: dns; exim.example\n\nAction: failed\nFinal-Recipient: rfc822;c@d.example\nStatus: 5.0.0\n",
    )
    field = "Content-Type: multipart/report; report-type=delivery-status; boundary=1790000000-eximdsn-123456"
    yield message(
        _MIME,
        parts(
            field,
            "1790000000-eximdsn-123456",
            entity("Content-type: text/plain; charset=us-ascii", ASCII),
            status,
            entity("Content-type: message/rfc822", f"{_RETURNED}{_TEXT}"),
        ),
    )


def receipts() -> Iterator[bytes]:
    human = entity("Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit", GREETING)
    notification = entity(
        'Content-Type: message/disposition-notification; name="MDNPart2.txt"\nContent-Disposition: inline\nContent-Transfer-Encoding: 7bit',
        "Reporting-UA: x; y\nFinal-Recipient: rfc822;c@d.example\nDisposition: manual-action/MDN-sent-manually; displayed\n",
    )
    headers = entity(
        'Content-Type: text/rfc822-headers; name="MDNPart3.txt"\nContent-Transfer-Encoding: 7bit\nContent-Disposition: inline',
        _RETURNED,
    )
    for content in ((human, notification), (human, notification, headers)):
        yield message(_MIME, _mixed("report; report-type=disposition-notification", "------------mdn0A", *content))
    feedback = entity("Content-Type: message/feedback-report", "Feedback-Type: abuse\nUser-Agent: X/1\nVersion: 1\n")
    yield message(
        _MIME,
        _mixed(
            "report; report-type=feedback-report",
            "arf",
            _PLAIN,
            feedback,
            entity("Content-Type: message/rfc822\nContent-Disposition: inline", f"{_RETURNED}{_HTML}"),
        ),
    )
    yield message("Auto-Submitted: auto-replied\nX-Auto-Response-Suppress: All\n" + _MIME, _TEXT)


def invitations() -> Iterator[bytes]:
    for method in ("REQUEST", "CANCEL", "REPLY"):
        event = entity(
            f'Content-Type: text/calendar; charset="UTF-8"; method={method}\nContent-Transfer-Encoding: 7bit',
            EVENT.format(method),
        )
        attached = encoded('application/ics; name="invite.ics"', EVENT.format(method).encode(), name="invite.ics")
        yield message(
            "Sender: Google Calendar <calendar-notification@google.example>\n" + _MIME,
            _mixed("mixed", "0000000000005", _mixed("alternative", "0000000000006", _PLAIN, _HTML, event), attached),
        )
        yield message(_MIME, _mixed("alternative", "0000000000006", _PLAIN, event))
        yield message(_MIME, event)


def smime() -> Iterator[bytes]:
    der = b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03" + bytes(60)
    signature = encoded('application/pkcs7-signature; name="smime.p7s"', der, name="smime.p7s")
    old = encoded('application/x-pkcs7-signature; name="smime.p7s"', der, name="smime.p7s")
    signed = 'signed; protocol="application/pkcs7-signature"; micalg=sha-256'
    yield message(_MIME, _mixed(signed, "----ABCDEF0123456789", _TEXT, signature))
    yield message(
        _MIME,
        _mixed(signed.replace("pkcs7", "x-pkcs7"), "----ABCDEF0123456789", _mixed("mixed", "in", _TEXT, _PDF), old),
    )
    yield message(
        _MIME,
        parts(
            f'Content-Type: multipart/{signed}; boundary="----CF"',
            "----CF",
            _mixed("alternative", "alt", _PLAIN, _HTML),
            signature,
            preamble="This is an S/MIME signed message\n\n",
        ),
    )
    enveloped = 'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"\nContent-Disposition: attachment; filename="smime.p7m"\nContent-Transfer-Encoding: base64\nContent-Description: S/MIME Encrypted Message'
    yield message(_MIME, entity(enveloped, b64(der)))
    yield message(_MIME, entity(enveloped.replace("pkcs7-mime", "x-pkcs7-mime"), b64(der * 20)))


def pgp() -> Iterator[bytes]:
    armour = "-----BEGIN PGP MESSAGE-----\n\nhQIMA0123456789abAQ/+abcdefgh\n=abcd\n-----END PGP MESSAGE-----\n"
    version = entity(
        "Content-Type: application/pgp-encrypted\nContent-Description: PGP/MIME version identification", "Version: 1\n"
    )
    data = entity(
        'Content-Type: application/octet-stream; name="encrypted.asc"\nContent-Description: OpenPGP encrypted message\nContent-Disposition: inline; filename="encrypted.asc"',
        armour,
    )
    signature = entity(
        'Content-Type: application/pgp-signature; name="OpenPGP_signature.asc"\nContent-Description: OpenPGP digital signature\nContent-Disposition: attachment; filename="OpenPGP_signature.asc"',
        armour.replace("MESSAGE", "SIGNATURE"),
    )
    key = entity(
        'Content-Type: application/pgp-keys; name="OpenPGP_0x0123.asc"\nContent-Disposition: attachment; filename="OpenPGP_0x0123.asc"\nContent-Description: OpenPGP public key\nContent-Transfer-Encoding: quoted-printable',
        quoted(armour),
    )
    signed = 'signed; micalg="pgp-sha256"; protocol="application/pgp-signature"'
    yield message(_MIME, _mixed('encrypted; protocol="application/pgp-encrypted"', "------------enc0", version, data))
    yield message(_MIME, _mixed(signed, "------------sig0", _TEXT, signature))
    yield message(
        _MIME,
        _mixed(
            signed,
            "------------sig0",
            _mixed(
                'mixed; protected-headers="v1"',
                "------------in0",
                _mixed("mixed", "------------in1", _mixed("alternative", "------------in2", _PLAIN, _HTML), key),
            ),
            signature,
        ),
    )
    yield message(_MIME, entity("Content-Type: text/plain; charset=utf-8", armour))
    yield message(
        _MIME,
        entity(
            "Content-Type: text/plain; charset=utf-8",
            f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{ASCII.replace('--', '- --')}{armour.replace('MESSAGE', 'SIGNATURE')}",
        ),
    )


def newsletters() -> Iterator[bytes]:
    fields = "List-Unsubscribe: <https://news.example/u?x=1>, <mailto:u@news.example>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\nFeedback-ID: 1:2:3:mc\n"
    page = (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN">\n<html>\n<head><style>@media only screen { .a { color: #fff } }</style></head>\n<body><!-- begin 600 px --><table>'
        + "<tr><td>Angebot&nbsp;- 50 % =)</td></tr>\n" * 40
        + "</table></body></html>\n"
    )
    html = entity("Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable", quoted(page))
    mailchimp = "_----------=_MCPart_1234567890"
    yield message(
        fields + f"X-Mailer: MailChimp Mailer - **CID12**\n{_MIME}",
        parts(
            f'Content-Type: multipart/alternative; boundary="{mailchimp}"',
            mailchimp,
            _PLAIN.replace("us-ascii", "utf-8"),
            html,
            preamble="This is a multi-part message in MIME format\n\n",
        ),
    )
    yield message(fields + _MIME, html)
    yield message(
        fields + _MIME,
        entity("Content-Type: text/html; charset=UTF-8\nContent-Transfer-Encoding: base64", b64(page.encode())),
    )
    yield message(
        fields + _MIME, entity("Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit", page)
    )
    yield message(
        fields + "X-SES-Outgoing: 2026.09.21-192.0.2.1\n" + _MIME,
        parts('Content-Type: multipart/alternative; \n\tboundary="----=_Part_1_2.3"', "----=_Part_1_2.3", _TEXT, html),
    )
    yield message(
        fields + "Mime-Version: 1.0\n",
        parts("Content-Type: multipart/alternative; boundary=0a1b2c3d4e5f", "0a1b2c3d4e5f", html),
    )
    yield message(
        fields + _MIME,
        parts(
            'Content-Type: multipart/alternative; charset="utf-8"; boundary="b1_abc"',
            "b1_abc",
            _TEXT,
            html,
            entity("Content-Type: text/x-amp-html; charset=utf-8", "<!doctype html><html amp4email></html>\n"),
        ),
    )


def php() -> Iterator[bytes]:
    fields = f"X-Mailer: PHPMailer 6.9.1 (https://github.com/PHPMailer/PHPMailer)\n{_MIME}"

    def mixed(kind: str, boundary: str, *content: str) -> str:
        return parts(
            f'Content-Type: multipart/{kind};\n boundary="{boundary}"',
            boundary,
            *content,
            preamble="This is a multi-part message in MIME format.\n\n",
            end="\n\n",
        )

    text = entity("Content-Type: text/plain; charset=utf-8", ASCII)
    html = entity("Content-Type: text/html; charset=utf-8", PAGE)
    pdf = entity(
        'Content-Type: application/pdf; name="Rechnung 1.pdf"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="Rechnung 1.pdf"',
        f"{PDF64}\n",
    )
    unquoted = entity(
        "Content-Type: application/pdf; name=Rechnung 1.pdf\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=Rechnung 1.pdf",
        PDF64,
    )
    eight = entity(
        'Content-Type: application/pdf; name="für Bob.pdf"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="für Bob.pdf"',
        PDF64,
    )
    yield message(fields, html)
    yield message(fields, mixed("alternative", "b1=_abcdefghijklmnop", text, html))
    yield message(
        fields, mixed("mixed", "b1=_abcdefghijklmnop", mixed("alternative", "b2=_abcdefghijklmnop", text, html), pdf)
    )
    yield message(fields, mixed("mixed", "b1=_abcdefghijklmnop", text, unquoted))
    yield message(fields, mixed("mixed", "b1=_abcdefghijklmnop", text, eight))
    yield message(fields, mixed("mixed", "b1=_abcdefghijklmnop", text, pdf).replace("--b1=_abcdefghijklmnop--\n\n", ""))
    yield message(
        "X-PHP-Originating-Script: 1000:mail.php\n", entity("Content-type: text/html; charset=iso-8859-1", "<p>x</p>\n")
    )
    yield message(
        _MIME,
        f'Content-Type: multipart/mixed; boundary="PHP-mixed-1"\nContent-Transfer-Encoding: quoted-printable\n\n--PHP-mixed-1\n{text}\n--PHP-mixed-1--\n',
    )


def java() -> Iterator[bytes]:
    def mixed(kind: str, number: int, *content: str) -> str:
        boundary = f"----=_Part_{number}_1225373890.1790000000000"
        return parts(f'Content-Type: multipart/{kind}; \n\tboundary="{boundary}"', boundary, *content)

    text = entity("Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: 7bit", ASCII)
    html = entity("Content-Type: text/html;charset=UTF-8\nContent-Transfer-Encoding: quoted-printable", quoted(PAGE))
    pdf = entity(
        "Content-Type: application/octet-stream; name=report.pdf\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=report.pdf",
        PDF64,
    )
    sheet = entity(
        'Content-Type: application/vnd.openxmlformats-officedocument.spreadsheetml.sheet; \n\tname="=?UTF-8?Q?=C3=9Cbersicht.xlsx?="\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; \n\tfilename="=?UTF-8?Q?=C3=9Cbersicht.xlsx?="',
        b64(ZIP),
    )
    yield message(_MIME, text)
    yield message(_MIME, mixed("mixed", 0, text, pdf))
    yield message(_MIME, mixed("mixed", 0, html, sheet))
    yield message(
        _MIME,
        mixed("mixed", 0, mixed("related", 1, html, encoded("image/png; name=logo.png", PNG, "inline", "logo.png"))),
    )
    yield message(_MIME, mixed("mixed", 0, mixed("related", 1, mixed("alternative", 2, text, html)), pdf))


def python() -> Iterator[bytes]:
    boundary = "===============7330845974216740156=="
    text = entity(
        'Content-Type: text/plain; charset="utf-8"\nContent-Transfer-Encoding: base64\nMIME-Version: 1.0',
        b64(GREETING.encode()),
    )
    octets = entity(
        'Content-Type: application/octet-stream\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="data.csv"',
        b64(b"a;b\n1;2\n"),
    )
    csv = entity(
        'Content-Type: text/csv; charset="utf-8"\nMIME-Version: 1.0\nContent-Transfer-Encoding: 7bit\nContent-Disposition: attachment; filename="data.csv"',
        "a;b\n1;2\n",
    )
    field = f'Content-Type: multipart/mixed; boundary="{boundary}"\nMIME-Version: 1.0'
    yield message("", f"{text}\n")
    yield message("", parts(field, boundary, text, octets))
    yield message("", parts(field, boundary, text, csv, gap="\n\n"))
    yield message("", parts(field.replace("mixed", "alternative"), boundary, text, _HTML))


def scripts() -> Iterator[bytes]:
    patch = "---\n a.c | 2 +-\n\ndiff --git a/a.c b/a.c\nindex 000..111 100644\n--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-a\n+b\n-- \n2.43.0\n"
    yield message("", f"\n{ASCII}", "Cron <root@host> /usr/bin/job")
    yield message(
        "X-Cron-Env: <SHELL=/bin/sh>\nMIME-Version: 1.0\n",
        entity(
            "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit",
            "begin of job\nbegin 1 ok\nend\n",
        ),
    )
    yield message(
        "X-Mailer: git-send-email 2.43.0\nMIME-Version: 1.0\n",
        entity("Content-Transfer-Encoding: 8bit", f"From: Someone <x@y.example>\n\n{GREETING}{patch}"),
        "[PATCH] a: Fix b",
    )
    yield message("", f"\n{patch}", "[PATCH 1/2] a")
    yield message(
        "MIME-Version: 1.0\n",
        parts(
            'Content-Type: multipart/mixed; boundary="------------2.43.0"',
            "------------2.43.0",
            entity("Content-Type: text/plain; charset=UTF-8; format=fixed\nContent-Transfer-Encoding: 8bit", GREETING),
            entity(
                'Content-Type: text/x-patch; name="0001-a.patch"\nContent-Transfer-Encoding: 8bit\nContent-Disposition: attachment; filename="0001-a.patch"',
                patch,
            ),
            preamble="This is a multi-part message in MIME format.\n",
            gap="\n\n",
        ),
    )
    yield message(
        "MIME-Version: 1.0\nUser-Agent: s-nail v14.9.24\n",
        _mixed("mixed", "=-=abc=-=", _PLAIN, encoded("application/x-gzip", GZIP, name="log.gz")),
    )


def trackers() -> Iterator[bytes]:
    fields = "Auto-Submitted: auto-generated\nX-GitHub-Reason: mention\nList-ID: a/b <b.a.github.example>\nPrecedence: list\nMime-Version: 1.0\n"
    boundary = "--==_mimepart_66ee0000_1234567890"
    text = entity(
        "Content-Type: text/plain;\n charset=UTF-8\nContent-Transfer-Encoding: 7bit",
        "```\nContent-Type: text/html\n\n--x\n```\n\n-- \nReply to this email directly\n",
    )
    yield message(
        fields,
        f'Content-Type: multipart/alternative;\n boundary="{boundary}";\n charset=UTF-8\nContent-Transfer-Encoding: 7bit\n\n\n--{boundary}\n{text}\n--{boundary}\n{_HTML}\n--{boundary}--\n',
    )
    yield message(
        "X-JIRA-FingerPrint: 0123\nMIME-Version: 1.0\n",
        parts(
            'Content-Type: multipart/related; \n\tboundary="----=_Part_1"',
            "----=_Part_1",
            _HTML,
            encoded('image/png; name="jira-generated-image-avatar"', PNG, "inline", "jira-generated-image-avatar"),
        ),
    )
    yield message(fields, text)
    yield message(
        "X-Bugzilla-Type: changed\nMIME-Version: 1.0\n", _mixed("alternative", "17900000.abcdef.12", _PLAIN, _HTML)
    )


def reports() -> Iterator[bytes]:
    gz = encoded(
        'application/gzip; name="a!b!1!2.xml.gz"',
        GZIP,
        name="google.example!example.org!1790000000!1790086399.xml.gz",
    )
    archive = encoded("application/zip", ZIP, name="google.example!example.org!1!2.zip")
    yield message(
        _MIME,
        entity(
            'Content-Type: application/zip; \n\tname="a.zip"\nContent-Disposition: attachment; \n\tfilename="a.zip"\nContent-Transfer-Encoding: base64',
            b64(ZIP),
        ),
        "Report domain: example.org Submitter: google.example",
    )
    yield message(_MIME, _mixed("mixed", "dmarc", _PLAIN, gz))
    yield message(
        _MIME,
        _mixed(
            'report; report-type="tlsrpt"',
            "tls",
            _PLAIN,
            encoded("application/tlsrpt+gzip", GZIP, name="a.json.gz"),
        ),
    )
    yield message(_MIME, _mixed("mixed", "dmarc", _PLAIN, archive))


def scanners() -> Iterator[bytes]:
    for kind, name, octets in (
        ("application/pdf", "Scan_20260921.pdf", PDF),
        ("image/tiff", "00001.tif", b"II*\0" + bytes(60)),
        ("application/octet-stream", "DOC001.PDF", PDF),
    ):
        part = entity(
            f'Content-Type: {kind}; name="{name}"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="{name}"',
            b64(octets, 72),
        )
        yield message(
            f"X-Mailer: MFP 1.0\n{_MIME}",
            parts(
                "Content-Type: multipart/mixed; boundary=DC_BOUNDARY_STRING",
                "DC_BOUNDARY_STRING",
                entity("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 7bit", "Scan\n"),
                part,
            ),
        )
        yield message(f"X-Mailer: MFP 1.0\n{_MIME}", part)
        yield message(
            f"X-Mailer: fax\n{_MIME}",
            parts(
                'Content-type: multipart/mixed; boundary="_==fax==_"',
                "_==fax==_",
                entity("Content-type: text/plain", "Fax von +49 89 1\n"),
                part,
            ).replace("Content-Type", "Content-type"),
        )


def business() -> Iterator[bytes]:
    xml = encoded("application/xml; name=factur-x.xml", b"<?xml version='1.0'?><a/>", name="factur-x.xml")
    edi = entity(
        "Content-Type: application/edifact; name=order.edi\nContent-Transfer-Encoding: quoted-printable\nContent-Disposition: attachment; filename=order.edi",
        "UNB+UNOC:3+A+B+260921:1200+1'=\n\nUNZ+1+1'\n",
    )
    deep = _TEXT
    for level in range(8):
        deep = _mixed("mixed", f"level{level}", deep)
    voice = encoded("audio/x-wav; name=voice.wav", b"RIFF\x24\0\0\0WAVEfmt " + bytes(20), name="voice.wav")
    yield message(_MIME, _mixed("mixed", "SAP-1", _PLAIN, _PDF, xml))
    yield message(_MIME, _mixed("mixed", "SAP-1", edi))
    yield message(_MIME, deep)
    yield message(_MIME, _mixed("mixed", "vm", _PLAIN, voice))
    yield message(_MIME, _mixed("voice-message; version=2.0", "vm", _PLAIN, voice))
    yield message(_MIME, _mixed("form-data", "fd", entity('Content-Disposition: form-data; name="text"', "value\n")))
    yield message(_MIME, _mixed("mixed", "many", *([_PLAIN] + [_PDF] * 60)))
    yield message(_MIME, _mixed("parallel", "p", _PLAIN, encoded("image/png", PNG, "inline", "a.png")))
    yield message(_MIME, _mixed("mixed", "empty", "\n", "Content-Type: text/plain\n", _PDF))


def sloppy() -> Iterator[bytes]:
    """Yield what honest programs get wrong and every reader forgives."""
    yield message(
        _MIME, entity('Content-Type: text/plain; charset = "utf-8"\nContent-Transfer-Encoding: 8bit', GREETING)
    )
    yield message(
        _MIME, entity("Content-Type: text/plain;\n charset=utf-8;\nContent-Transfer-Encoding: 8Bit", GREETING)
    )
    yield message(_MIME, entity("Content-Type: text/html charset=utf-8", PAGE))
    yield message(_MIME, entity('Content-Type: text/plain; charset="us-ascii" (Plain text)', ASCII))
    yield message(_MIME, entity("Content-Type: text", ASCII))
    yield message(
        _MIME, entity("Content-Type: text/plain; charset=utf-8\nContent-Type: text/plain; charset=utf-8", GREETING)
    )
    yield message(
        _MIME,
        entity(
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable",
            "Gr=c3=bc=c3=9fe, 100 % = alles\n=\n",
        ),
    )
    yield message(_MIME, entity('Content-Type: image/png; name="a.png\nContent-Transfer-Encoding: base64', PNG64))
    yield message(
        _MIME,
        _mixed(
            "mixed",
            "x",
            _PLAIN,
            entity('Content-Type: application/pdf; name="a.pdf"\nContent-Transfer-Encoding: base64', f"{PDF64[:-1]}\n"),
        ),
    )


BUILDERS = (
    mailman, postfix_bounces, exchange_bounces, old_bounces, receipts, invitations, smime, pgp, newsletters, php, java, python,
    scripts, trackers, reports, scanners, business, sloppy,
)  # fmt: skip
