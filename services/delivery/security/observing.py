"""What becomes of TLS with other hosts: metrics, and log lines that reports (RFC 8460) can be made of."""

from typing import NamedTuple

from services.delivery.security.protection import Protection, Result, Source
from services.delivery.security.sts_fetch import Trouble
from shared import log, metrics


class Try(NamedTuple):
    """One session, or the try to open one, as far as TLS goes."""

    domain: str
    host: str
    address: str
    protection: Protection
    failure: Result | None = None
    """None if TLS is as it should be."""
    detail: str = ""


def observe(tried: Try) -> None:
    """Count a try. There is a line where a domain publishes a policy, and where TLS was there and failed."""
    source = tried.protection.source
    _count(source, tried.failure)
    if (source, tried.failure) in _ORDINARY:
        return
    _tell(
        tried.failure,
        domain=tried.domain,
        policy=tried.protection.source,
        host=tried.host,
        address=tried.address,
        tlsa=[f"{each.usage} {each.selector} {each.matching} {each.data.hex()}" for each in tried.protection.tlsa],
        detail=tried.detail,
    )


_ORDINARY = {(Source.NOBODY, None), (Source.NOBODY, Result.NO_STARTTLS), (Source.CONFIGURED, None)}
"""What needs no line: most sessions are so."""


def refused(domain: str, host: str, source: Source, result: Result, detail: str) -> None:
    """Count a host that gets no session, because of what is known about it."""
    _count(source, result)
    _tell(result, domain=domain, policy=source, host=host, detail=detail)


def policy_failed(domain: str, trouble: Trouble) -> None:
    """Count a policy of MTA-STS that could not be fetched or read."""
    _count(Source.MTA_STS, trouble.result)
    _tell(trouble.result, domain=domain, policy=Source.MTA_STS, detail=trouble.reason)


def _count(source: Source, failure: Result | None) -> None:
    metrics.tls.labels(source, failure or "success").inc()


def _tell(failure: Result | None, **fields: object) -> None:
    shown = {name: value for name, value in fields.items() if value}
    log.get().info("tls", result=failure or "success", **shown)
