"""TLS reports (RFC 8460) out of delivery's log: what other domains' TLS policies came to on one day. Pure.

Nothing is stored for them: the log is the record. Only domains that publish a policy get one, and only sessions under
that policy are in it, since a line stands in the log for each of these, the successful ones too.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import msgspec

PUBLISHED = ("tlsa", "sts")
SUCCESS = "success"


class Line(msgspec.Struct, frozen=True):
    """What delivery's log says of one session (`tls`), or of a policy that was fetched (`mta-sts policy`)."""

    event: str
    timestamp: datetime
    domain: str = ""
    policy: str = ""
    result: str = ""
    host: str = ""
    address: str = ""
    detail: str = ""
    tlsa: tuple[str, ...] = ()
    mode: str = ""
    max_age: int = 0
    mx: tuple[str, ...] = ()


class Sender(NamedTuple):
    """Who reports."""

    organisation: str
    contact: str
    hostname: str


class _Policy(NamedTuple):
    kind: str
    text: tuple[str, ...]
    hosts: tuple[str, ...]


class _Failure(NamedTuple):
    result: str
    host: str
    address: str
    detail: str


_decode = msgspec.json.Decoder(Line).decode


def read(lines: Iterable[bytes]) -> Iterator[Line]:
    """Yield what log lines say of TLS, and pass over all others, whatever they are."""
    for text in lines:
        if b'"event":"tls"' in text or b'"event":"mta-sts policy"' in text:
            try:
                line = _decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if line.domain:
                yield line


def reports(lines: Iterable[Line], day: date, sender: Sender) -> dict[str, dict[str, Any]]:
    """Return the report on one day (UTC) for each domain that published a policy, ready to be written as JSON.

    `lines` are in the order in which they were logged, those of the days before included: they say which policy of
    MTA-STS a domain had.
    """
    current: dict[str, _Policy] = {}
    counted: dict[str, dict[_Policy, Counter[_Failure | None]]] = {}
    for line in lines:
        if line.event != "tls":
            current[line.domain] = _sts(line)
        elif line.policy in PUBLISHED and _day(line.timestamp) == day:
            known = current.get(line.domain, _Policy("sts", (), ()))
            policy = known if line.policy == "sts" else _Policy("tlsa", line.tlsa, (line.host,))
            failure = _Failure(line.result, line.host, line.address, line.detail)
            sessions = counted.setdefault(line.domain, {}).setdefault(policy, Counter())
            sessions[None if line.result == SUCCESS else failure] += 1
    return {domain: _report(domain, policies, day, sender) for domain, policies in sorted(counted.items())}


def _day(when: datetime) -> date:
    return (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).astimezone(UTC).date()


def _sts(line: Line) -> _Policy:
    """Return a policy as its file would have it (RFC 8460 section 4.4)."""
    text = ("version: STSv1", f"mode: {line.mode}", *(f"mx: {each}" for each in line.mx), f"max_age: {line.max_age}")
    return _Policy("sts", text, line.mx)


def _report(
    domain: str, policies: dict[_Policy, "Counter[_Failure | None]"], day: date, sender: Sender
) -> dict[str, Any]:
    return {
        "organization-name": sender.organisation,
        "date-range": {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"},
        "contact-info": sender.contact,
        "report-id": f"{day}.{domain}@{sender.hostname}",
        "policies": [_about(domain, policy, sessions) for policy, sessions in policies.items()],
    }


def _about(domain: str, policy: _Policy, sessions: "Counter[_Failure | None]") -> dict[str, Any]:
    failures = [(failure, count) for failure, count in sessions.items() if failure is not None]
    found: dict[str, Any] = {
        "policy": {
            "policy-type": policy.kind,
            "policy-string": list(policy.text),
            "policy-domain": domain,
            "mx-host": list(policy.hosts),
        },
        "summary": {
            "total-successful-session-count": sessions[None],
            "total-failure-session-count": sum(count for _, count in failures),
        },
    }
    if failures:
        found["failure-details"] = _details(failures)
    return found


def _details(failures: Sequence[tuple[_Failure, int]]) -> list[dict[str, Any]]:
    details = []
    for failure, count in failures:
        fields = {
            "result-type": failure.result,
            "receiving-mx-hostname": failure.host,
            "receiving-ip": failure.address,
            "failure-reason-code": failure.detail,
        }
        said = {name: value for name, value in fields.items() if value}
        details.append(said | {"failed-session-count": count})
    return details
