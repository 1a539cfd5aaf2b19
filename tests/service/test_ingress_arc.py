"""Chains that strangers' mail comes with: what ingress writes of them, and dkimpy's view of the same octets."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.delivery.signing.arc import Chain, arc_set
from services.delivery.signing.dkim import Signed
from services.delivery.signing.keys import SigningKey
from services.delivery.signing.names import names_to_sign
from shared.config.strangers import Authentication
from shared.dns.resolver import DnsResolver
from shared.mailauth.arc import BadChain, read_chain
from shared.mailauth.fields import split
from shared.mailauth.signed import hash_body
from tests.support import mail_dkim
from tests.support.dns_server import DnsServer, Fault
from tests.support.front import Front, front_config
from tests.support.verifiers import dkimpy_arc, new_key, published

MAIL = (
    b"From: Alice <alice@elsewhere.example>\r\nTo: bob@example.org\r\nSubject: Dinner\r\n"
    b"Date: Tue, 24 Nov 2026 20:14:35 +0000\r\nMessage-ID: <1@elsewhere.example>\r\n\r\nHello.\r\n"
)
KEY, OTHER = new_key("rsa", "one.example", "s"), new_key("rsa", "two.example", "s")
NOT_THERE = new_key("rsa", "absent.example", "s")
DOWN = new_key("rsa", "down.example", "s")


def seal(mail: bytes, key: SigningKey = KEY, claimed: str | None = None, names: bytes = b"") -> bytes:
    """Return the message with one set more, as our own delivery makes it."""
    parts = split([mail])
    assert parts is not None
    before = read_chain(parts.fields)
    assert not isinstance(before, BadChain)
    signed = Signed(
        parts.fields,
        (*(names_to_sign(parts.fields) or ()), *([names] if names else [])),
        hash_body(parts.body, relaxed=True).digest,
        time.time(),
    )
    chain = Chain(len(before) + 1, claimed or ("pass" if before else "none"), () if claimed == "fail" else before)
    return arc_set(key, signed, b"mx.example.com; spf=pass", chain) + mail


def chain_of(count: int) -> bytes:
    mail = MAIL
    for _ in range(count):
        mail = seal(mail)
    return mail


def without(mail: bytes, name: bytes, instance: int) -> bytes:
    """Return the message without one field of a set."""
    changed = re.sub(rb"^" + name + rb": i=%d;[^\n]*\n(?:[ \t][^\n]*\n)*" % instance, b"", mail, flags=re.MULTILINE)
    assert changed != mail
    return changed


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    with DnsServer(published(KEY, OTHER, DOWN)) as server:
        server.fail(DOWN.name, Fault.SERVFAIL)
        yield server


@pytest.fixture(scope="module")
def front(dns: DnsServer) -> Iterator[Front]:
    config = front_config(authentication=Authentication(verify=True))
    with Front(config, resolver=DnsResolver((dns.address,), lifetime=2)) as front:
        yield front


def results(front: Front, mail: bytes) -> str:
    """Return the lines of our field about the chain; "" if there are none."""
    with front.connect("127.0.0.1") as talk:
        for line in ("EHLO client.example", "MAIL FROM:<alice@elsewhere.example>", "RCPT TO:<bob@example.org>", "DATA"):
            assert talk.ask(line)[0] in "23", line
        talk.send(mail.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert talk.reply().startswith("250")
    content = front.recorder.messages[-1].content
    field = content.replace(b"\r\n\t", b" ").split(b"\r\n")[1].decode()
    assert field.startswith("Authentication-Results: relay.example.net; ")
    return "; ".join(part for part in field.split("; ") if part.startswith("arc="))


GOOD: dict[str, Callable[[], bytes]] = {
    "one set": lambda: chain_of(1),
    "three sets": lambda: chain_of(3),
    "fifty sets": lambda: chain_of(50),
    "two relays": lambda: seal(chain_of(1), OTHER),
    "changed between the two": lambda: seal(chain_of(1).replace(b"Hello.", b"Hallo."), OTHER),
    "a relay's fields above": lambda: b"Received: from x by y; Tue, 24 Nov 2026 20:14:36 +0000\r\n" + chain_of(2),
    "large": lambda: seal(MAIL + b"0123456789 abcdef\r\n" * 50_000),
}


@pytest.mark.parametrize("name", GOOD)
def test_chains_that_hold(front: Front, dns: DnsServer, name: str) -> None:
    mail = GOOD[name]()
    assert results(front, mail) == "arc=pass"
    assert dkimpy_arc(mail, dns) == ("pass", "success")


def test_a_chain_that_another_library_made(front: Front, dns: DnsServer, tmp_path: Path) -> None:
    theirs = b"Authentication-Results: one.example; spf=pass smtp.mailfrom=alice@elsewhere.example\r\n"
    mail = mail_dkim.sealed(theirs + MAIL, KEY, "one.example", "none", tmp_path)
    assert results(front, mail) == "arc=pass"
    assert results(front, seal(mail, OTHER)) == "arc=pass"
    assert results(front, mail.replace(b"Hello.", b"Hallo.")) == 'arc=fail reason="the body has changed"'
    assert mail_dkim.verified(seal(mail, OTHER), dns)[0] == "pass"


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "body": (lambda: chain_of(2).replace(b"Hello.", b"Hallo."), "the body has changed"),
    "header": (lambda: chain_of(1).replace(b"Dinner", b"Lunch"), "the signature does not fit"),
    "results": (
        lambda: chain_of(1).replace(b"i=1; mx.example.com; spf=pass", b"i=1; mx.example.com; spf=fail"),
        "the seal with i=1 does not fit",
    ),
    "older results": (
        lambda: chain_of(3).replace(b"i=2; mx.example.com; spf=pass", b"i=2; mx.example.com; spf=fail"),
        "the seal with i=2 does not fit",
    ),
    "no key": (lambda: seal(chain_of(1), NOT_THERE), "there is no such key"),
    "no key of an older one": (lambda: seal(seal(MAIL, NOT_THERE)), "there is no such key"),
    "51 sets": (lambda: chain_of(51), "more than 50 sets"),
    "a set gone": (
        lambda: without(
            without(without(chain_of(2), b"ARC-Seal", 1), b"ARC-Message-Signature", 1), b"ARC-Authentication-Results", 1
        ),
        "the sets are not complete",
    ),
    "a seal gone": (lambda: without(chain_of(2), b"ARC-Seal", 1), "the sets are not complete"),
    "cv=none in the second": (lambda: seal(chain_of(1), claimed="none"), "cv='none' in the seal with i=2"),
    "a seal over fields": (lambda: chain_of(1).replace(b"cv=none;", b"cv=none; h=from;"), "h= in a seal"),
    "a signature over seals": (lambda: seal(chain_of(1), names=b"arc-seal"), "a signature over seals"),
    "not a signature": (
        lambda: (
            b"ARC-Seal: i=1; cv=none\r\nARC-Message-Signature: i=1; a=x\r\nARC-Authentication-Results: i=1; x\r\n"
            + MAIL
        ),
        "no a= tag",
    ),
    "junk": (lambda: b"ARC-Seal: junk\r\n" + MAIL, "a field without i="),
}


@pytest.mark.parametrize("name", BAD)
def test_chains_that_do_not_hold(front: Front, dns: DnsServer, name: str) -> None:
    make, reason = BAD[name]
    mail = make()
    said = results(front, mail)
    assert said.startswith('arc=fail reason="')
    assert reason.replace('"', "'") in said
    assert name in {"51 sets", "junk"} or dkimpy_arc(mail, dns)[0] == "fail"  # dkimpy has no limit, and skips junk


def test_a_chain_declared_broken_stays_broken(front: Front, dns: DnsServer) -> None:
    mail = seal(chain_of(1).replace(b"Hello.", b"Hallo."), OTHER, claimed="fail")
    assert results(front, mail) == 'arc=fail reason="its last seal says so"'
    assert dkimpy_arc(mail, dns)[0] == "ended"


@pytest.mark.parametrize(
    "mail",
    [MAIL, seal(chain_of(1), DOWN), seal(seal(MAIL, DOWN)), seal(seal(MAIL, DOWN).replace(b"Hello.", b"Hallo."))],
    ids=["no chain", "key unknown now", "older key unknown now", "the same"],
)
def test_where_nobody_can_tell_nothing_is_said(front: Front, mail: bytes) -> None:
    assert results(front, mail) == ""


def test_the_log_says_what_was_found(front: Front) -> None:
    results(front, chain_of(1))
    line = next(line for line in reversed(front.log.getvalue().splitlines()) if '"accepted"' in line)
    assert '"arc":"pass"' in line
