"""What protects sessions with a host: the configuration before DANE, DANE before MTA-STS, else what is there. Pure."""

from enum import StrEnum

import msgspec

from services.delivery.routing.tlsa import TlsaRecords
from services.delivery.security import dane, sts
from services.delivery.security.sts import Mode, StsPolicy
from shared.config.tls_policy import Policy, Tls
from shared.dns.port import Status, Tlsa
from shared.smtp.reply import Reply


class Source(StrEnum):
    """Who wants the protection; the last three under the names of TLS reports (RFC 8460 section 4.2)."""

    CONFIGURED = "configured"
    DANE = "tlsa"
    MTA_STS = "sts"
    NOBODY = "no-policy-found"


class Result(StrEnum):
    """What failed, under the names of TLS reports (RFC 8460 section 4.3)."""

    NO_STARTTLS = "starttls-not-supported"
    HOST_MISMATCH = "certificate-host-mismatch"
    EXPIRED = "certificate-expired"
    NOT_TRUSTED = "certificate-not-trusted"
    VALIDATION = "validation-failure"
    TLSA_INVALID = "tlsa-invalid"
    DNSSEC_INVALID = "dnssec-invalid"
    DANE_REQUIRED = "dane-required"
    STS_FETCH = "sts-policy-fetch-error"
    STS_INVALID = "sts-policy-invalid"
    STS_WEBPKI = "sts-webpki-invalid"


class Protection(msgspec.Struct, frozen=True):
    """What a session must have; two that are equal may share a session."""

    tls: Tls = Tls.MAY
    source: Source = Source.NOBODY
    trial: bool = False
    """Verify, report what fails, and go on as if nothing had been demanded (MTA-STS, mode testing)."""
    flaw: Result | None = None
    """What is wrong already, and is to be reported only (MTA-STS in mode testing, TLSA records of no use)."""
    tlsa: tuple[Tlsa, ...] = ()
    """For DANE: the usable records."""
    base: str = ""
    """The TLSA base domain: the name of the server in SNI, which is the host's unless that is an alias."""
    names: tuple[str, ...] = ()
    """For DANE by an authority: what the server may go by."""
    fingerprints: tuple[bytes, ...] = ()


class Refusal(msgspec.Struct, frozen=True):
    """Why a host gets no session."""

    reply: Reply
    source: Source
    result: Result


class Facts(msgspec.Struct, frozen=True):
    """What is known about one host of a domain."""

    domain: str
    host: str
    tlsa: TlsaRecords = TlsaRecords(Status.NO_DATA)
    """None are FOUND where DANE is off, or DNSSEC does not vouch for the host (RFC 7672 section 2.2)."""
    sts: StsPolicy | None = None


def protect(configured: Policy | None, facts: Facts) -> Protection | Refusal:
    """Return how to protect sessions with a host, or why there can be none; that is always temporary."""
    if configured is not None:
        return _as_configured(configured, facts)
    match facts.tlsa.status:
        case Status.FAILED:  # an attacker may be behind it: no session (RFC 7672 section 2.1.2)
            detail = f"no answer about the TLSA records of {facts.host}: {facts.tlsa.detail}"
            return Refusal(Reply(451, "4.7.5", detail), Source.DANE, Result.DNSSEC_INVALID)
        case Status.FOUND:
            return _by_dane(facts)
        case _:
            return _by_sts(facts)


def _as_configured(policy: Policy, facts: Facts) -> Protection | Refusal:
    if policy.tls is not Tls.DANE:
        return Protection(policy.tls, Source.CONFIGURED, fingerprints=policy.fingerprints)
    records = dane.usable(facts.tlsa.records)
    if records:
        return _daned(records, Source.CONFIGURED, facts)
    reply = Reply(
        451, "4.7.5", f"DANE is required, and {facts.host} has no usable TLSA records that DNSSEC vouches for"
    )
    return Refusal(reply, Source.CONFIGURED, Result.DANE_REQUIRED)


def _by_dane(facts: Facts) -> Protection | Refusal:
    records = dane.usable(facts.tlsa.records)
    if records:
        return _daned(records, Source.DANE, facts)
    if facts.sts is not None and facts.sts.mode is Mode.ENFORCE:
        return _by_sts(facts)
    return Protection(Tls.ENCRYPT, Source.DANE, flaw=Result.TLSA_INVALID)  # nothing to verify by (RFC 7672 section 2.2)


def _daned(records: tuple[Tlsa, ...], source: Source, facts: Facts) -> Protection:
    """Return the protection by usable records; names count for authorities only, and would part sessions of domains."""
    by_authority = any(record.usage == dane.AUTHORITY for record in records)
    names = tuple(dict.fromkeys((facts.tlsa.base, facts.host, facts.domain))) if by_authority else ()
    return Protection(Tls.DANE, source, tlsa=records, base=facts.tlsa.base, names=names)


def _by_sts(facts: Facts) -> Protection | Refusal:
    if facts.sts is None or facts.sts.mode is Mode.NONE:
        return Protection()
    if sts.allows(facts.sts, facts.host):
        testing = facts.sts.mode is Mode.TESTING
        return Protection(Tls.MAY if testing else Tls.VERIFY, Source.MTA_STS, trial=testing)
    if facts.sts.mode is Mode.TESTING:
        return Protection(source=Source.MTA_STS, flaw=Result.VALIDATION)
    reply = Reply(451, "4.7.5", f"the MTA-STS policy of {facts.domain} does not name {facts.host}")
    return Refusal(reply, Source.MTA_STS, Result.VALIDATION)


def steps(protection: Protection) -> tuple[Tls, ...]:
    """Return what to try, each after TLS has failed with the one before it."""
    if protection.tls is not Tls.MAY:
        return (protection.tls,)
    return (Tls.VERIFY, Tls.MAY, Tls.NONE) if protection.trial else (Tls.MAY, Tls.NONE)


def requiring(protection: Protection) -> Protection:
    """Return the protection for a message with REQUIRETLS: one that verifies the host (RFC 8689 section 4.2.1)."""
    return protection if protection.tls.authenticates else Protection(Tls.VERIFY, protection.source)
