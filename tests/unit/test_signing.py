"""Signing, the pure parts: who signs, what is covered, which files are keys."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from services.delivery.signing.keys import make_key, read_key, zone_line
from services.delivery.signing.names import MAX_NAMES, ONCE_MORE, names_to_sign
from services.delivery.signing.signer import DkimKey, Keys, Unsigned, dkim_keys, read_keys
from shared.config.model import Arc, Config, Delivery, Dkim
from shared.errors import ConfigError
from shared.mailauth.author import NoAuthor
from shared.mailauth.fields import fields_of
from shared.model import Envelope, Item, Origin, Recipient
from tests.support.programs import needed
from tests.support.verifiers import new_key

PEM, KEEP = Encoding.PEM, NoEncryption()
KEY = DkimKey(new_key("ed25519"), 0)
KEYS = Keys({domain: (KEY._replace(valid_for=number),) for number, domain in enumerate(("a.org", ".a.org", "b.org"))})
POSTMASTER = "postmaster@b.org"
NOBODY = NoAuthor("no From field")


def who(found: tuple[DkimKey, ...] | Unsigned) -> float | Unsigned:
    """Return the number of the key that signs."""
    if isinstance(found, Unsigned):
        return found
    (key,) = found
    return key.valid_for


def item(origin: Origin, sender: str | None) -> Item:
    envelope = Envelope(sender=sender, recipients=(Recipient(address="bob@example.net"),))
    return Item(id="01ID", envelope=envelope, origin=origin, accepted_at=0)


@pytest.mark.parametrize(
    ("origin", "author", "sender", "expected"),
    [
        (Origin.AUTHENTICATED, "a.org", "x@a.org", 0),
        (Origin.TRUSTED, "a.org", "x@b.org", 0),
        (Origin.TRUSTED, "news.a.org", "x@b.org", 1),
        (Origin.TRUSTED, "deep.news.a.org", None, 1),
        (Origin.TRUSTED, "other.org", "x@B.org", 2),
        (Origin.TRUSTED, "other.org", '"x@a.org"@b.org', 2),
        (Origin.TRUSTED, NOBODY, "x@b.org", 2),
        (Origin.TRUSTED, "nota.org", "x@other.org", Unsigned.NO_KEY),
        (Origin.TRUSTED, "sub.b.org", "x@sub.b.org", Unsigned.NO_KEY),
        (Origin.TRUSTED, "other.org", None, Unsigned.NO_KEY),
        (Origin.TRUSTED, NoAuthor("several From fields", several=True), "x@a.org", Unsigned.SEVERAL_AUTHORS),
        (Origin.INBOUND, "a.org", "x@a.org", Unsigned.NOT_OURS),
        (Origin.GENERATED, "b.org", None, 2),
        (Origin.GENERATED, "relay.other.org", None, 2),
        (Origin.GENERATED, "a.org", None, 0),
    ],
)
def test_who_signs(origin: Origin, author: str | NoAuthor, sender: str | None, expected: int | Unsigned) -> None:
    """The author's domain, else the sender's; never a stranger's mail, whatever domain it claims."""
    assert who(dkim_keys(KEYS, item(origin, sender), author, POSTMASTER)) == expected


@pytest.mark.parametrize(
    ("author", "sender", "expected"),
    [
        ("a.org", "x@a.org", Unsigned.FORGED),
        ("a.org", "x@b.org", Unsigned.FORGED),
        ("other.org", "x@b.org", 2),
        (NOBODY, "x@b.org", 2),
    ],
)
def test_a_forged_author_of_ours_is_not_confirmed(
    author: str | NoAuthor, sender: str, expected: int | Unsigned
) -> None:
    """Mailing lists, whose posts have strangers for authors, sign as themselves all the same."""
    assert who(dkim_keys(KEYS, item(Origin.TRUSTED, sender), author, POSTMASTER, forged=True)) == expected


@pytest.mark.parametrize(
    ("header", "besides", "added"),
    [
        (b"", (), []),
        (b"From: a\r\nTO: b\r\nto : c\r\n", (), [b"from", b"to", b"to"]),
        (b"Received: x\r\nX-Spam: no\r\nReturn-Path: <>\r\nAuthentication-Results: x\r\n", (), []),
        (b"Date: x\r\n", (), [b"date"] * 2),
        (b"Message-ID: x\r\nMessage-Id: y\r\n", (), [b"message-id"] * 3),
        (b"List-ID: x\r\nSender: y\r\nSender: y\r\n", (), [b"sender", b"sender", b"list-id"]),
        (b"DKIM-Signature: x\r\n", (), []),
        (b"DKIM-Signature: x\r\nDKIM-Signature: y\r\n", (b"dkim-signature",), [b"dkim-signature"] * 2),
    ],
)
def test_what_is_covered(header: bytes, besides: tuple[bytes, ...], added: list[bytes]) -> None:
    """What readers see once more than it is there, but for what relays may add; trace fields not at all."""
    names = names_to_sign(fields_of(header), *besides)
    assert names is not None
    assert sorted(names) == sorted([*ONCE_MORE, *added])


