"""`sluice check`: what is wrong with the configuration, what opens the relay, and what does not answer."""

import os

import typer
from rich.text import Text

from services.cli.common import FAILED, ConfigOption, console, run, table
from services.cli.probes import PROBES
from services.cli.surroundings import facts_of
from shared.config.check import problems
from shared.config.findings import Problem, Severity
from shared.config.load import find, load
from shared.config.model import Config

_STYLES = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.ERROR: "bold red"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(config: ConfigOption = None) -> None:
    """Validate configuration, TLS files, DNS and broker; warn of anything that opens the relay.

    Exit status 1 if there is any error. Example: `sluice check --config sluice.toml`
    """
    path = find(config)
    loaded = load(path, os.environ)
    where = str(path) if path else "no file found: defaults and environment"
    findings = [
        Problem(Severity.OK, "configuration", where),
        *problems(loaded, facts_of(path)),
        *run(_probe(loaded)),
    ]
    shown = table("", "where", "what", "remedy")
    for finding in findings:
        mark = Text(finding.severity, style=_STYLES[finding.severity])
        shown.add_row(mark, Text(finding.key), Text(finding.reason), Text(finding.remedy))
    console().print(shown)
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise typer.Exit(FAILED)


async def _probe(config: Config) -> list[Problem]:
    return [finding for probe in PROBES for finding in await probe(config)]
