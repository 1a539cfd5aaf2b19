"""From the door to the destination: our own mail arrives signed, a stranger's stripped mail sealed."""

import base64
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from services.delivery.signing.keys import SigningKey, make_key
from tests.support import mail_dkim
from tests.support.mail_samples import EXE, with_exe
from tests.support.verifiers import dkimpy_arc, new_key, opendkim, published
from tests.support.waiting import wait_for
from tests.support.world import OUTSIDER, TRUSTED, USER, World, mail, octets, on_sqlite, world_on

THEIRS = new_key("rsa", "first.example", "s")


def key_in(file: Path) -> SigningKey:
    private = load_pem_private_key(file.read_bytes(), None)
    assert isinstance(private, RSAPrivateKey)
    return SigningKey("hosted.example", "s1", private)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signing")


@pytest.fixture(scope="module")
def world(directory: Path) -> Iterator[World]:
    file = directory / "dkim.pem"
    file.write_bytes(make_key("rsa"))
    entry = {"domain": "hosted.example", "selector": "s1", "key": "dkim.pem"}
    extra = {"ingress": {"authentication": {"verify": True}}, "delivery": {"dkim": [entry], "arc": entry}}
    with world_on(on_sqlite(directory), directory, extra) as world:
        world.dns.zone |= published(key_in(file), THEIRS)
        yield world


def test_a_users_mail_is_signed(world: World, tmp_path: Path) -> None:
    assert world.submit(USER, "one@elsewhere.example", octets(mail(USER, "one@elsewhere.example", "hi"))).code == 250
    (arrived,) = world.arrived("one@elsewhere.example")
    assert opendkim(arrived.content, world.dns, tmp_path) == [("pass", "rsa-sha256")]


def test_a_report_is_signed(world: World, tmp_path: Path) -> None:
    world.destination.script("RCPT nobody@elsewhere.example", "550 5.1.1 no such user")
    to = "nobody@elsewhere.example"
    assert world.send(TRUSTED, "bob@hosted.example", to, octets(mail("bob@hosted.example", to, "x"))).code == 250
    report = world.report(to)
    assert opendkim(report.content, world.dns, tmp_path) == [("pass", "rsa-sha256")]
    assert report.content.count(b"DKIM-Signature:") == 1


def test_a_strangers_stripped_mail_is_sealed_upon_the_chain_it_had(world: World, tmp_path: Path) -> None:
    """The chain passes at the door, does not after the attachment is gone, and does again with our seal."""
    results = b"Authentication-Results: first.example; spf=pass smtp.mailfrom=a@elsewhere.example\r\n"
    sealed = mail_dkim.sealed(results + with_exe(), THEIRS, "first.example", "none", tmp_path)
    assert world.send(OUTSIDER, "a@elsewhere.example", "two@hosted.example", sealed).code == 250
    (arrived,) = world.arrived("two@hosted.example")
    program = base64.b64encode(EXE)[:40]
    assert program in sealed
    assert program not in arrived.content
    assert arrived.content.startswith(b"ARC-Seal: i=2;")
    assert b"arc=pass" in arrived.content
    assert dkimpy_arc(arrived.content, world.dns) == ("pass", "success")
    assert mail_dkim.verified(arrived.content, world.dns)[0] == "pass"
    below = arrived.content[arrived.content.index(b"Received:") :]
    assert dkimpy_arc(below, world.dns)[0] == "fail"


def test_a_strangers_mail_that_was_not_changed_has_nothing_of_ours(world: World, tmp_path: Path) -> None:
    """The signature that it came with holds as before."""
    content = octets(mail("bob@hosted.example", "three@hosted.example", "spoof"))
    private = THEIRS.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    signed = dkim.sign(content, b"s", b"first.example", private) + content
    assert world.send(OUTSIDER, "a@elsewhere.example", "three@hosted.example", signed).code == 250
    (arrived,) = world.arrived("three@hosted.example")
    assert arrived.content.count(b"DKIM-Signature:") == 1
    assert opendkim(arrived.content, world.dns, tmp_path) == [("pass", "rsa-sha256")]
    assert b"ARC-Seal" not in arrived.content


def test_a_key_replaced_in_its_file_signs_by_itself(world: World, directory: Path, tmp_path: Path) -> None:
    file, fresh = directory / "dkim.pem", directory / "fresh.pem"
    fresh.write_bytes(make_key("rsa"))
    world.dns.zone |= published(key_in(fresh))
    fresh.replace(file)
    numbers = count()

    def is_good() -> bool:
        to = f"turn{next(numbers)}@elsewhere.example"
        assert world.send(TRUSTED, "bob@hosted.example", to, octets(mail("bob@hosted.example", to, "x"))).code == 250
        (arrived,) = world.arrived(to)
        return opendkim(arrived.content, world.dns, tmp_path) == [("pass", "rsa-sha256")]

    wait_for(is_good, 60, 0.5)
