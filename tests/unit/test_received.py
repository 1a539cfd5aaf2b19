"""Trace fields: what they say, what they keep to themselves, and the loops they reveal; header fields on raw octets."""

import email
import email.policy

import pytest

from services.ingress import replies
from services.ingress.message.received import Arrival, address_literal, loop, protocol, received_field, rfc5322_date
from services.ingress.message.submission import missing_fields
from services.ingress.replies import Refuse
from shared.model import Client
from shared.smtp.headers import SCAN_LIMIT, field_values, header_section, starts_with_field

CLIENT = Client(address="192.0.2.7", helo="client.example", protocol="ESMTPSA", tls="TLSv1.3 TLS_AES_256_GCM_SHA384")


def test_the_whole_field() -> None:
    field = received_field(Arrival("relay.example.net", "01ID", CLIENT, 1_700_000_000.9))
    assert field == (
        b"Received: from client.example ([192.0.2.7])\r\n\t(using TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
        b"\tby relay.example.net (Sluice) with ESMTPSA id 01ID;\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
    )
    parsed = email.message_from_bytes(field + b"\r\n", policy=email.policy.default)
    assert parsed["Received"].endswith("Tue, 14 Nov 2023 22:13:20 +0000")


def test_the_name_of_an_address_stands_before_it() -> None:
    client = Client(address="2001:db8::1", helo="h.example", name="mail.example.net")
    field = received_field(Arrival("r.example", "01ID", client, 0))
    assert field.startswith(b"Received: from h.example (mail.example.net [IPv6:2001:db8::1])\r\n\tby ")


def test_without_helo_and_tls_and_over_ipv6() -> None:
    field = received_field(Arrival("r.example", "01ID", Client(address="2001:db8::1", protocol="SMTP"), 0))
    assert field.startswith(
        b"Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n\tby r.example (Sluice) with SMTP"
    )


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
        (951_782_399.5, "Mon, 28 Feb 2000 23:59:59 +0000"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
    ],
)
def test_dates(at: float, text: str) -> None:
    assert rfc5322_date(at) == text


PROTOCOLS = [
    ("SMTP", False, False, False, False),
    ("SMTP", False, False, True, False),
    ("ESMTP", True, False, False, False),
    ("ESMTPS", True, False, True, False),
    ("ESMTPA", True, False, False, True),
    ("ESMTPSA", True, False, True, True),
    ("UTF8SMTP", True, True, False, False),
    ("UTF8SMTPSA", True, True, True, True),
]


@pytest.mark.parametrize(("name", "extended", "smtputf8", "tls", "authenticated"), PROTOCOLS)
def test_protocol_names(name: str, extended: bool, smtputf8: bool, tls: bool, authenticated: bool) -> None:
    assert protocol(extended=extended, smtputf8=smtputf8, tls=tls, authenticated=authenticated) == name


def test_address_literals() -> None:
    assert address_literal("192.0.2.1") == "[192.0.2.1]"
    assert address_literal("::1") == "[IPv6:::1]"


def by(host: bytes) -> bytes:
    return b"Received: from x ([192.0.2.1])\r\n\tby " + host + b" with ESMTP id 1;\r\n\tdate\r\n"


OTHER = by(b"other.example")
OURS = by(b"Relay.Example.net (Sluice)")
LOOPS = [
    (b"\r\nbody\r\n", None),
    (OTHER * 49 + b"\r\n", None),
    (OTHER * 50 + b"\r\n", replies.TOO_MANY_HOPS),
    (b"RECEIVED : x\r\n" * 50 + b"\r\n", replies.TOO_MANY_HOPS),
    (b"X-Received: x\r\n" * 60 + b"\r\n", None),
    (b"\r\n" + OTHER * 60, None),
    (b"Subject: x\r\n Received: x\r\n" * 60 + b"\r\n", None),
    (OURS * 2 + b"\r\n", None),
    (OURS * 3 + b"\r\n", replies.OWN_LOOP),
    (OURS + OTHER * 5 + OURS + OTHER + OURS + b"Subject: x\r\n\r\n", replies.OWN_LOOP),
    (by(b"relay.example.net.evil.example") * 3 + b"\r\n", None),
    (by(b"my-relay.example.net") * 3 + b"\r\n", None),
    (by(b"relayXexample.net") * 3 + b"\r\n", None),
]


@pytest.mark.parametrize(("content", "expected"), LOOPS)
def test_loops(content: bytes, expected: Refuse | None) -> None:
    assert loop(content, "relay.example.net", 50) == expected


SUBMITTED = [
    (b"Date: x\r\nMessage-ID: <1@x>\r\n\r\nbody", b""),
    (b"date: x\r\nMESSAGE-ID: <1@x>\r\n\r\n", b""),
    (b"Message-ID: <1@x>\r\n\r\n", b"Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n"),
    (b"Date: x\r\n\r\nMessage-ID: in the body\r\n", b"Message-ID: <01ID@relay.example>\r\n"),
    (b"\r\nbody", b"Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <01ID@relay.example>\r\n"),
    (b"Resent-Date: x\r\nResent-Message-ID: y\r\n\r\n", missing_fields(b"\r\n", "01ID", "relay.example", 0)),
]


@pytest.mark.parametrize(("content", "added"), SUBMITTED)
def test_fields_that_submission_adds(content: bytes, added: bytes) -> None:
    assert missing_fields(content, "01ID", "relay.example", 0) == added


HEADERS = [
    (b"A: 1\r\nB: 2\r\n\r\nbody\r\n", b"A: 1\r\nB: 2\r\n"),
    (b"A: 1\r\n", b"A: 1\r\n"),
    (b"\r\nA: 1\r\n", b""),
    (b"", b""),
    (b"A: 1\r\n\r\n", b"A: 1\r\n"),
]


@pytest.mark.parametrize(("content", "section"), HEADERS)
def test_header_sections(content: bytes, section: bytes) -> None:
    assert header_section(content) == section


def test_a_header_without_end_is_not_scanned_without_end() -> None:
    assert len(header_section(b"A: 1\r\n" * 100_000)) == SCAN_LIMIT
    assert len(header_section(b"A: 1\r\n" * 100_000 + b"\r\nbody")) == SCAN_LIMIT


def test_field_values_are_unfolded_and_in_order() -> None:
    content = b"To: a\r\n\tb\r\nSubject: x\r\nTO : c\r\nTo:\r\n\r\nTo: body\r\n"
    assert field_values(content, "to") == [b"a\tb", b"c", b""]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"A: 1\r\n", True),
        (b"A : 1\r\n", True),
        (b"\r\nbody", True),
        (b" folded\r\n", False),
        (b"\tfolded\r\n", False),
        (b"no colon\r\n", False),
        (b": empty name\r\n", False),
        (b"", False),
        (b"caf\xe9: x\r\n", False),
    ],
)
def test_whether_content_starts_with_a_field(content: bytes, expected: bool) -> None:
    assert starts_with_field(content) is expected