def test_a_message_with_hundreds_of_recipients_fields_is_not_signed() -> None:
    room = MAX_NAMES - len(ONCE_MORE)
    assert names_to_sign(fields_of(b"To: x\r\n" * room)) is not None
    assert names_to_sign(fields_of(b"To: x\r\n" * (room + 1))) is None


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_key_made_can_be_read(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(make_key(kind))
    key = new_key(kind)
    assert type(read_key("k", str(file))) is type(key.private)
    assert key.name == f"{kind}._domainkey.example.org"
    line = zone_line(key)
    assert line.startswith(f'{key.name}. IN TXT ( "v=DKIM1; k={kind}; p=')
    assert all(len(string) <= 255 for string in line.split('"')[1::2])
    assert "".join(line.split('"')[1::2]) == key.record
    assert "PRIVATE" not in repr(key)


@pytest.mark.parametrize(
    ("kind", "form", "expected"),
    [
        ("rsa", PublicFormat.SubjectPublicKeyInfo, True),
        ("rsa", PublicFormat.PKCS1, True),
        ("ed25519", PublicFormat.Raw, True),
        ("ed25519", PublicFormat.SubjectPublicKeyInfo, False),
    ],
)
def test_a_key_is_known_again_in_every_form_that_receivers_take(
    kind: str, form: PublicFormat, *, expected: bool
) -> None:
    key = new_key(kind)
    public = key.private.public_key()
    octets = public.public_bytes(Encoding.Raw if form is PublicFormat.Raw else Encoding.DER, form)
    assert key.is_published_as(octets) is expected
    assert not new_key(kind).is_published_as(octets)


EDWARDS = Ed25519PrivateKey.generate()
BAD_FILES = [
    (b"", "not a private key"),
    (b"-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n", "not a private key"),
    (EDWARDS.public_key().public_bytes(PEM, PublicFormat.SubjectPublicKeyInfo), "not a private key"),
    (EDWARDS.private_bytes(PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hush")), "encrypted with a password"),
    (generate_private_key(SECP256R1()).private_bytes(PEM, PrivateFormat.PKCS8, KEEP), "neither an RSA key"),
]


@pytest.mark.parametrize(("octets", "reason"), BAD_FILES)
def test_what_is_no_key_is_named_with_its_place(octets: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_bytes(octets)
    good = tmp_path / "good.pem"
    good.write_bytes(make_key("ed25519"))
    entries = tuple(Dkim(domain="a.org", selector="s", key=str(tmp_path / name)) for name in ("good.pem", "bad.pem"))
    with pytest.raises(ConfigError, match=rf"^delivery\.dkim\[1\]\.key: .*bad\.pem: .*{reason}") as caught:
        read_keys(Config(delivery=Delivery(dkim=entries)))
    assert "hush" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"^delivery\.arc\.key: .*bad\.pem: "):
        read_keys(Config(delivery=Delivery(arc=Arc(domain="a.org", selector="s", key=str(tmp_path / "bad.pem")))))


@pytest.mark.parametrize("bits", [512, 4104])
def test_a_key_of_a_size_that_receivers_need_not_verify(bits: int, tmp_path: Path) -> None:
    needed("openssl")  # the library makes none so small
    made = subprocess.run(["openssl", "genrsa", str(bits)], check=True, capture_output=True).stdout
    (tmp_path / "odd.pem").write_bytes(made)
    with pytest.raises(ConfigError, match=f"an RSA key of {bits} bits: receivers verify 1024 to 4096"):
        read_key("k", str(tmp_path / "odd.pem"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    entry = Dkim(domain="a.org", selector="s", key=str(tmp_path / "absent.pem"))
    with pytest.raises(ConfigError, match=r"^delivery\.dkim\[0\]\.key: .*absent\.pem: No such file"):
        read_keys(Config(delivery=Delivery(dkim=(entry,))))


def test_seals_need_an_rsa_key(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(make_key("ed25519"))
    arc = Arc(domain="a.org", selector="s", key=str(tmp_path / "key.pem"))
    with pytest.raises(ConfigError, match=r"^delivery\.arc\.key: .*not RSA, all that verifiers of ARC know"):
        read_keys(Config(delivery=Delivery(arc=arc)))


def test_several_keys_of_a_domain_all_sign(tmp_path: Path) -> None:
    for kind in ("rsa", "ed25519"):
        (tmp_path / kind).write_bytes(make_key(kind))
    entries = [("a.org", "rsa"), (".a.org", "rsa"), ("a.org", "ed25519")]
    config = Config(
        delivery=Delivery(
            dkim=tuple(Dkim(domain=domain, selector=kind, key=str(tmp_path / kind)) for domain, kind in entries)
        )
    )
    found = read_keys(config).dkim
    assert [one.key.algorithm for one in found["a.org"]] == ["rsa-sha256", "ed25519-sha256"]
    assert [one.key.name for one in found[".a.org"]] == ["rsa._domainkey.a.org"]
