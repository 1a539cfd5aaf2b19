"""What protects sessions with a host: every source of policy beside every other."""

from typing import NamedTuple

import pytest

from services.delivery.routing.tlsa import TlsaRecords
from services.delivery.security.protection import (
    Facts,
    Protection,
    Refusal,
    Result,
    Source,
    protect,
    requiring,
    steps,
)
from services.delivery.security.sts import Mode, StsPolicy
from shared.config.tls_policy import Policy, Tls, parse_policy
from shared.dns.port import Status, Tlsa

HOST = "mx.example.net"
BASE = "real.example.net"
EE, TA = Tlsa(3, 1, 1, b"\x01" * 32), Tlsa(2, 1, 1, b"\x02" * 32)
UNUSABLE = Tlsa(1, 1, 1, b"\x01" * 32)


def found(*records: Tlsa) -> TlsaRecords:
    return TlsaRecords(Status.FOUND, records, BASE)


def sts(mode: Mode, *patterns: str) -> StsPolicy:
    return StsPolicy(mode, 86400, patterns or (HOST,))


NO_TLSA, LOST_TLSA = TlsaRecords(Status.NO_DATA), TlsaRecords(Status.FAILED, detail="SERVFAIL")
BY_EE = Protection(Tls.DANE, Source.DANE, tlsa=(EE,), base=BASE)
BY_TA = Protection(Tls.DANE, Source.DANE, tlsa=(EE, TA), base=BASE, names=(BASE, HOST, "example.net"))
UNVERIFIED = Protection(Tls.ENCRYPT, Source.DANE, flaw=Result.TLSA_INVALID)
BY_STS = Protection(Tls.VERIFY, Source.MTA_STS)
TRIAL = Protection(Tls.MAY, Source.MTA_STS, trial=True)
MAY = Protection()

ENFORCE, TESTING, NONE = sts(Mode.ENFORCE), sts(Mode.TESTING), sts(Mode.NONE)
ELSEWHERE = sts(Mode.ENFORCE, "*.example.net.example")


class Row(NamedTuple):
    configured: str | None
    tlsa: TlsaRecords
    sts: StsPolicy | None
    expected: Protection | tuple[Source, Result]


def configured(tls: Tls) -> Protection:
    return Protection(tls, Source.CONFIGURED)


ROWS = [
    # nobody wants anything
    Row(None, NO_TLSA, None, MAY),
    # MTA-STS alone
    Row(None, NO_TLSA, ENFORCE, BY_STS),
    Row(None, NO_TLSA, TESTING, TRIAL),
    Row(None, NO_TLSA, NONE, MAY),
    Row(None, NO_TLSA, ELSEWHERE, (Source.MTA_STS, Result.VALIDATION)),
    Row(None, NO_TLSA, sts(Mode.TESTING, "other.example"), Protection(source=Source.MTA_STS, flaw=Result.VALIDATION)),
    # DANE goes before it
    Row(None, found(EE), None, BY_EE),
    Row(None, found(EE), ENFORCE, BY_EE),
    Row(None, found(EE), ELSEWHERE, BY_EE),
    Row(None, found(EE, TA), TESTING, BY_TA),
    Row(None, found(EE, UNUSABLE), None, BY_EE),
    Row(None, LOST_TLSA, None, (Source.DANE, Result.DNSSEC_INVALID)),
    Row(None, LOST_TLSA, ENFORCE, (Source.DANE, Result.DNSSEC_INVALID)),
    # records that say nothing: TLS all the same, and whatever else would verify
    Row(None, found(UNUSABLE), None, UNVERIFIED),
    Row(None, found(UNUSABLE), ENFORCE, BY_STS),
    Row(None, found(UNUSABLE), ELSEWHERE, (Source.MTA_STS, Result.VALIDATION)),
    Row(None, found(UNUSABLE), TESTING, UNVERIFIED),
    Row(None, found(UNUSABLE), NONE, UNVERIFIED),
    # the configuration goes before all of it
    *(
        Row(tls, tlsa, policy, configured(Tls(tls)))
        for tls in ("none", "may", "encrypt", "verify")
        for tlsa, policy in ((NO_TLSA, None), (found(EE), None), (LOST_TLSA, ELSEWHERE), (found(UNUSABLE), ENFORCE))
    ),
    Row(
        f"fingerprint=sha256:{'ab' * 32}",
        found(EE),
        ENFORCE,
        Protection(Tls.FINGERPRINT, Source.CONFIGURED, fingerprints=(b"\xab" * 32,)),
    ),
    Row("dane", found(EE), ELSEWHERE, Protection(Tls.DANE, Source.CONFIGURED, tlsa=(EE,), base=BASE)),
    Row("dane", NO_TLSA, ENFORCE, (Source.CONFIGURED, Result.DANE_REQUIRED)),
    Row("dane", found(UNUSABLE), None, (Source.CONFIGURED, Result.DANE_REQUIRED)),
    Row("dane", LOST_TLSA, None, (Source.CONFIGURED, Result.DANE_REQUIRED)),
]


