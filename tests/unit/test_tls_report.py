"""TLS reports: what is counted for whom, out of which lines."""

import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from services.delivery.security import observing
from services.delivery.security.observing import Try
from services.delivery.security.protection import Protection, Result, Source
from services.delivery.security.report import Sender, read, reports
from services.delivery.security.sts_fetch import Trouble
from shared import log
from shared.config.model import Log
from shared.config.tls_policy import Tls
from shared.dns.port import Tlsa
from tests.support.cli import Done, configured, sluice

DAY = date(2026, 11, 24)
SENDER = Sender("Example Ltd", "postmaster@example.org", "relay.example.org")


def line(event: str = "tls", timestamp: str = "2026-11-24T12:00:00Z", **fields: Any) -> bytes:
    """Return a line as the log has it, spaces and all."""
    found = {"timestamp": timestamp, "level": "info", "event": event, "service": "delivery", **fields}
    return json.dumps(found, separators=(",", ":")).encode() + b"\n"


def session(result: str = "success", **fields: Any) -> bytes:
    default = {"domain": "example.net", "policy": "sts", "host": "mx1.example.net", "address": "192.0.2.1"}
    return line(result=result, **default | fields)


POLICY = line("mta-sts policy", domain="example.net", id="1", mode="enforce", max_age=86400, mx=["mx1.example.net"])


def made(*lines: bytes) -> dict[str, Any]:
    return reports(read(lines), DAY, SENDER)


def test_a_report_has_what_the_rfc_asks_for() -> None:
    found = made(
        POLICY,
        session(),
        session(),
        session("certificate-expired", detail="certificate has expired"),
        session("certificate-expired", detail="certificate has expired"),
        session("starttls-not-supported", host="mx2.example.net", address=""),
    )
    assert found == {
        "example.net": {
            "organization-name": "Example Ltd",
            "date-range": {"start-datetime": "2026-11-24T00:00:00Z", "end-datetime": "2026-11-24T23:59:59Z"},
            "contact-info": "postmaster@example.org",
            "report-id": "2026-11-24.example.net@relay.example.org",
            "policies": [
                {
                    "policy": {
                        "policy-type": "sts",
                        "policy-string": ["version: STSv1", "mode: enforce", "mx: mx1.example.net", "max_age: 86400"],
                        "policy-domain": "example.net",
                        "mx-host": ["mx1.example.net"],
                    },
                    "summary": {"total-successful-session-count": 2, "total-failure-session-count": 3},
                    "failure-details": [
                        {
                            "result-type": "certificate-expired",
                            "receiving-mx-hostname": "mx1.example.net",
                            "receiving-ip": "192.0.2.1",
                            "failure-reason-code": "certificate has expired",
                            "failed-session-count": 2,
                        },
                        {
                            "result-type": "starttls-not-supported",
                            "receiving-mx-hostname": "mx2.example.net",
                            "failed-session-count": 1,
                        },
                    ],
                }
            ],
        }
    }


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], {}),
        ([POLICY], {}),
        ([session()], {"example.net": [("sts", 1)]}),
        ([POLICY, session(), POLICY, session()], {"example.net": [("sts", 2)]}),
        ([POLICY, session(), POLICY.replace(b"enforce", b"testing"), session()], {"example.net": [("sts", 1)] * 2}),
        ([session(policy="tlsa", tlsa=["3 1 1 ab"]), session()], {"example.net": [("tlsa", 1), ("sts", 1)]}),
        (
            [session(policy="tlsa", tlsa=[text]) for text in ("3 1 1 ab", "3 1 1 cd")],
            {"example.net": [("tlsa", 1)] * 2},
        ),
        (
            [session(domain="b.example"), session(domain="a.example")],
            {"a.example": [("sts", 1)], "b.example": [("sts", 1)]},
        ),
        # other days, other policies, other lines
        ([session(timestamp="2026-11-23T23:59:59.999Z"), session(timestamp="2026-11-25T00:00:00Z")], {}),
        ([session(timestamp="2026-11-24T23:59:59.999Z")], {"example.net": [("sts", 1)]}),
        ([session(timestamp="2026-11-25T00:30:00+01:00")], {"example.net": [("sts", 1)]}),
        ([session(timestamp="2026-11-24T12:00:00")], {"example.net": [("sts", 1)]}),
        ([session(policy="no-policy-found"), session(policy="configured"), session(policy="")], {}),
        ([session(domain="")], {}),
        ([line("recipient", result="delivered")], {}),
        (
            [b"", b"nonsense", b'{"event":"tls"', b'{"event":"tls"}', b'{"event":"tls","timestamp":1,"domain":"\xff"}'],
            {},
        ),
        ([b'{"event":"tls","timestamp":"2026-11-24T12:00:00Z","domain":["a"]}'], {}),
        ([b'x {"event":"tls"} y', session()], {"example.net": [("sts", 1)]}),
    ],
)
def test_what_is_counted(lines: list[bytes], expected: dict[str, list[tuple[str, int]]]) -> None:
    found = {
        domain: [
            (each["policy"]["policy-type"], each["summary"]["total-successful-session-count"])
            for each in report["policies"]
        ]
        for domain, report in made(*lines).items()
    }
    assert found == expected


