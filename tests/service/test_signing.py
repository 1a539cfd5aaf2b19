"""Our DKIM signatures, as OpenDKIM and dkimpy verify them: messages of every shape, and what must break a signature."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.delivery.signing.keys import SigningKey
from services.delivery.signing.signer import DkimKey, Keys, Signer
from shared.model import Envelope, Item, Message, Origin, Recipient
from tests.support.dns_server import DnsServer
from tests.support.verifiers import dkimpy, new_key, opendkim, published

NOW = time.time()
HEADER = (
    b"Received: from client.example ([192.0.2.7])\r\n\tby relay.example.org with ESMTPSA id 01ID;\r\n"
    b"\tTue, 24 Nov 2026 20:14:35 +0000\r\n"
    b"From: Alice <alice@example.org>\r\nTo: bob@example.net\r\nSubject: Dinner\r\n"
    b"Date: Tue, 24 Nov 2026 20:14:35 +0000\r\nMessage-ID: <1@example.org>\r\n"
)
BOTH = [("pass", "rsa-sha256"), ("pass", "ed25519-sha256")]
NEITHER = [("fail", "rsa-sha256"), ("fail", "ed25519-sha256")]


class Signing(NamedTuple):
    """A signer with two keys, and the DNS server that has their records."""

    signer: Signer
    dns: DnsServer

    def signed(self, content: bytes) -> bytes:
        envelope = Envelope(sender="alice@example.org", recipients=(Recipient(address="bob@example.net"),))
        item = Item(id="01ID", envelope=envelope, origin=Origin.AUTHENTICATED, accepted_at=NOW)
        prefix = self.signer.prefix(Message(item, content), NOW)
        assert prefix
        return prefix + content


@pytest.fixture(scope="module")
def signing() -> Iterator[Signing]:
    keys = (new_key("rsa"), new_key("ed25519"))
    with DnsServer(published(*keys)) as dns:
        yield Signing(signer_of(*keys), dns)


def signer_of(*keys: SigningKey, valid_for: float = 0) -> Signer:
    used = Keys({"example.org": tuple(DkimKey(key, valid_for) for key in keys)})
    return Signer(used, "relay.example.org", "postmaster@example.org")


OBSOLETE = "white space before the colon"
"""Not for dkimpy, which cannot read it (RFC 5322 section 4.5)."""
SHAPES = {
    "plain": HEADER + b"\r\nHello.\r\n",
    "folded fields": HEADER
    + b"References: <1@example.net>\r\n\t<2@example.net>\r\n   <3@example.net>  \r\n"
    + b"Cc:\r\n carol@example.net\r\n\r\nx\r\n",
    "odd white space": HEADER
    + b"Content-Type:\ttext/plain;   charset=utf-8  \r\nMIME-Version:1.0\r\n\r\n \t a \t b \t\r\n\r\n c\r\n",
    OBSOLETE: HEADER + b"Reply-To  : a@example.org\r\n\r\nx\r\n",
    "duplicate fields": HEADER
    + b"To: x@example.net\r\nTO: y@example.net\r\nCc: z@example.net\r\nCc: z@example.net\r\n\r\nx\r\n",
    "empty values": HEADER + b"Cc:\r\nReply-To: \r\nIn-Reply-To:\r\n \r\n\r\nx\r\n",
    "no body": HEADER,
    "empty body": HEADER + b"\r\n",
    "body of empty lines": HEADER + b"\r\n\r\n\r\n\r\n",
    "body of blanks": HEADER + b"\r\n  \t \r\n\t\r\n",
    "empty lines at the end": HEADER + b"\r\nHello.\r\n\r\n\r\n \r\n",
    "no final line end": HEADER + b"\r\nHello.",
    "8 bit": HEADER + b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xfc\xdfe, \xe2\x82\xac\r\n",
    "UTF-8 in fields": HEADER.replace(b"Dinner", "Grüße".encode()) + b"\r\nx\r\n",
    "long lines": HEADER + b"\r\n" + b"a b" * 5000 + b"\r\n" + b" " * 5000 + b"x\r\n",
    "dots": HEADER + b"\r\n.\r\n..\r\n.x\r\n",
    "a list's fields": HEADER
    + b"List-ID: <l.example.org>\r\nList-Unsubscribe: <https://example.org/u>\r\n"
    + b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nSender: l@example.org\r\n\r\nx\r\n",
    "signed before": b"DKIM-Signature: v=1; a=rsa-sha1; d=example.org; s=old; h=from; bh=; b=\r\n"
    + HEADER
    + b"\r\nx\r\n",
    "5 MB": HEADER + b"\r\n" + (b"x" * 75 + b" \r\n") * 66000,
}


@pytest.mark.parametrize("name", SHAPES)
def test_whatever_its_shape_a_message_verifies(signing: Signing, name: str, tmp_path: Path) -> None:
    """Both algorithms by OpenDKIM, RSA by dkimpy as well; nothing of the message itself changes."""
    mail = signing.signed(SHAPES[name])
    assert mail.endswith(SHAPES[name])
    mail = _as_delivered(mail)
    found = opendkim(mail, signing.dns, tmp_path)
    assert [result for result in found if "sha1" not in result[1]] == BOTH
    assert name == OBSOLETE or dkimpy(mail, signing.dns)


CHANGES: list[tuple[str, bytes, bytes]] = [
    ("a letter of the body", b"Hello.", b"hello."),
    ("a line more", b"Hello.\r\n", b"Hello.\r\nPS\r\n"),
    ("the author", b"alice@example.org>", b"mallory@example.org>"),
    ("the subject", b"Dinner", b"Lunch"),
    ("the date", b"Date: Tue", b"Date: Wed"),
    ("a recipient", b"To: bob", b"To: bert"),
    *(
        (f"{name} added", b"From: Alice", name.encode() + b": x\r\nFrom: Alice")
        for name in (
            *("From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "In-Reply-To", "References"),
            *("MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
        )
    ),
    ("a field gone", b"Message-ID: <1@example.org>\r\n", b""),
]


@pytest.mark.parametrize(("old", "new"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_change_breaks_both(signing: Signing, old: bytes, new: bytes, tmp_path: Path) -> None:
    mail = signing.signed(SHAPES["plain"])
    assert mail.count(old) == 1
    changed = mail.replace(old, new)
    two_authors = changed.count(b"\r\nFrom:") > 1  # OpenDKIM then verifies nothing at all
    assert opendkim(changed, signing.dns, tmp_path) == ([] if two_authors else NEITHER)
    assert not _holds(changed, signing.dns)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hello.\r\n", b"Hello. \t\r\n\r\n\r\n"),
        (b"Subject: Dinner", b"SUBJECT:\r\n\t Dinner  "),
        (b"From: Alice", b"Received: from x by y; Tue, 24 Nov 2026 20:15:35 +0000\r\nFrom: Alice"),
        (b"From: Alice", b"List-ID: <list.example.net>\r\nX-Spam: no\r\nFrom: Alice"),
    ],
)
def test_what_relays_do_breaks_neither(signing: Signing, old: bytes, new: bytes, tmp_path: Path) -> None:
    changed = signing.signed(SHAPES["plain"]).replace(old, new)
    assert opendkim(changed, signing.dns, tmp_path) == BOTH
    assert _holds(changed, signing.dns)


def test_a_date_and_an_id_that_were_missing_may_be_added(signing: Signing, tmp_path: Path) -> None:
    """As relays do for scanners and scripts; where there is one, a second breaks the signature (CHANGES)."""
    bare = b"From: Alice <alice@example.org>\r\nSubject: Scan\r\n\r\nHello.\r\n"
    added = b"Message-ID: <1@smart.example>\r\nDate: Tue, 24 Nov 2026 20:14:35 +0000\r\n"
    mail = signing.signed(bare).replace(b"From: Alice", added + b"From: Alice")
    assert opendkim(mail, signing.dns, tmp_path) == BOTH
    assert _holds(mail, signing.dns)


def test_an_expired_signature_does_not_hold(tmp_path: Path) -> None:
    key = new_key("rsa")
    envelope = Envelope(sender="alice@example.org", recipients=(Recipient(address="bob@example.net"),))
    item = Item(id="01ID", envelope=envelope, origin=Origin.TRUSTED, accepted_at=NOW)
    with DnsServer(published(key)) as dns:
        for made, result in ((NOW, "pass"), (NOW - 7200, "permerror")):
            prefix = signer_of(key, valid_for=3600).prefix(Message(item, SHAPES["plain"]), made)
            assert [found for found, _ in opendkim(prefix + SHAPES["plain"], dns, tmp_path)] == [result]


def test_no_line_of_a_signature_is_long(signing: Signing) -> None:
    """What nobody on the way folds is within 78 octets (RFC 5322 section 2.1.1). There is no l= and no i=."""
    mail = signing.signed(SHAPES["plain"])
    fields = mail[: mail.index(b"Received:")]
    assert max(map(len, fields.split(b"\r\n"))) <= 78
    assert not re.search(rb"[;\s][li]=", fields)


_TEXT = st.binary(max_size=60).map(lambda octets: octets.translate(None, b"\0\r\n\v\f"))
"""Without VT and FF, which dkimpy takes for white space; to RFC 6376 section 2.8 they are none."""
_FIELD = st.tuples(
    st.sampled_from([b"To", b"cc", b"Subject", b"X-Other", b"Reply-To", b"List-ID", b"Content-Type", b"SENDER"]),
    st.lists(_TEXT, min_size=1, max_size=3),
).map(lambda field: field[0] + b": " + b"\r\n ".join(b"a" + text for text in field[1]) + b"\r\n")


@settings(max_examples=150, deadline=None)
@given(st.lists(_FIELD, max_size=6), st.lists(_TEXT, max_size=8), st.booleans())
def test_random_messages_verify(signing: Signing, fields: list[bytes], lines: list[bytes], cut: bool) -> None:
    content = HEADER + b"".join(fields) + b"\r\n" + b"".join(line + b"\r\n" for line in lines)
    if cut:
        content = content.removesuffix(b"\r\n")
    assert _holds(_as_delivered(signing.signed(content)), signing.dns)


def _as_delivered(mail: bytes) -> bytes:
    """Return the message as DATA delivers it: with the last line's end."""
    return mail if mail.endswith(b"\r\n") else mail + b"\r\n"


def _holds(mail: bytes, dns: DnsServer) -> bool:
    try:
        return dkimpy(mail, dns)
    except dkim.DKIMException:
        return False
