"""The pieces that ordinary messages are put together from, as text with LF; nothing goes through a MIME library."""

import gzip
import textwrap

from tests.support.mail_samples import PDF, PNG, b64, crlf

GREETING = "Hallo Bob,\n\nanbei — schöne Grüße aus München\n\n-- \nAlice Example\n"
ASCII = "Hi Bob,\n\nsee the file. It begins at page 644 and ends there.\n\n--\nAlice\n"
PAGE = '<html><body style="margin:0"><p>Hallo <b>Bob</b>, 100 % schön</p><img src="cid:img1@x"></body></html>\n'
GZIP = gzip.compress(b"<xml/>", mtime=0)
ZIP = b"PK\x05\x06" + bytes(18)
VCARD = "BEGIN:VCARD\nVERSION:3.0\nFN:Alice Example\nEND:VCARD\n"
EVENT = "BEGIN:VCALENDAR\nPRODID:-//x//y\nVERSION:2.0\nMETHOD:{}\nBEGIN:VEVENT\nUID:1@x\nEND:VEVENT\nEND:VCALENDAR\n"
RECEIVED = (
    "Received: from mx.example.org (mx.example.org [192.0.2.1])\n\tby mail.example.net (Postfix) with ESMTPS id 4ABC\n"
    "\tfor <bob@example.net>; Mon, 21 Sep 2026 10:00:00 +0000 (UTC)\n"
)
DKIM = (
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;\n\ts=sel; t=1790000000;\n"
    "\th=From:Subject:Date:Message-ID:To:MIME-Version:\n\t Content-Type:Content-Transfer-Encoding:From;\n"
    "\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\n\tb=dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZ\n"
)


def message(fields: str, entity: str, subject: str = "=?utf-8?Q?Unterlagen_f=C3=BCr_Dich?=") -> bytes:
    """Return a message: trace, the usual fields, a producer's own, and an entity with its fields."""
    usual = f'From: "Alice Example" <alice@example.org>\nTo: Bob <bob@example.net>\nSubject: {subject}\n'
    date = "Date: Mon, 21 Sep 2026 12:00:00 +0200\nMessage-ID: <1234@client.example>\n"
    return crlf(f"{RECEIVED}{DKIM}{usual}{date}{fields}{entity}")


def entity(fields: str, content: str) -> str:
    """Return fields and content as a part."""
    return f"{fields}\n\n{content}"


def quoted(text: str) -> str:
    """Return quoted-printable as most programs write it."""
    octets = "".join(c if c.isascii() and c != "=" else "".join(f"={o:02X}" for o in c.encode()) for c in text)
    return "\n".join("=\n".join(textwrap.wrap(line, 72, drop_whitespace=False) or [""]) for line in octets.split("\n"))


def parts(field: str, boundary: str, *content: str, preamble: str = "", gap: str = "\n", end: str = "\n") -> str:
    """Return a multipart: its Content-Type as given, a boundary, and the parts."""
    body = "".join(f"--{boundary}\n{part}{gap}" for part in content)
    return f"{field}\n\n{preamble}{body}--{boundary}--{end}"


def encoded(kind: str, octets: bytes, disposition: str = "attachment", name: str = "") -> str:
    """Return a base64 part in the plainest form."""
    named = f'; filename="{name}"' if name else ""
    fields = f"Content-Type: {kind}\nContent-Transfer-Encoding: base64\nContent-Disposition: {disposition}{named}"
    return entity(fields, f"{b64(octets)}\n")


PDF64, PNG64 = b64(PDF), b64(PNG)
