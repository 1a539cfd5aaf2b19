"""DANE for SMTP (RFC 7672): whether a certificate is one that TLSA records name. Pure.

Only the usages DANE-TA(2) and DANE-EE(3) mean something between mail servers (section 3.1.3).
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from shared.dns.port import Tlsa

AUTHORITY, END_ENTITY = 2, 3
"""Usages: the record names an issuer, or the server's own certificate."""
WHOLE, KEY = 0, 1
"""Selectors: of the certificate, or of its public key alone."""
VERSION = 0xA0
"""The tag of a certificate's first field, which is optional."""
_DIGESTS = {1: hashlib.sha256, 2: hashlib.sha512}


def usable(records: Iterable[Tlsa]) -> tuple[Tlsa, ...]:
    """Return the records that can authenticate a mail server: known parameters, data of the right length or that parse.

    Beside a better digest of the same usage and selector, a weaker one does not count (RFC 7671 section 9).
    """
    sound = [record for record in records if _is_sound(record)]
    best: dict[tuple[int, int], int] = {}
    for record in sound:
        if record.matching:
            key = (record.usage, record.selector)
            best[key] = max(record.matching, best.get(key, 0))  # SHA-512 is 2, SHA-256 is 1
    return tuple(
        record
        for record in dict.fromkeys(sound)
        if not record.matching or best[record.usage, record.selector] == record.matching
    )


def _is_sound(record: Tlsa) -> bool:
    if record.usage not in (AUTHORITY, END_ENTITY) or record.selector not in (WHOLE, KEY):
        return False
    if record.matching in _DIGESTS:
        return len(record.data) == _DIGESTS[record.matching]().digest_size
    if record.matching:
        return False
    return bool(record.data) if record.selector == KEY else _parsed(record.data) is not None


def refusal(records: Sequence[Tlsa], chain: Sequence[bytes], names: Sequence[str], now: datetime) -> str | None:
    """Return why a server is not the one that usable records name, or None if it is.

    `chain` is what the server sent (DER), its own certificate first; `names` are those it may go by. They and dates
    count for what an authority has issued; a record for the server's own certificate says it all (section 3.1.1).
    """
    if not chain:
        return "the server sent no certificate"
    certificates = [_parsed(der) for der in chain]
    leaf, *others = certificates
    if leaf is None:
        return "the server's certificate cannot be read"
    if any(_names(record, leaf) for record in records if record.usage == END_ENTITY):
        return None
    by_authority = [record for record in records if record.usage == AUTHORITY]
    if not by_authority:
        return "the server's certificate matches no TLSA record"
    sent = [certificate for certificate in others if certificate is not None and certificate != leaf]
    anchors = [each for each in (*sent, *_included(by_authority)) if any(_names(r, each) for r in by_authority)]
    if not anchors:
        return "no certificate that the server sent matches a TLSA record"
    return _path_refusal(leaf, sent, anchors, names, now)


def _parsed(der: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, TypeError):
        return None


def _names(record: Tlsa, certificate: x509.Certificate) -> bool:
    """Tell whether a record's data are the certificate's, or its key's."""
    octets = certificate.public_bytes(Encoding.DER) if record.selector == WHOLE else _key(certificate)
    return record.data == (_DIGESTS[record.matching](octets).digest() if record.matching else octets)


def _key(certificate: x509.Certificate) -> bytes:
    """Return the SubjectPublicKeyInfo as it stands in the certificate: the library would write some anew.

    Before it stand an optional version, serial number, algorithm, issuer, validity and subject (RFC 5280 section 4.1).
    """
    octets = certificate.tbs_certificate_bytes
    at, _ = _contents(octets, 0)
    for _ in range(6 if octets[at] == VERSION else 5):
        at = sum(_contents(octets, at))
    return octets[at : sum(_contents(octets, at))]


def _contents(octets: bytes, at: int) -> tuple[int, int]:
    """Return where the contents of the DER value at a place begin, and how many octets they are."""
    length, start = octets[at + 1], at + 2
    if length < 128:
        return start, length
    more = length - 128
    return start + more, int.from_bytes(octets[start : start + more])


def _included(records: Iterable[Tlsa]) -> list[x509.Certificate]:
    """Return the authorities that records hold whole: a server need not send those (RFC 7671 section 5.2.2)."""
    parsed = [_parsed(record.data) for record in records]  # nothing else that a usable record holds is a certificate
    return [certificate for certificate in parsed if certificate is not None]


def _path_refusal(
    leaf: x509.Certificate,
    sent: list[x509.Certificate],
    anchors: list[x509.Certificate],
    names: Sequence[str],
    now: datetime,
) -> str | None:
    """Return why no path leads from an authority to the server's certificate, for one of its names, or None."""
    builder = PolicyBuilder().store(Store(anchors)).time(now).extension_policies(ca_policy=_ISSUER, ee_policy=_SERVER)
    reason = "no name to look for"
    for name in names:
        try:
            builder.build_server_verifier(x509.DNSName(name)).verify(leaf, sent)
        except (VerificationError, ValueError) as error:
            reason = str(error).partition(" (encountered")[0]
        else:
            return None
    return reason


def _may_sign(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("an issuer's key is not for certificates")


def _may_serve(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
    if usage is not None and _SERVING.isdisjoint(usage):
        raise ValueError("the certificate is not for servers")


_SERVING = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
_ISSUER = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign)
)
_SERVER = (
    ExtensionPolicy.permit_all()
    .require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    .may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _may_serve)
)
"""What authorities of mail servers' own making observe; the rules of web browsers ask for more."""