def test_what_is_logged_can_be_reported() -> None:
    """Through the log as it is."""
    stream = io.StringIO()
    log.set_up(Log(), "delivery", stream)
    daned = Protection(Tls.DANE, Source.DANE, tlsa=(Tlsa(3, 1, 1, b"\xab"),))
    for protection, failure in (
        (daned, None),
        (daned, Result.VALIDATION),
        (Protection(), None),
        (Protection(), Result.NO_STARTTLS),
        (Protection(), Result.VALIDATION),
        (Protection(Tls.VERIFY, Source.CONFIGURED), None),
        (Protection(Tls.VERIFY, Source.CONFIGURED), Result.EXPIRED),
    ):
        observing.observe(Try("example.net", "mx.example.net", "192.0.2.1", protection, failure, "why"))
    observing.refused("a.example", "mx.a.example", Source.MTA_STS, Result.VALIDATION, "not named")
    observing.policy_failed("b.example", Trouble("status 404"))
    lines = stream.getvalue().encode().splitlines()
    logged = list(read(lines))
    assert [(each.policy, each.result) for each in logged] == [
        ("tlsa", "success"),
        ("tlsa", "validation-failure"),
        ("no-policy-found", "validation-failure"),
        ("configured", "certificate-expired"),
        ("sts", "validation-failure"),
        ("sts", "sts-policy-fetch-error"),
    ]
    found = reports(logged, logged[0].timestamp.date(), SENDER)
    assert list(found) == ["a.example", "b.example", "example.net"]
    (about,) = found["example.net"]["policies"]
    assert about["policy"]["policy-string"] == ["3 1 1 ab"]
    assert about["summary"] == {"total-successful-session-count": 1, "total-failure-session-count": 1}


def test_the_command_makes_reports_out_of_files(tmp_path: Path) -> None:
    configured(tmp_path)
    (tmp_path / "old.log").write_bytes(POLICY)
    (tmp_path / "new.log").write_bytes(session() + session(domain="other.example"))

    def ran(*arguments: str, given: bytes = b"") -> Done:
        return sluice("tls-report", *arguments, cwd=tmp_path, given=given)

    done = ran("--day", "2026-11-24", "-d", "example.net", "old.log", "new.log")
    (report,) = [json.loads(text) for text in done.out.splitlines()]
    assert report["policies"][0]["policy"]["mx-host"] == ["mx1.example.net"]
    done = ran("--day", "2026-11-24", "-", given=session())
    assert json.loads(done.out)["organization-name"] == "relay.example.net"
    (tmp_path / "past.log").write_bytes(session().replace(b"2026-11-24", b"2020-01-01"))
    assert ran("past.log") == (0, "", "")
    done = ran("--day", "today", "new.log")
    assert (done.status, done.err) == (2, 'sluice: --day: "today" is not a day: write such as 2026-11-24\n')
