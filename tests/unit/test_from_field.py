"""The From field of a submitted message: what is read from it, and what is refused for being unclear."""

import pytest

from services.ingress import replies
from services.ingress.auth.from_field import decide_author, parse_authors, read_authors
from shared.smtp.address import BadAddress
from shared.smtp.headers import SCAN_LIMIT

GOOD = [
    ("bob@example.org", ["bob@example.org"]),
    ("<bob@example.org>", ["bob@example.org"]),
    ("Bob <bob@EXAMPLE.org>", ["bob@example.org"]),
    ("Bob\t<bob@example.org>", ["bob@example.org"]),
    ('"Bob, of us" <bob@example.org>', ["bob@example.org"]),
    ('"bob@example.org" <bob@example.org>', ["bob@example.org"]),
    ("=?utf-8?q?B=C3=B6b?= <bob@example.org>", ["bob@example.org"]),
    ("=?utf-8?b?QsO2Yg==?= <bob@example.org>", ["bob@example.org"]),
    ("bob@example.org (Cron Daemon)", ["bob@example.org"]),
    ("Bob <bob@example.org>, eve@example.net", ["bob@example.org", "eve@example.net"]),
    ('Bob <"b@b"@example.org>', ['"b@b"@example.org']),
]


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_authors(text: str, expected: list[str]) -> None:
    found = parse_authors(text)
    assert not isinstance(found, BadAddress)
    assert [str(mailbox) for mailbox in found] == expected


BAD = [
    "",
    "Bob",
    "<>",
    "bob",
    "bob@example.org,",
    ",bob@example.org",
    "bob@example.org eve@example.net",
    "bob@example.org <eve@example.net>",
    "<bob@example.org> <eve@example.net>",
    "<bob@example.org> Bob",
    "Us: bob@example.org;",
    "undisclosed:;",
    "bob(x)@example.org",
    "<bob@example.org (x)>",
    "<@relay.example:bob@example.org>",
    "bob@example.org (ceo@bank.example)",
    "bob@example.org ((nested))",
    "bob@example.org (open",
    '"open <bob@example.org>',
    "=?utf-8?q?bob=40example.org?=",
    "=?utf-8?q?ceo=40bank.example?= <bob@example.org>",
    "=?utf-7?q?ceo+AEA-bank.example?= <bob@example.org>",
    "=?x-unknown?q?ceo?= <bob@example.org>",
    '"=?utf-8?q?ceo=40bank.example=3E=2C?=" <bob@example.org>',
    "ceo\uff20bank.example <bob@example.org>",
    "=?utf-8?q?bob?=@example.org",
    "bob@[192.0.2.1]",
    "Bob <bob@example.org>\x00",
    "bob@example.org; eve@example.net",
]


@pytest.mark.parametrize("text", BAD)
def test_unclear_authors(text: str) -> None:
    assert isinstance(parse_authors(text), BadAddress)


FROM = b"From: bob@example.org\r\n"
HEADERS = [
    (FROM + b"\r\n", True),
    (FROM, True),
    (b"Subject: x\r\nfROM:\r\n bob@example.org\r\n\r\nFrom: eve@example.net\r\n", True),
    (b"Subject: x\r\n\r\n" + FROM, False),
    (FROM + FROM + b"\r\n", False),
    (FROM + b"From : eve@example.net\r\n\r\n", False),
    (b"From bob\r\n" + FROM + b"\r\n", False),
    (FROM + b"nonsense\r\n\r\n", False),
    (b"Subject: x\r\n \r\n" + FROM + b"\r\n", False),
    (b"\r\n" + FROM, False),
    (b"From: b\xffb@example.org\r\n\r\n", False),
    (FROM + b"X: " + b"y" * SCAN_LIMIT, False),
    (b"", False),
]


@pytest.mark.parametrize(("head", "good"), HEADERS)
def test_one_from_field_in_a_well_formed_header(head: bytes, *, good: bool) -> None:
    assert isinstance(read_authors(head), BadAddress) is not good


def test_every_author_must_be_the_user_s() -> None:
    head = b"From: bob@example.org, eve@example.net\r\n\r\n"
    assert decide_author(head, lambda _: True) is None
    refused = decide_author(head, lambda author: author.domain == "example.org")
    assert refused is replies.FOREIGN_AUTHOR
    unclear = decide_author(b"Subject: x\r\n\r\n", lambda _: True)
    assert unclear is not None
    assert unclear.rule == "auth.check_from_header"
    assert str(unclear.reply) == "550 5.7.1 Bad From field: there must be one From field, not 0"
