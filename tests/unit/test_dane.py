"""DANE: which TLSA records count, and which servers they name."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.security.dane import refusal, usable
from shared.dns.port import Tlsa
from tests.support.certificates import PAST, chain_of, der, tlsa

HOST = "mx.example.net"
NOW = datetime.now(UTC)
ROOT = trustme.CA()
INTERMEDIATE = ROOT.create_child_ca()
LEAF = INTERMEDIATE.issue_cert(HOST)
SERVER = chain_of(LEAF)
OTHER = chain_of(trustme.CA().issue_cert(HOST))
EXPIRED = chain_of(INTERMEDIATE.issue_cert(HOST, not_before=PAST, not_after=PAST + timedelta(days=1)))

SHA256, SHA512 = b"\x01" * 32, b"\x02" * 64
WHOLE = der(ROOT)


@pytest.mark.parametrize(
    ("records", "kept"),
    [
        ([], []),
        ([Tlsa(3, 1, 1, SHA256)], [0]),
        ([Tlsa(3, 0, 2, SHA512)], [0]),
        ([Tlsa(2, 0, 1, SHA256)], [0]),
        ([Tlsa(2, 0, 0, WHOLE)], [0]),
        ([Tlsa(3, 1, 0, b"a key")], [0]),
        # what is for web servers, or not known, or cannot be
        ([Tlsa(0, 0, 1, SHA256), Tlsa(1, 1, 1, SHA256)], []),
        ([Tlsa(4, 1, 1, SHA256), Tlsa(255, 1, 1, SHA256)], []),
        ([Tlsa(3, 2, 1, SHA256), Tlsa(3, 255, 1, SHA256)], []),
        ([Tlsa(3, 1, 3, SHA256), Tlsa(3, 1, 255, SHA256)], []),
        ([Tlsa(3, 1, 1, SHA256[:-1]), Tlsa(3, 1, 1, SHA512), Tlsa(3, 1, 2, SHA256)], []),
        ([Tlsa(3, 1, 0, b""), Tlsa(3, 1, 1, b"")], []),
        ([Tlsa(2, 0, 0, WHOLE[:-1]), Tlsa(3, 0, 0, b"no certificate")], []),
        # the better digest of the same usage and selector
        ([Tlsa(3, 1, 1, SHA256), Tlsa(3, 1, 2, SHA512)], [1]),
        ([Tlsa(3, 1, 2, SHA512), Tlsa(3, 1, 1, SHA256)], [0]),
        ([Tlsa(3, 1, 1, SHA256), Tlsa(3, 0, 2, SHA512)], [0, 1]),
        ([Tlsa(3, 1, 1, SHA256), Tlsa(2, 1, 2, SHA512)], [0, 1]),
        ([Tlsa(3, 1, 1, SHA256), Tlsa(3, 1, 2, SHA512[:-1])], [0]),
        ([Tlsa(2, 0, 0, WHOLE), Tlsa(2, 0, 1, SHA256)], [0, 1]),
        # said twice
        ([Tlsa(3, 1, 1, SHA256), Tlsa(3, 1, 1, SHA256)], [0]),
        ([Tlsa(1, 1, 1, SHA256), Tlsa(3, 1, 1, SHA256)], [1]),
    ],
)
def test_only_records_that_can_name_a_mail_server_count(records: list[Tlsa], kept: list[int]) -> None:
    assert usable(records) == tuple(records[index] for index in kept)


class Case(NamedTuple):
    """A server and the records about it."""

    records: tuple[Tlsa, ...]
    chain: list[bytes]
    refused: str = ""
    """A part of the reason, or nothing."""
    names: tuple[str, ...] = (HOST,)


def by_leaf(*parameters: tuple[int, int]) -> tuple[Tlsa, ...]:
    return tuple(tlsa(SERVER[0], 3, selector, matching) for selector, matching in parameters)


def by_authority(certificate: bytes, selector: int = 0, matching: int = 1) -> tuple[Tlsa, ...]:
    return (tlsa(certificate, 2, selector, matching),)


NO_MATCH = "no certificate that the server sent matches"
CASES = [
    *(Case(by_leaf((selector, matching)), SERVER) for selector in (0, 1) for matching in (0, 1, 2)),
    *(Case(by_leaf((selector, matching)), OTHER, "matches no TLSA") for selector in (0, 1) for matching in (0, 1, 2)),
    *(Case(by_authority(der(INTERMEDIATE), s, m), SERVER) for s in (0, 1) for m in (0, 1, 2)),
    # for its own certificate, neither names nor dates nor the rest of the chain count
    Case(by_leaf((1, 1)), SERVER, names=("other.example.net",)),
    Case(by_leaf((1, 1)), SERVER, names=()),
    Case(by_leaf((1, 1)), SERVER[:1]),
    Case(tuple(tlsa(EXPIRED[0], 3, 0, 1) for _ in "1"), EXPIRED),
    Case((*by_leaf((1, 1)), tlsa(OTHER[0], 3, 1, 1)), OTHER),
    Case(by_leaf((1, 1)), [*OTHER, SERVER[0]], "matches no TLSA"),
    # an authority counts for what it issued, to one of the names, in its time
    Case(by_authority(WHOLE), [*SERVER, WHOLE]),
    Case(by_authority(WHOLE, 1, 2), [*SERVER, WHOLE]),
    Case(by_authority(WHOLE), [SERVER[0], WHOLE, *SERVER[1:]]),
    Case(by_authority(WHOLE), [*SERVER, b"no certificate", WHOLE]),
    Case(by_authority(WHOLE), SERVER, NO_MATCH),
    Case(by_authority(WHOLE, 0, 0), SERVER),
    Case(by_authority(WHOLE, 0, 0), OTHER, "exhausted"),
    Case(by_authority(der(INTERMEDIATE)), SERVER, "subjectAltName", names=("other.example.net",)),
    Case(by_authority(der(INTERMEDIATE)), SERVER, "no name", names=()),
    Case(by_authority(der(INTERMEDIATE)), SERVER, names=("example.net", HOST)),
    Case(by_authority(der(INTERMEDIATE)), SERVER, "", names=("a b", HOST)),
    Case(by_authority(der(INTERMEDIATE)), EXPIRED, "not valid at validation time"),
    Case(by_authority(der(INTERMEDIATE)), [OTHER[0], *SERVER], "exhausted"),
    Case((tlsa(SERVER[0], 2, 0, 1),), SERVER, NO_MATCH),
    Case((tlsa(SERVER[0], 2, 0, 1),), [SERVER[0], SERVER[0]], NO_MATCH),
    Case((tlsa(der(INTERMEDIATE), 3, 0, 1),), SERVER, "matches no TLSA"),
    Case((*by_authority(der(INTERMEDIATE)), tlsa(OTHER[0], 3, 1, 1)), SERVER),
    # what there is nothing of
    Case(by_leaf((1, 1)), [], "no certificate"),
    Case(by_leaf((1, 1)), [b"no certificate"], "cannot be read"),
    Case((), SERVER, "matches no TLSA"),
]


@pytest.mark.parametrize("case", CASES)
def test_a_server_is_the_one_that_records_name(case: Case) -> None:
    reason = refusal(case.records, case.chain, case.names, NOW)
    if case.refused:
        assert reason is not None
        assert case.refused in reason
    else:
        assert reason is None


def issued(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType) -> bytes:
    """Return a certificate for a key of its own, signed by `key`; nothing in it is critical."""
    own = KEYS.setdefault(subject, ec.generate_private_key(ec.SECP256R1()))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


KEYS: dict[str, ec.EllipticCurvePrivateKey] = {}
NAME = x509.SubjectAlternativeName([x509.DNSName(HOST)])
NO_SIGNING = x509.KeyUsage(*(True, False, False, False, False, False, False, False, False))


@pytest.mark.parametrize(
    ("extensions", "accepted"),
    [
        ((x509.BasicConstraints(ca=True, path_length=None),), True),
        ((x509.BasicConstraints(ca=False, path_length=None),), False),
        ((), False),
        ((x509.BasicConstraints(ca=True, path_length=None), NO_SIGNING), False),
    ],
)
@pytest.mark.parametrize("trusted", ["root", "middle"])
def test_who_is_no_authority_issues_nothing(
    extensions: tuple[x509.ExtensionType, ...], accepted: bool, trusted: str
) -> None:
    """A certificate of some customer's, below an authority that a record names, makes no others."""
    authority = x509.BasicConstraints(ca=True, path_length=None)
    key = KEYS.setdefault("root", ec.generate_private_key(ec.SECP256R1()))
    root = issued("root", "root", key, authority)
    middle = issued("middle", "root", key, *extensions)
    leaf = issued("leaf", "middle", KEYS["middle"], NAME)
    records = by_authority(root if trusted == "root" else middle)
    assert (refusal(records, [leaf, middle, root], (HOST,), NOW) is None) is accepted