@pytest.mark.parametrize("row", ROWS)
def test_policies_are_put_together(row: Row) -> None:
    policy = parse_policy(row.configured) if row.configured else None
    decided = protect(policy, Facts("example.net", HOST, row.tlsa, row.sts))
    if isinstance(decided, Refusal):
        assert (decided.source, decided.result) == row.expected
        assert (decided.reply.code, decided.reply.enhanced) == (451, "4.7.5")
    else:
        assert decided == row.expected


def test_a_refusal_says_why_dns_has_failed() -> None:
    decided = protect(None, Facts("example.net", HOST, LOST_TLSA))
    assert isinstance(decided, Refusal)
    assert "SERVFAIL" in decided.reply.text


@pytest.mark.parametrize(
    ("protection", "expected"),
    [
        (MAY, (Tls.MAY, Tls.NONE)),
        (configured(Tls.MAY), (Tls.MAY, Tls.NONE)),
        (TRIAL, (Tls.VERIFY, Tls.MAY, Tls.NONE)),
        *((configured(tls), (tls,)) for tls in Tls if tls is not Tls.MAY),
    ],
)
def test_what_is_tried_when_tls_fails(protection: Protection, expected: tuple[Tls, ...]) -> None:
    assert steps(protection) == expected


@pytest.mark.parametrize(
    ("protection", "expected"),
    [
        (MAY, Protection(Tls.VERIFY)),
        (TRIAL, Protection(Tls.VERIFY, Source.MTA_STS)),
        (UNVERIFIED, Protection(Tls.VERIFY, Source.DANE)),
        (configured(Tls.NONE), configured(Tls.VERIFY)),
        (configured(Tls.ENCRYPT), configured(Tls.VERIFY)),
        *((kept, kept) for kept in (BY_STS, BY_EE, BY_TA, configured(Tls.VERIFY), configured(Tls.FINGERPRINT))),
    ],
)
def test_requiretls_wants_a_host_that_proves_itself(protection: Protection, expected: Protection) -> None:
    assert requiring(protection) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((tls.value, Policy(tls)) for tls in Tls if tls is not Tls.FINGERPRINT),
        (f"fingerprint=sha256:{'0A' * 32}", Policy(Tls.FINGERPRINT, (b"\x0a" * 32,))),
        (f"fingerprint=SHA256:{':'.join(['0a'] * 32)}", Policy(Tls.FINGERPRINT, (b"\x0a" * 32,))),
        (
            f"fingerprint=sha256:{'01' * 32}, sha256:{'02' * 32}",
            Policy(Tls.FINGERPRINT, (b"\x01" * 32, b"\x02" * 32)),
        ),
    ],
)
def test_a_policy_is_read(text: str, expected: Policy) -> None:
    assert parse_policy(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not known"),
        ("Verify", "not known"),
        ("secure", "valid are none, may, encrypt, dane, fingerprint, verify"),
        ("verify=yes", 'without "="'),
        ("fingerprint", "64 digits"),
        ("fingerprint=", "not a fingerprint"),
        (f"fingerprint={'01' * 32}", "not a fingerprint"),
        (f"fingerprint=sha1:{'01' * 20}", "not a fingerprint"),
        (f"fingerprint=sha256:{'01' * 31}", "not a fingerprint"),
        (f"fingerprint=sha256:{'01' * 33}", "not a fingerprint"),
        (f"fingerprint=sha256:{'01' * 32},", "not a fingerprint"),
    ],
)
def test_what_is_no_policy_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_policy(text)
