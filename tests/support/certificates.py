"""Certificates of servers as they are in the field, and the TLSA records that go with them."""

import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.dns.port import Tlsa

PAST = datetime.now(UTC) - timedelta(days=30)


def chain_of(leaf: trustme.LeafCert) -> list[bytes]:
    """Return what a server with this certificate sends (DER)."""
    return [ssl.PEM_cert_to_DER_cert(pem.bytes().decode()) for pem in leaf.cert_chain_pems]


def der(authority: trustme.CA) -> bytes:
    """Return an authority's certificate."""
    return ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())


def tlsa(certificate: bytes, usage: int, selector: int, matching: int) -> Tlsa:
    """Return the record for a certificate."""
    data = certificate
    if selector == 1:
        key = x509.load_der_x509_certificate(certificate).public_key()
        data = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = {1: hashlib.sha256, 2: hashlib.sha512}.get(matching)
    return Tlsa(usage, selector, matching, digest(data).digest() if digest else data)


def zone_form(record: Tlsa) -> str:
    """Return a record as zone files have it."""
    return f"{record.usage} {record.selector} {record.matching} {record.data.hex()}"


def server_context(leaf: trustme.LeafCert, **changes: Any) -> ssl.SSLContext:
    """Return a server's context with a certificate; `changes` are attributes of the context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    for name, value in changes.items():
        setattr(context, name, value)
    return context


def written(leaf: trustme.LeafCert, folder: Path) -> tuple[str, str]:
    """Write a certificate and its key; return their files."""
    certificate, key = folder / "client.pem", folder / "client.key"
    for number, pem in enumerate(leaf.cert_chain_pems):
        pem.write_to_path(str(certificate), append=number > 0)
    leaf.private_key_pem.write_to_path(str(key))
    return str(certificate), str(key)