@pytest.mark.parametrize(
    ("purposes", "accepted"),
    [
        (("SERVER_AUTH",), True),
        (("CLIENT_AUTH", "SERVER_AUTH"), True),
        (("ANY_EXTENDED_KEY_USAGE",), True),
        (("CLIENT_AUTH",), False),
        (("EMAIL_PROTECTION", "CODE_SIGNING"), False),
    ],
)
def test_an_authority_says_what_its_certificates_are_for(purposes: tuple[str, ...], accepted: bool) -> None:
    """A client of its own is no server of its own (RFC 5280 section 4.2.1.12)."""
    key = KEYS.setdefault("root", ec.generate_private_key(ec.SECP256R1()))
    root = issued("root", "root", key, x509.BasicConstraints(ca=True, path_length=None))
    usage = x509.ExtendedKeyUsage([getattr(ExtendedKeyUsageOID, each) for each in purposes])
    leaf = issued("leaf", "root", key, NAME, usage)
    assert (refusal(by_authority(root), [leaf, root], (HOST,), NOW) is None) is accepted


@given(st.lists(st.binary(max_size=80), max_size=4), st.binary(max_size=80))
def test_any_octets_may_be_sent_and_published(chain: list[bytes], data: bytes) -> None:
    records = usable([Tlsa(usage, 0, 0, data) for usage in (2, 3)] + [Tlsa(3, 1, 0, data)])
    assert refusal(records, chain, (HOST,), NOW) is not None
