"""`sluice tls-report`: what other domains' TLS policies came to, as they may ask to be told (RFC 8460)."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from services.cli.common import ConfigOption, extra, load_config
from shared.errors import ConfigError


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tls_report)


def tls_report(
    files: Annotated[list[Path], typer.Argument(help="Delivery's log, the oldest file first; - is standard input.")],
    day: Annotated[str, typer.Option("--day", help="Which day (UTC), as 2026-11-24. Default: yesterday.")] = "",
    domain: Annotated[str, typer.Option("--domain", "-d", help="Only the report for this domain.")] = "",
    config: ConfigOption = None,
) -> None:
    """Make the TLS reports of a day out of delivery's log: one line of JSON for each domain that publishes a policy.

    Who wants them says so in DNS: the address is in the TXT record of `_smtp._tls.DOMAIN`.

    Example: `sluice tls-report --day 2026-11-24 delivery.log`
    """
    loaded = load_config(config)
    with extra("delivery"):
        from services.delivery.security.report import Sender, read, reports
    sender = Sender(loaded.screener.organisation or loaded.hostname, loaded.relay.postmaster, loaded.hostname)
    for name, report in reports(read(_lines(files)), _day(day), sender).items():
        if domain in {"", name}:
            typer.echo(json.dumps(report))


def _day(text: str) -> date:
    if not text:
        return datetime.now(UTC).date() - timedelta(days=1)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f'--day: "{text}" is not a day: write such as 2026-11-24') from None


def _lines(files: list[Path]) -> Iterator[bytes]:
    for file in files:
        if str(file) == "-":
            yield from sys.stdin.buffer
        else:
            with file.open("rb") as lines:
                yield from lines
