"""Strangers' mail verified at the door: signed by another implementation, keys and policies in a real DNS server."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from shared.config.strangers import Authentication
from shared.config.units import Duration
from shared.dns.resolver import DnsResolver
from shared.model import Item
from tests.support.dns_server import DnsServer, Fault
from tests.support.front import TRUSTED, Front, front_config
from tests.support.waiting import wait_for

MAIL = (
    b"From: Alice <alice@elsewhere.example>\r\nTo: bob@example.org\r\nSubject: Dinner\r\n\r\n"
    b"Hi.\r\n\r\nWe lost  the game. \r\n\r\n"
)
# RFC 8463 appendix A.3.
ED25519 = (
    b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    b" d=football.example.com; i=@football.example.com;\r\n"
    b" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject : date;\r\n"
    b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    b" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
    b"From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\n"
    b"Subject: Is dinner ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n"
    b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
)


class Signer:
    """An RSA key: what signs with it, and what DNS says of it."""

    def __init__(self, bits: int) -> None:
        key = rsa.generate_private_key(65537, bits)
        self._pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        text = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
        self.record = {"TXT": [" ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))]}

    def sign(self, mail: bytes = MAIL, selector: bytes = b"s1", **options: Any) -> bytes:
        field: bytes = dkim.sign(mail, selector, options.pop("domain", b"elsewhere.example"), self._pem, **options)
        return field + mail


STRONG = Signer(2048)
WEAK = Signer(1024)


@pytest.fixture
def dns() -> Iterator[DnsServer]:
    zone = {
        "elsewhere.example": {"TXT": ['"v=spf1 ip4:127.0.0.1 -all"']},
        "client.example": {"TXT": ['"v=spf1 ip4:127.0.0.1 -all"']},
        "liar.example": {"TXT": ['"v=spf1 -all"']},
        "_dmarc.elsewhere.example": {"TXT": ['"v=DMARC1; p=reject"']},
        "s1._domainkey.elsewhere.example": STRONG.record,
        "brisbane._domainkey.football.example.com": {
            "TXT": ['"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="']
        },
        "revoked._domainkey.elsewhere.example": {"TXT": ['"v=DKIM1; p="']},
    }
    with DnsServer(zone) as server:
        yield server


def send(front: Front, mail: bytes, sender: str = "alice@elsewhere.example", source: str = "127.0.0.1") -> str:
    with front.connect(source) as talk:
        for line in ("EHLO client.example", f"MAIL FROM:<{sender}>", "RCPT TO:<bob@example.org>", "DATA"):
            assert talk.ask(line)[0] in "23", line
        talk.send(mail.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        return talk.reply()


def door(dns: DnsServer, **settings: Any) -> Front:
    config = front_config(authentication=Authentication(verify=True, **settings))
    return Front(config, resolver=DnsResolver((dns.address,), lifetime=2))


def got(front: Front) -> tuple[Item, bytes]:
    """Return the last item and its content."""
    message = front.recorder.messages[-1]
    return message.item, message.content


def results(content: bytes) -> str:
    """Return our field, unfolded; it stands directly under our trace field."""
    fields = content.replace(b"\r\n\t", b" ").split(b"\r\n")
    assert fields[0].startswith(b"Received: ")
    assert fields[1].startswith(b"Authentication-Results: relay.example.net; ")
    return fields[1].decode()


def test_a_signed_message_from_an_allowed_client(dns: DnsServer) -> None:
    mail = STRONG.sign()
    with door(dns) as front:
        assert send(front, mail).startswith("250")
        item, content = got(front)
        logged = [json.loads(line) for line in front.log.getvalue().splitlines() if '"accepted"' in line]
    field = results(content)
    assert "; spf=pass smtp.mailfrom=alice@elsewhere.example; dkim=pass header.d=elsewhere.example header.s=s1" in field
    assert field.endswith("; dmarc=pass (p=reject) header.from=elsewhere.example")
    assert item.spf == "pass"
    assert content.endswith(mail)
    assert (logged[0]["spf"], logged[0]["dkim"], logged[0]["dmarc"]) == ("pass", ["pass elsewhere.example"], "pass")


CASES = [
    ("simple", STRONG.sign(canonicalize=(b"simple", b"simple")), "dkim=pass"),
    ("relaxed", STRONG.sign(canonicalize=(b"relaxed", b"relaxed")), "dkim=pass"),
    (
        "large",
        STRONG.sign(MAIL + b"0123456789 abcdef \r\n" * 50_000, canonicalize=(b"relaxed", b"relaxed")),
        "dkim=pass",
    ),
    ("1024 bits", WEAK.sign(selector=b"weak"), "dkim=pass"),
    ("ed25519", ED25519, "dkim=pass header.d=football.example.com header.s=brisbane header.a=ed25519-sha256"),
    ("ed25519 changed", ED25519 + b"x\r\n", 'dkim=fail reason="the body has changed"'),
    ("body", STRONG.sign() + b"More.\r\n", 'dkim=fail reason="the body has changed"'),
    ("header", STRONG.sign().replace(b"Dinner", b"Lunch"), 'dkim=fail reason="the signature does not fit"'),
    ("second From", b"From: x@evil.example\r\n" + STRONG.sign(), 'dkim=fail reason="the signature does not fit"'),
    ("no key", STRONG.sign(selector=b"absent"), 'dkim=permerror reason="there is no such key"'),
    ("revoked", STRONG.sign(selector=b"revoked"), 'dkim=permerror reason="the key is revoked"'),
    ("no DNS", STRONG.sign(selector=b"down"), 'dkim=temperror reason="no answer from DNS for the key"'),
    ("whole l=", STRONG.sign(length=True), "dkim=pass"),
    ("l= and more", STRONG.sign(length=True) + b"More.\r\n", "dkim=policy"),
    ("none", MAIL, "dkim=none"),
    ("junk", b"DKIM-Signature: junk\r\n" + MAIL, "dkim=neutral"),
    ("two", STRONG.sign(STRONG.sign(selector=b"absent")), "dkim=pass"),
    ("no header", b"just text\r\n", "dkim=none"),
]


@pytest.mark.parametrize(("what", "mail", "expected"), CASES, ids=[case[0] for case in CASES])
def test_signatures(dns: DnsServer, what: str, mail: bytes, expected: str) -> None:
    dns.zone["weak._domainkey.elsewhere.example"] = WEAK.record
    dns.fail("down._domainkey.elsewhere.example", Fault.SERVFAIL)
    with door(dns) as front:
        assert send(front, mail).startswith("250")
        _, content = got(front)
    assert f"; {expected}" in results(content)
    assert content.endswith(mail)


def test_spf_of_the_null_sender_is_that_of_its_name(dns: DnsServer) -> None:
    with door(dns) as front:
        assert send(front, MAIL, "").startswith("250")
        assert "; spf=pass smtp.helo=client.example; " in results(got(front)[1])


def test_silent_dns_delays_mail_only_so_long(dns: DnsServer) -> None:
    for name in ("elsewhere.example", "s1._domainkey.elsewhere.example", "_dmarc.elsewhere.example"):
        dns.fail(name, Fault.SILENT)
    resolver = DnsResolver((dns.address,), lifetime=2)
    settings = Authentication(verify=True, timeout=Duration(1))
    with Front(front_config(authentication=settings), resolver=resolver) as front:
        assert send(front, STRONG.sign()).startswith("250")
        item, content = got(front)
        # The look-ups go on for others that ask the same; the loop may be closed only after them.
        wait_for(lambda: not resolver._in_flight)
    assert item.spf == "temperror"
    assert all(f"{method}=temperror" in results(content) for method in ("spf", "dkim", "dmarc"))


@pytest.mark.parametrize(
    ("settings", "sender", "reply"),
    [
        ({"dmarc": "enforce"}, "alice@elsewhere.example", "250"),
        ({"dmarc": "enforce"}, "alice@liar.example", "550 5.7.1"),
        ({"dmarc": "report"}, "alice@liar.example", "250"),
        ({"spf_fail": "reject"}, "alice@liar.example", "550 5.7.23"),
        ({"spf_fail": "accept"}, "alice@liar.example", "250"),
    ],
)
def test_what_is_enforced(dns: DnsServer, settings: dict[str, str], sender: str, reply: str) -> None:
    with door(dns, **settings) as front:
        assert send(front, MAIL, sender).startswith(reply)
        assert send(front, MAIL, sender, TRUSTED).startswith("250")
        assert b"Authentication-Results" not in got(front)[1]


def test_a_forged_field_of_ours_is_cut_even_if_nothing_is_verified() -> None:
    forged = b"Authentication-Results: relay.example.net; dmarc=pass\r\n"
    other = b"Authentication-Results: mx.example.com; dmarc=fail\r\n"
    with Front(front_config()) as front:
        assert send(front, other + forged + MAIL).startswith("250")
        item, content = got(front)
        assert item.spf is None
        assert forged not in content
        assert content.endswith(other + MAIL)
        assert send(front, forged + MAIL, source=TRUSTED).startswith("250")
        assert got(front)[1].endswith(forged + MAIL)


def test_an_expired_signature_fails(dns: DnsServer) -> None:
    signed = STRONG.sign().replace(b"v=1;", f"v=1; x={int(time.time()) - 10};".encode(), 1)
    with door(dns) as front:
        assert send(front, signed).startswith("250")
        assert 'dkim=fail reason="the signature has expired"' in results(got(front)[1])
